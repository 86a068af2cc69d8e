from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from curate.cli import run_command


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).resolve().parents[2] / "scripts")
        import made_workspace

        root = tmp_path_factory.mktemp("held") / "w"
        made_workspace.make_workspace(root, 3)
    return root


@pytest.mark.parametrize(("command", "last"), [("status", "appendectomy"), ("plan", "nothing is left to do")])
def test_a_look_at_a_workspace_ends_with_all_that_it_says_and_its_code(
    workspace: Path, command: str, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    main = [sys.executable, "-c", "from curate.cli import main; main()"]
    ended = subprocess.run([*main, command, "-w", str(workspace)], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert last in ended.stdout and ended.stdout.endswith("\n")
    wrong = subprocess.run([*main, command, "-w", str(workspace / "frames")], capture_output=True, text=True)
    assert wrong.returncode == 1 and "is not a workspace" in wrong.stderr


def test_what_is_held_to_the_end_of_a_process_is_held_only_where_the_process_ends(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = gc.get_freeze_count()
    assert run_command(["status", "-w", str(workspace)]) == 0
    assert gc.get_freeze_count() == before
    held: list[object] = []
    try:
        assert run_command(["status", "-w", str(workspace)], held) == 0
        assert len(held) == 1 and gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
    first, second = capsys.readouterr().out.split("3 videos in the manifest")[1:]
    assert first.split() == second.split()
