"""What the documentation tells people to type: it is run, or at least it is something that curate would take."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from curate.config import load_toml, resolve
from tests.docs.blocks import ALL, PAGES, ROOT, Block, prose
from tests.docs.commands import all_flags, check, command_lines, find_command, flags

RUN = [page for page in PAGES if any(b.page == page and b.mark == "run" for b in ALL)]
STARTS_WITH_WORK = "<!-- starts with: work -->"

RUN_PYTHON = """
import runpy, sys
if "torchvision" in open(sys.argv[1]).read() or "timm" in open(sys.argv[1]).read():
    from curate.nets.torchvision_repair import ensure_torchvision
    ensure_torchvision()
runpy.run_path(sys.argv[1], run_name="__main__")
"""
"""Runs a reader's code also where torchvision lacks its operators: beside a CPU build of torch."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A folder as it is after the page on the first corpus: rendered videos in ``demo``, and their workspace."""
    folder = tmp_path_factory.mktemp("finished")
    render = [sys.executable, str(ROOT / "scripts" / "render_demo.py"), "demo"]
    subprocess.run(render, cwd=folder, check=True, capture_output=True)
    run = ["curate", "run", "demo/demo.csv", "-w", "work", "-q"]
    subprocess.run(run, cwd=folder, check=True, capture_output=True, env=environment())
    return folder


def environment() -> dict[str, str]:
    """The environment in which readers type: ``curate`` and ``python`` are those that run the tests; no network."""
    nowhere = "http://127.0.0.1:9"
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "https_proxy": nowhere,
        "http_proxy": nowhere,
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_of_a_page_run_one_after_the_other(page, finished, tmp_path):
    place = tmp_path / "reader"
    if STARTS_WITH_WORK in page.read_text(encoding="utf-8"):
        shutil.copytree(finished, place, symlinks=True)
    else:
        place.mkdir()
    for name in ("scripts", "labels"):
        (place / name).symlink_to(ROOT / name)
    for block in ALL:
        if block.page != page or block.mark != "run":
            continue
        script = place / ".block"
        script.write_text(block.code, encoding="utf-8")
        how = {"bash": ["bash", "-euo", "pipefail"], "python": [sys.executable, "-c", RUN_PYTHON]}[block.language]
        done = subprocess.run(
            [*how, str(script)], cwd=place, env=environment(), capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, f"{block}\n{block.code}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def of(*languages: str) -> list[Block]:
    return [block for block in ALL if block.language in languages]


def test_every_block_says_what_it_is_and_whether_it_is_run():
    languages = {"bash", "python", "toml", "text", "csv", "json", "slurm", "yaml"}
    assert [str(block) for block in ALL if block.language not in languages] == []
    assert [str(block) for block in of("bash", "python") if not block.mark] == []
    assert [str(block) for block in ALL if block.language not in ("bash", "python") and block.mark] == []


@pytest.mark.parametrize("block", of("bash", "slurm"), ids=str)
def test_command_lines_are_ones_that_curate_takes(block):
    for arguments in command_lines(block.code):
        check(arguments)


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_parses_and_takes_from_curate_what_is_there(block):
    for node in ast.walk(ast.parse(block.code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "curate":
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_toml_is_options_of_curate(block, tmp_path):
    tomllib.loads(block.code)
    path = tmp_path / "curate.toml"
    path.write_text(block.code, encoding="utf-8")
    resolve(str(block), load_toml(path))


NOT_OURS = {"--constraint", "--strict", "--editable"}
"""Flags that pages mention and that belong to other programs."""


@pytest.mark.parametrize("page", [page for page in PAGES if page.exists()], ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_and_flags_in_the_text_exist(page):
    known = all_flags() | NOT_OURS
    for code in re.findall(r"`([^`\n]+)`", prose(page)):
        code = code.replace("\\|", "|")
        if code.startswith("curate "):
            words = code.split()[1:]
            for chosen in words[1].split("|") if len(words) > 1 and "|" in words[1] else [None]:
                named = [words[0], chosen] if chosen else [w for w in words if not w.isupper() and w != "..."]
                try:
                    context, left = find_command(named)
                except click.UsageError as error:
                    raise AssertionError(f"`{code}`: {error.message}") from error
                said = {word.split("=")[0] for word in (words if chosen else left) if word.startswith("--")}
                assert said <= flags(context.command, context), f"`{code}`"
        elif code.startswith("--"):
            assert code.split()[0].split("=")[0] in known, f"`{code}`"


def test_checks_of_command_lines_see_mistakes():
    assert list(command_lines("ls | curate run - -w work && curate status \\\n  -w work > a.txt # curate no\n")) == [
        ["run", "-", "-w", "work"],
        ["status", "-w", "work"],
    ]
    assert list(command_lines("cat > a <<'E'\ncurate nothing\nE\nsrun curate run --shard $I/4 -w w\n")) == [
        ["run", "--shard", "1/4", "-w", "w"]
    ]
    check(["run", "videos", "-w", "work", "--sample-rate", "2"])
    for wrong in (["rum"], ["run", "-w", "work", "--sample-speed", "2"], ["sample", "--rate", "many", "-w", "work"]):
        with pytest.raises(click.UsageError):
            check(wrong)
