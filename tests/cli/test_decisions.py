"""Decisions in a workspace: what they change, what is done again for them, and what they never cost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate.cli import run_command
from curate.run.session import open_session
from curate.verdicts.journal import JournalWriter
from curate.workspace.ledger import read_ledger
from tests.rendered import render_operation


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two videos of 2 s of slide, 6 s of surgery and 2 s of slide."""
    folder = tmp_path_factory.mktemp("decisions")
    (folder / "videos").mkdir()
    for seed, name in enumerate(("first", "second")):
        render_operation(folder / "videos" / f"{name}.mp4", seed=seed)
    workspace = folder / "w"
    flags = [
        "--export-formats",
        "parquet",
        "--mask-detector",
        "none",
        "--no-mask-overlays",
        "--no-audit-faces",
        "--no-audit-text",
    ]
    assert run_command(["run", str(folder / "videos"), "-w", str(workspace), *flags]) == 0
    return workspace


@pytest.fixture
def workspace(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy", symlinks=True))


def decide(workspace: Path, *said: tuple[str, str, dict[str, object]]) -> None:
    writer = JournalWriter(workspace / "decisions", "anna")
    for video, kind, facts in said:
        writer.append(video, kind, **facts)
    writer.close()


def redone(workspace: Path, *flags: str, code: int = 0) -> set[tuple[str, str]]:
    """What a run does again."""
    before = {key: record.last for key, record in read_ledger(workspace / "ledger").items()}
    assert run_command(["run", "-w", str(workspace), *flags]) == code
    after = {key: record.last for key, record in read_ledger(workspace / "ledger").items()}
    return {key for key in after if after[key] != before.get(key)}


def column(workspace: Path, table: str, video: str, name: str) -> list:
    return pq.read_table(workspace / table / f"{video}.parquet").column(name).to_pylist()


AFTER_TRIM = {("first", stage) for stage in ("trim", "mask", "field")}


def test_only_what_a_decision_is_about_is_done_again(workspace: Path) -> None:
    verdicts = column(workspace, "verdicts", "first", "verdict")
    p = column(workspace, "verdicts", "first", "p_surgical")
    assert verdicts[4] == "surgical"
    pipeline = open_session(workspace).pipeline
    seen = pipeline.undecided_fingerprint(pipeline.videos[0], "trim")
    model = {"verdict": "surgical", "p": p[4], "sha256": "ab", "seen": seen}
    decide(workspace, ("first", "frame", {"at": 4.0, "label": "surgical", "model": model}))
    assert redone(workspace) == set(), "what was right already is not made again"
    decide(workspace, ("first", "frame", {"at": 4.0, "label": "non-surgical", "model": model}))
    assert redone(workspace) == AFTER_TRIM
    assert column(workspace, "verdicts", "first", "verdict")[4] == "non-surgical"
    assert column(workspace, "verdicts", "first", "p_surgical") == p
    decide(workspace, ("first", "trim", {"start": 3.0, "end": 6.0}), ("first", "undo", {"undoes": 2}))
    assert redone(workspace) == AFTER_TRIM
    assert column(workspace, "verdicts", "first", "verdict") == verdicts
    assert [i for i, kept in enumerate(column(workspace, "verdicts", "first", "kept")) if kept] == [3, 4, 5]
    box = {"at": 4.0, "action": "add", "box": (0, 0, 40, 30), "size": (640, 360), "region": "logo"}
    decide(workspace, ("first", "box", box), ("first", "frame", {"at": 4.5, "label": "surgical"}))
    decide(workspace, ("first", "undo", {"undoes": 6}))
    assert redone(workspace) == {("first", "mask")}
    assert column(workspace, "regions", "first", "model") == ["reviewer"]
    assert column(workspace, "regions", "first", "n") == [4]
    assert redone(workspace, "--trim-min-run", "2") == AFTER_TRIM | {("second", s) for _, s in AFTER_TRIM}
    assert [i for i, kept in enumerate(column(workspace, "verdicts", "first", "kept")) if kept] == [3, 4, 5]
    assert column(workspace, "regions", "first", "model") == ["reviewer"], "decisions survive other options"


def test_a_dropped_video_and_one_that_opted_out_leave_the_export(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decide(workspace, ("first", "video", {"action": "drop"}))
    assert redone(workspace) == {("first", "trim")}
    exported = pq.read_table(workspace / "exports" / "parquet" / "data", columns=["video_id"])
    assert set(exported.column(0).to_pylist()) == {"second"}
    assert "reviewed" in capsys.readouterr().out
    decide(workspace, ("first", "video", {"action": "keep"}))
    redone(workspace)
    exported = pq.read_table(workspace / "exports" / "parquet" / "data", columns=["video_id"])
    assert set(exported.column(0).to_pylist()) == {"first", "second"}
    decide(workspace, ("second", "video", {"action": "opt_out"}))
    redone(workspace)
    assert "opted out" in capsys.readouterr().err
    exported = pq.read_table(workspace / "exports" / "parquet" / "data", columns=["video_id"])
    assert set(exported.column(0).to_pylist()) == {"first"}


def test_bad_lines_are_named_and_cost_nothing(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decide(workspace, ("first", "frame", {"at": 4.0, "label": "non-surgical"}))
    with (workspace / "decisions" / "anna.jsonl").open("a") as stream:
        stream.write('{"edited": "by hand"}\n{"cut in the mid')
    assert redone(workspace) == AFTER_TRIM
    said = capsys.readouterr().err
    assert "2 lines of decisions are passed over" in said and "anna.jsonl:2" in said and "Traceback" not in said


def test_a_purge_forgets_decisions(workspace: Path) -> None:
    decide(workspace, *((video, "frame", {"at": 4.0, "label": "surgical"}) for video in ("first", "second")))
    assert run_command(["purge", "-w", str(workspace), "--id", "first", "--yes"]) == 0
    assert "first" not in (workspace / "decisions" / "anna.jsonl").read_text()
    assert "second" in (workspace / "decisions" / "anna.jsonl").read_text()


def test_decisions_of_a_csv_about_nothing_that_is_there_are_named_by_line(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "said.csv"
    rows = ["first,4.0,surgical", "frist,4.0,surgical", "second,,", "first,999,surgical"]
    table.write_text("video,timestamp,label\n" + "\n".join(rows) + "\n")
    assert ("first", "trim") in redone(workspace, "--trim-decisions", str(table), "--until", "trim")
    said = capsys.readouterr().err
    assert f"{table}:3: 'frist' is no video of the manifest" in said
    assert f"1 decisions are about times without a frame: 999 s ({table}:5)" in said
    assert f"{table}:2" not in said and f"{table}:4" not in said
    assert ("first", "trim") in redone(workspace, "--trim-decisions", "none", "--until", "trim")
    assert "frist" not in capsys.readouterr().err
