"""A talk full of what looks like surgery yields nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curate.cli import run_command

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "render_talk.py"


@pytest.mark.slow
def test_a_talk_with_a_sphere_meat_a_fundus_a_curtain_and_black_yields_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos, workspace = tmp_path / "videos", tmp_path / "w"
    videos.mkdir()
    subprocess.run([sys.executable, str(SCRIPT), str(videos / "talk.mp4")], check=True, timeout=600)
    assert run_command(["run", str(videos), "-w", str(workspace), "--until", "trim"]) == 0
    capsys.readouterr()
    assert run_command(["status", "-w", str(workspace), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stages"]["trim"]["dropped"] == {"no_surgical_run": 1}
