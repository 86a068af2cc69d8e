"""``curate purge`` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.cli import run_command
from tests.exports.making import tree_bytes
from tests.finished import make_finished

IDS = ("-goneAway_1", "stays_here1", "alsoGone_22")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_finished(tmp_path / "w", {name: f"https://www.youtube.com/watch?v={name}" for name in IDS})


def test_ids_of_a_list_and_of_the_line_go_and_the_exports_are_sound(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_text("# asked by mail\nhttps://youtu.be/alsoGone_22   # the author\nneverSeen_9\n")
    assert run_command(["purge", "-w", str(workspace), "--ids", str(listed), "--id", "-goneAway_1", "--yes"]) == 0
    out = capsys.readouterr().out
    assert "not in the workspace, and kept out of it by purged.txt: neverSeen_9" in out
    assert "proof: 0 of" in out and "mention -goneAway_1, alsoGone_22, neverSeen_9" in out
    assert f"{workspace}/exports/lmdb: written: 4 frames of 1 videos (shards: 1 new)" in out
    assert "not reached" in out and "HF_DATASETS_CACHE" in out and "fiftyone datasets delete NAME" in out
    assert run_command(["verify", str(workspace / "exports")]) == 0
    assert run_command(["export", "-w", str(workspace)]) == 0
    assert "up to date" in capsys.readouterr().out


def test_a_bad_line_costs_only_itself(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = tmp_path / "ids.txt"
    listed.write_text("../etc\nalsoGone_22\ntwo words\n")
    assert run_command(["purge", "-w", str(workspace), "--ids", str(listed), "--yes"]) == 2
    captured = capsys.readouterr()
    assert f"{listed}:1: " in captured.err and f"{listed}:3: " in captured.err
    assert "proof: 0 of" in captured.out
    assert not (workspace / "frames" / "alsoGone_22.parquet").exists()


def test_what_remains_is_named_and_the_exit_code_is_2(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "notes.txt").write_text("see alsoGone_22")
    assert run_command(["purge", "-w", str(workspace), "--id", "alsoGone_22", "--yes"]) == 2
    captured = capsys.readouterr()
    assert f"remains: {workspace}/notes.txt: bytes at 4: alsoGone_22" in captured.err
    assert "proof: 1 of" in captured.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--id", "alsoGone_22"], "--yes"),
        (["--yes"], "nothing to purge"),
        (["--id", "../x", "--yes"], "--id ../x"),
        (["--ids", "nowhere.txt", "--yes"], "nowhere.txt"),
    ],
)
def test_a_mistake_changes_nothing(
    workspace: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree_bytes(workspace)
    assert run_command(["purge", "-w", str(workspace), *arguments]) == 1
    assert said in capsys.readouterr().err
    assert tree_bytes(workspace) == before
