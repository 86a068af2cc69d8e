"""The documentation agrees with the code: reasons, names, formats, rooms, the workspace's tree, links."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from curate.cli import COMMANDS
from curate.config import ExportOptions
from curate.exports.exporter import FORMATS as EXPORT_FORMATS
from curate.manifests import FORMATS as LIST_FORMATS
from curate.records import Reason
from curate.workspace.retry_policy import POLICIES
from tests.docs.blocks import PAGES, ROOT
from tests.finished import make_finished

DOCS = ROOT / "docs"


def rows(page: Path) -> list[list[str]]:
    """Cells of every row of every table of a page, without the headers."""
    lines = [line for line in page.read_text("utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = [i for i, row in enumerate(cells) if set(row[0]) == {"-"}]
    return [row for i, row in enumerate(cells) if i not in rules and i + 1 not in rules]


def hooks():
    spec = importlib.util.spec_from_file_location("docs_hooks", ROOT / "scripts" / "docs_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_reason_has_one_row_that_says_when_it_is_tried_again():
    found = [(row[0].strip("`"), row[2]) for row in rows(DOCS / "reasons.md")]
    assert sorted(found) == sorted((reason.value, POLICIES[reason].again) for reason in Reason)
    assert all(row[1] and row[3] for row in rows(DOCS / "reasons.md"))


def test_the_glossary_has_each_name_once_and_in_order():
    names = [row[0] for row in rows(DOCS / "glossary.md")]
    assert len(names) == len(set(names)) and len(names) > 50
    assert names == sorted(names, key=str.lower)
    assert all(row[1].endswith(".") for row in rows(DOCS / "glossary.md"))


def test_every_format_has_one_row():
    first = [name for row in rows(DOCS / "formats.md") for name in re.findall(r"`([^`]+)`", row[0])]
    for name in (*LIST_FORMATS, *EXPORT_FORMATS):
        assert first.count(name) == (2 if name in LIST_FORMATS and name in EXPORT_FORMATS else 1), name


def test_the_readme_names_every_command():
    named = {name for row in rows(ROOT / "README.md") for name in re.findall(r"`curate (\w+)", row[0])}
    assert named == set(COMMANDS)


def test_the_tree_names_whatever_a_workspace_holds(tmp_path):
    work = make_finished(tmp_path / "work", {"a": "/nowhere/a.mp4"} | {"b": "https://example.org/b.mp4"})
    text = (DOCS / "workspace.md").read_text("utf-8")
    tree = text.split("```text\nwork/\n")[1].split("```")[0]
    named = {re.split(r"  +", line.strip())[0].rstrip("/").split("/")[0] for line in tree.splitlines()}
    held = {path.name for path in work.iterdir() if not path.name.startswith(".")}
    assert held and held <= named


def test_the_page_of_options_has_every_option():
    made = hooks().on_page_markdown((DOCS / "options.md").read_text("utf-8"))
    names = re.findall(r"^\| `(\w+)` \|", made, re.MULTILINE)
    assert {"rate", "min_run", "formats", "breaker", "workers"} <= set(names)
    assert f"`{','.join(ExportOptions().formats)}`" in made
    assert "<!-- options -->" not in made


def test_the_columns_of_tables_are_those_of_the_schemas():
    made = hooks().on_page_markdown((DOCS / "workspace.md").read_text("utf-8"))
    assert "| `p_surgical` | `float` | no |" in made
    assert "<!-- columns" not in made


def test_the_readmes_picture_of_the_rooms_is_the_linters():
    drawn = hooks().rooms()
    assert f"```text\n{drawn}```" in (ROOT / "README.md").read_text("utf-8"), "python scripts/docs_hooks.py draws it"
    named = {room for floor in hooks().layers() for room in floor}
    there = {
        path.stem for path in (ROOT / "curate").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert named == there - {"__init__"}
    made = hooks().on_page_markdown((DOCS / "rooms.md").read_text("utf-8"))
    assert all(f"`{room}`" in made for room in named)


def test_files_that_pages_name_are_there():
    # CONTRIBUTING adds a stage 'sharpness', whose files are not there yet.
    pattern = re.compile(r"`((?:curate|scripts|tests|labels|models|docs)/[\w./-]+\.\w+)`")
    for page in PAGES:
        for name in pattern.findall(page.read_text("utf-8")):
            assert "sharpness" in name or "NAME" in name or (ROOT / name).exists(), f"{page.name}: {name}"


def test_links_of_pages_outside_of_the_docs_lead_somewhere():
    for page in (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_is_in_the_navigation():
    def walk(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        values = entry if isinstance(entry, list) else list(entry.values())
        return [page for value in values for page in walk(value)]

    listed = walk(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


@pytest.mark.slow
def test_the_pages_build_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    api = (tmp_path / "site" / "api" / "index.html").read_text("utf-8")
    for name in ("FrameDataset", "FrameDataset.stream", "FrameStream.state_dict", "Neighbours"):
        assert f'id="curate.{name}"' in api
