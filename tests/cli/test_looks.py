from __future__ import annotations

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


def test_a_look_in_a_process_that_goes_on_is_held_only_if_asked_for(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held: list[object] = []
    assert run_command(["status", "-w", str(workspace)]) == run_command(["status", "-w", str(workspace)], held) == 0
    first, second = capsys.readouterr().out.split("3 videos in the manifest")[1:]
    assert first.split() == second.split()
    assert len(held) == 1
