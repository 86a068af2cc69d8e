"""What the help of ``curate run`` shows, and how little it imports."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from curate.cli import run_command
from curate.cli.options import SWITCH
from curate.cli.run import NEEDED
from curate.config import option_fields, option_tables

HEAVY = (
    "torch",
    "timm",
    "cv2",
    "av",
    "pyarrow",
    "pandas",
    "yt_dlp",
    "onnxruntime",
    "numpy",
    "PIL",
    "simplejpeg",
    "lmdb",
)


def help_of(*arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", "80")
    assert run_command([*arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_help_of_run_fits_on_a_page_and_begins_with_what_is_needed(capsys, monkeypatch) -> None:
    lines = help_of("run", "--help", capsys=capsys, monkeypatch=monkeypatch)
    assert len(lines) <= 72 and max(map(len, lines)) <= 80
    start = lines.index("Most needed:")
    block = lines[start + 1 : lines.index("", start)]
    flags = [re.findall(r"--[a-z-]+", line)[0] for line in block if re.match(r"  -", line)]
    names = [{"workspace": "workspace", "config_file": "config"}.get(name, name).replace("_", "-") for name in NEEDED]
    assert flags == [f"--{name}" for name in names] and len(flags) == 10
    text = "\n".join(lines)
    assert "--help-all" in text and "--download-..." in text and "--video-crf" in text
    assert "--download-proxy" not in text


def test_the_whole_help_of_run_has_every_option_under_the_heading_of_its_stage(capsys, monkeypatch) -> None:
    lines = help_of("run", "--help-all", capsys=capsys, monkeypatch=monkeypatch)
    found: dict[str, str] = {}
    heading = ""
    for line in lines:
        if re.fullmatch(r"[A-Z][^.]*:", line):
            heading = line[:-1]
        if flag := re.match(r"  (?:-\w, )?(--[a-z-]+)", line):
            found[flag[1]] = heading
    for table in option_tables():
        of_format = len(table.path) > 1
        title = f"Export as {table.path[-1]}" if of_format else table.path[0].capitalize()
        for spec, _ in option_fields(table.kind):
            prefix = "" if table.path == ("engine",) else f"{table.path[-1]}-"
            name = (table.path[-1] if spec.name == SWITCH else prefix + spec.name).replace("_", "-")
            needed = name.replace("-", "_") in NEEDED
            assert found[f"--{name}"] == ("Most needed" if needed else title), name


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["run", "--help"], ["run", "--help-all"], ["audit", "--help"], ["export", "--help"], ["report", "-h"]],
    ids=" ".join,
)
def test_help_answers_without_heavy_imports(arguments: list[str]) -> None:
    code = (
        f"import sys; from curate.cli import run_command; run_command({arguments}); "
        f"heavy = set({HEAVY}) & set(sys.modules); sys.exit(f'imported: {{heavy}}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: curate")
