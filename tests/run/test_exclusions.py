"""Opt-outs and purges are heeded whenever a workspace is opened."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate import resources
from curate.errors import CurateError
from curate.run import exclusions
from curate.run.session import Sources, open_session, run_export, store
from tests.finished import make_finished

WEB = {name: f"https://www.youtube.com/watch?v={name}" for name in ("aaaaaaaaaaa", "bbbbbbbbbbb", "ccccccccccc")}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_finished(tmp_path / "w", WEB, ["folders"])


def ids(root: Path, *opt_out: Path) -> list[str]:
    return [video.id for video in open_session(root, sources=Sources(opt_out=opt_out)).pipeline.videos]


def exported(root: Path) -> set[str]:
    return set(pq.read_table(root / "exports" / "folders" / "metadata.parquet")["video_id"].to_pylist())


def test_a_list_given_without_a_source_is_heeded_and_remembered(workspace: Path, tmp_path: Path) -> None:
    named = tmp_path / "named.txt"
    named.write_text("bbbbbbbbbbb\nhttps://youtu.be/ccccccccccc  # asked in May\n")
    assert ids(workspace) == list(WEB)
    session = open_session(workspace, sources=Sources(opt_out=(named,)))
    assert [video.id for video in session.pipeline.videos] == ["aaaaaaaaaaa"]
    assert {video.id for video in session.opted_out} == {"bbbbbbbbbbb", "ccccccccccc"}
    assert ids(workspace) == list(WEB), "opening alone writes nothing"
    store(session)
    assert ids(workspace) == ["aaaaaaaaaaa"]
    before = (workspace / "opt_out.txt").read_bytes()
    store(open_session(workspace, sources=Sources(opt_out=(named,))))
    assert (workspace / "opt_out.txt").read_bytes() == before
    listed = tmp_path / "again.csv"
    listed.write_text("url\n" + "".join(f"{url}\n" for url in WEB.values()))
    session = open_session(workspace, sources=Sources((str(listed),)))
    assert [video.id for video in session.pipeline.videos] == ["aaaaaaaaaaa"], "a new list does not bring it back"


def test_exports_show_what_opted_out_no_longer(workspace: Path, tmp_path: Path) -> None:
    named = tmp_path / "named.txt"
    named.write_text("bbbbbbbbbbb\n")
    assert exported(workspace) == set(WEB)
    summary = run_export(open_session(workspace, sources=Sources(opt_out=(named,))))
    assert [made.written for made in summary.formats] == [True] and not summary.kept
    assert exported(workspace) == {"aaaaaaaaaaa", "ccccccccccc"}


def test_the_shipped_list_reaches_a_workspace_that_is_there(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "opt_out.txt").write_text("aaaaaaaaaaa\n")
    monkeypatch.setattr(exclusions, "labels_folder", lambda: tmp_path)
    assert ids(workspace) == ["bbbbbbbbbbb", "ccccccccccc"]
    assert (resources.labels_folder() / "opt_out.txt").exists()


@pytest.mark.parametrize("line", [b"two words\n", b"\xffaaaaaaaaaaa\n"])
def test_a_list_of_the_workspace_that_cannot_be_read_stops_all_work(workspace: Path, line: bytes) -> None:
    (workspace / "opt_out.txt").write_bytes(b"bbbbbbbbbbb\n" + line)
    with pytest.raises(CurateError, match=r"opt_out\.txt:2.*no|opt_out\.txt.*2"):
        open_session(workspace)
