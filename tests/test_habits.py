"""Files beside the code that must agree with one another."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from curate import __version__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins() -> dict[str, str]:
    names = ("constraints.txt", "constraints-dev.txt")
    lines = [line for name in names for line in (ROOT / name).read_text().splitlines()]
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


@pytest.mark.parametrize("extra", ["", "dev", "docs", "download"])
def test_every_requirement_is_pinned_to_a_version_it_allows(extra):
    named = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    for line in named:
        needed = Requirement(line)
        name = re.sub(r"[-_.]+", "-", needed.name).lower()
        assert name in pins(), f"{line}: not in constraints-dev.txt; `make lock` renews it"
        assert needed.specifier.contains(pins()[name]), f"{line}: constraints-dev.txt has {pins()[name]}"


def test_pins_name_no_index_no_path_and_no_local_version():
    for line in (ROOT / "constraints-dev.txt").read_text().splitlines():
        assert re.fullmatch(r"#.*|-c constraints\.txt|[a-z0-9-]+==[0-9][0-9a-z.]*", line), line


def test_citation_and_changelog_have_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["license"]
    assert f"\n## {__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_hooks_before_a_commit_are_the_linters_of_make_lint():
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert lint is not None
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in lint[1].splitlines()]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    assert [hook["entry"] for hook in hooks[0]["hooks"]] == commands


def test_the_workflow_runs_every_python_that_is_promised():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["check"]
    versions = workflow["strategy"]["matrix"]["python"]
    prefix = "Programming Language :: Python :: 3."
    assert [f"3.{c.removeprefix(prefix)}" for c in PROJECT["classifiers"] if c.startswith(prefix)] == versions
    assert SpecifierSet(PROJECT["requires-python"]).contains(versions[0])
    steps = [step.get("run") for step in workflow["steps"]]
    assert steps[-3:] == ["make lint", "make test", "make docs"]


def test_issue_forms_have_the_fields_that_the_host_asks_for():
    forms = [p for p in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if p.stem != "config"]
    assert [form.stem for form in forms] == ["fault", "idea", "take_down"]
    for path in forms:
        form = yaml.safe_load(path.read_text())
        assert form["name"] and form["description"] and form["body"]
        ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
        assert ids and len(ids) == len(set(ids))
        for field in form["body"]:
            assert field["type"] in {"markdown", "textarea", "input", "checkboxes"}
            assert field["type"] == "markdown" or field["attributes"]["label"]


def raw_system_errors(source: str) -> list[int]:
    """Lines of handlers of system errors and FFmpeg's that show it as Python does, with its number."""
    lines = []
    for handler in ast.walk(ast.parse(source)):
        if not isinstance(handler, ast.ExceptHandler) or handler.type is None or not handler.name:
            continue
        caught = {name.id for name in ast.walk(handler.type) if isinstance(name, ast.Name)}
        caught |= {name.attr for name in ast.walk(handler.type) if isinstance(name, ast.Attribute)}
        if not caught & {"OSError", "FFmpegError", "ArgumentError"}:
            continue
        for node in ast.walk(handler):
            if isinstance(node, ast.FormattedValue):
                shown = [node.value]
            elif isinstance(node, ast.Call) and (
                (isinstance(node.func, ast.Name) and node.func.id in {"str", "repr"})
                or (isinstance(node.func, ast.Attribute) and node.func.attr in {"warning", "error", "info"})
            ):
                shown = node.args
            else:
                continue
            lines += [value.lineno for value in shown if isinstance(value, ast.Name) and value.id == handler.name]
    return lines


@pytest.mark.parametrize("shown", ['f"{e}"', "str(e)", 'log.warning("%s", e)'])
def test_an_error_of_the_system_that_is_shown_raw_would_be_found(shown):
    assert raw_system_errors(f"try:\n    pass\nexcept (ValueError, OSError) as e:\n    print({shown})") == [4]


def test_errors_of_the_system_are_told_in_words():
    found = {str(path): raw_system_errors(path.read_text()) for path in sorted((ROOT / "curate").rglob("*.py"))}
    assert {name: lines for name, lines in found.items() if lines} == {}, "say why_of(error), see curate/errors.py"
