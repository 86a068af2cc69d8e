"""``curate export`` over finished workspaces, of this version and of the one before."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from curate.cli import run_command
from curate.config import load_toml
from tests.finished import make_finished

FORMATS = ("lmdb", "lmdb-lemon", "video", "clips")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_finished(tmp_path / "w", {"one": "https://example.org/one.mp4"}, FORMATS)


def states(text: str) -> dict[str, str]:
    """What became of each format, by the lines of the command."""
    return dict(re.findall(r"^([a-z-]+): .* MB, (written|up to date)[ :]", text, re.MULTILINE))


def test_an_option_of_a_format_writes_that_format_alone(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["export", "-w", str(workspace), "--clips-crf", "40", "--parquet-shard-size", "100"]) == 0
    captured = capsys.readouterr()
    assert states(captured.out) == {name: "written" if name == "clips" else "up to date" for name in FORMATS}
    assert "--parquet-shard-size is kept" in captured.err and "parquet is not among the formats" in captured.err
    assert "--clips-crf" not in captured.err
    assert load_toml(workspace / "curate.toml")["export"]["clips"]["crf"] == 40


def test_a_workspace_of_curate_0_1_opens_and_goes_on(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = workspace / "curate.toml"
    export, rest = path.read_text().split("[export]\n")[1], path.read_text().split("[export]\n")[0]
    shared, engine = export.split("[export.parquet]")[0], export.split("[engine]")[1]
    former = "lemon_quality = 100\nshard_size = 500\nvideo_crf = 22\n"
    former += "clip_seconds = 2.0\nclip_stride = 1.0\nclip_rate = 10.0\nclip_size = 256\n"
    path.write_text(f"{rest}[export]\n{shared}{former}\n[engine]{engine}")
    assert run_command(["export", "-w", str(workspace)]) == 0
    captured = capsys.readouterr()
    assert states(captured.out) == dict.fromkeys(FORMATS, "up to date")
    assert [line for line in captured.err.splitlines() if "clip_seconds is clips.seconds" in line] == [
        captured.err.strip()
    ]
    assert load_toml(path)["export"]["clips"]["seconds"] == 2.0 and "clip_seconds" not in path.read_text()
    assert run_command(["export", "-w", str(workspace)]) == 0
    assert capsys.readouterr().err == ""


def test_former_flags_go_on_working(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["export", "-w", str(workspace), "--clip-seconds", "1"]) == 0
    captured = capsys.readouterr()
    assert states(captured.out)["clips"] == "written" and states(captured.out)["video"] == "up to date"
    assert captured.err == "--clip-seconds is now --clips-seconds\n"
    assert load_toml(workspace / "curate.toml")["export"]["clips"]["seconds"] == 1.0
    assert run_command(["run", "-w", str(workspace), "--export-clip-seconds", "2", "--until", "download"]) == 0
    assert "--export-clip-seconds is now --clips-seconds" in capsys.readouterr().err
    assert load_toml(workspace / "curate.toml")["export"]["clips"]["seconds"] == 2.0
