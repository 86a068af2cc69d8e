"""``curate report`` against the flags of the stage commands that write the same."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from curate.cli import run_command
from tests.exports.making import tree_bytes
from tests.finished import make_finished


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_finished(tmp_path / "w", {name: f"https://example.org/{name}.mp4" for name in ("one", "two")}, ["lmdb"])


def test_masks_are_drawn_as_by_explain(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["mask", "-w", str(workspace), "-q", "--explain", "one", "--explain", "two"]) == 0
    said, drawn = capsys.readouterr().out, tree_bytes(workspace / "report")
    assert said.count("1 frames with their boxes drawn") == 2 and len(drawn) == 2
    assert run_command(["report", "masks", "one", "two", "-w", str(workspace)]) == 0
    assert capsys.readouterr().out == said
    assert tree_bytes(workspace / "report") == drawn


def test_a_video_without_boxes_costs_no_other_its_report(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["report", "masks", "three", "two", "-w", str(workspace)]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: no video 'three' in the manifest") and "two: 1 frames" in captured.out
    assert [path.name for path in (workspace / "report" / "masks").iterdir()] == ["two"]


def test_the_funnel_is_that_of_status(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for extra in ([], ["--json"]):
        assert run_command(["status", "-w", str(workspace), *extra]) == 0
        said = capsys.readouterr().out
        assert run_command(["report", "funnel", "-w", str(workspace), *extra]) == 0
        assert capsys.readouterr().out == said and "complete" in said


def test_missing_videos_are_listed_as_by_status(workspace: Path, tmp_path: Path) -> None:
    (workspace / "videos" / "two.mp4").unlink()
    assert run_command(["status", "-w", str(workspace), "--missing", str(tmp_path / "a.csv")]) == 0
    assert run_command(["report", "missing", "-w", str(workspace), "-o", str(tmp_path / "b.csv")]) == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    with open(tmp_path / "b.csv", newline="") as stream:
        assert [row["id"] for row in csv.DictReader(stream)] == ["two"]


def test_uncertain_frames_are_laid_out_as_by_trim(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["trim", "-w", str(workspace), "-q", "--review", str(tmp_path / "a")]) == 0
    assert run_command(["report", "review", "-w", str(workspace), "-o", str(tmp_path / "b")]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.replace("/a", "/b") == second and "uncertain frames of 2 videos to decide" in first
    assert tree_bytes(tmp_path / "a") == tree_bytes(tmp_path / "b")
    assert run_command(["report", "review", "-w", str(workspace), "-o", str(tmp_path / "b")]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_a_stage_that_is_switched_off_says_how_to_read_on(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["screen", "-w", str(workspace)]) == 1
    assert "screen is switched off in" in (said := capsys.readouterr().err) and "'curate screen --help'" in said
