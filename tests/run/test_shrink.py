"""An export never gets smaller without being told to."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate.cli import run_command
from curate.run.session import Sources, open_session, run_export, store
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter
from tests.exports.making import tree_bytes
from tests.finished import make_finished

WEB = {name: f"https://example.org/{name}.mp4" for name in ("one", "two", "three")}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_finished(tmp_path / "w", WEB, ["folders", "lmdb"])


def exported(root: Path) -> set[str]:
    return set(pq.read_table(root / "exports" / "folders" / "metadata.parquet")["video_id"].to_pylist())


def note(root: Path, video: str, stage: str, outcome: str, reason: str) -> None:
    """Append an event with the fingerprint of the present options."""
    pipeline = open_session(root).pipeline
    (found,) = [v for v in pipeline.videos if v.id == video]
    writer = LedgerWriter(root / "ledger")
    event = {"time": 9e9, "video": video, "stage": stage, "outcome": outcome, "reason": reason}
    writer.append(Event(**event, fingerprint=pipeline.fingerprints(found)[stage]))
    writer.close()


def test_an_incomplete_workspace_does_not_replace_a_full_export(workspace: Path) -> None:
    before = tree_bytes(workspace / "exports")
    (workspace / "frames" / "two.parquet").unlink()
    note(workspace, "three", "mask", "failed", "crashed")
    summary = run_export(open_session(workspace))
    assert summary.formats == () and set(summary.kept) == {"folders", "lmdb"}
    assert summary.kept["folders"] == {"two": "pending at sample", "three": "failed at mask, crashed"}
    assert tree_bytes(workspace / "exports") == before
    summary = run_export(open_session(workspace), partial=True)
    assert len(summary.formats) == 2 and exported(workspace) == {"one"}


def test_an_export_whose_table_of_videos_is_damaged_is_not_replaced_by_a_smaller_one(workspace: Path) -> None:
    for name in ("folders", "lmdb"):
        (workspace / "exports" / name / "videos.parquet").write_bytes(b"PAR1 no table")
    before = tree_bytes(workspace / "exports")
    frames = (workspace / "frames" / "two.parquet").rename(workspace / "aside")
    summary = run_export(open_session(workspace))
    assert summary.formats == () and summary.kept["folders"] == {"two": "pending at sample"}
    assert tree_bytes(workspace / "exports") == before
    frames.rename(workspace / "frames" / "two.parquet")
    assert len(run_export(open_session(workspace)).formats) == 2 and exported(workspace) == set(WEB)


def test_formats_that_lose_nothing_are_written(workspace: Path) -> None:
    (workspace / "frames" / "two.parquet").unlink()
    session = open_session(workspace, given={"export": {"formats": ("folders", "webdataset")}})
    summary = run_export(session)
    assert [made.name for made in summary.formats] == ["webdataset"] and set(summary.kept) == {"folders"}
    assert summary.stale == () or all(path.name != "folders" for path in summary.stale)


def test_a_list_without_some_videos_does_not_shrink_the_export(workspace: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(f"id,url\none,{WEB['one']}\n")
    store(open_session(workspace, sources=Sources((str(listed),))))
    summary = run_export(open_session(workspace))
    assert summary.kept["lmdb"] == {"two": "not listed any more", "three": "not listed any more"}
    assert exported(workspace) == set(WEB)


def test_what_was_decided_may_go(workspace: Path) -> None:
    note(workspace, "two", "trim", "dropped", "no_surgical_run")
    summary = run_export(open_session(workspace))
    assert not summary.kept and exported(workspace) == {"one", "three"}


def test_a_format_without_content_is_named_and_the_others_are_written(workspace: Path, capsys) -> None:
    options = ("--formats", "clips,webdataset", "--clips-seconds", "60")
    assert run_command(["export", "-w", str(workspace), *options]) == 2
    said = capsys.readouterr()
    assert "clips was not written: no clips: no surgical run is as long as" in said.err
    assert "webdataset: 12 frames of 3 videos" in said.out
    assert not (workspace / "exports" / "clips").exists()


def test_the_same_list_named_from_another_folder_writes_nothing(workspace: Path, tmp_path: Path) -> None:
    before = tree_bytes(workspace / "exports")
    after = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        listed = tmp_path / name / "list.csv"
        listed.write_text("id,url\n" + "".join(f"{video},{url}\n" for video, url in WEB.items()))
        session = open_session(workspace, sources=Sources((str(listed),)))
        assert [made.written for made in run_export(session).formats] == [False, False]
        after.append(tree_bytes(workspace / "exports"))
    assert after[0] == after[1]
    cards = {
        f"{folder}/{file}" for folder in ("folders", "lmdb") for file in ("README.md", "croissant.json", "export.json")
    }
    assert {path for path in before if before[path] != after[0][path]} == cards, "the cards name the list"


def test_a_video_that_cannot_be_read_counts_as_one_that_would_be_lost(workspace: Path, capsys) -> None:
    path = workspace / "frames" / "two.parquet"
    path.write_bytes(b"\0" * path.stat().st_size)
    before = tree_bytes(workspace / "exports")
    assert run_command(["export", "-w", str(workspace), "--quality", "90"]) == 2
    assert "it shows 1 videos that cannot be exported now (two: cannot read" in capsys.readouterr().err
    assert tree_bytes(workspace / "exports") == before
