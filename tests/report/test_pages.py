"""The report as pages: what it shows, what it hides, and what it does not do twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.cli import run_command
from curate.report.pages.options import ReportOptions
from curate.report.pages.write import write_pages
from curate.run.session import open_session
from tests.finished import make_finished


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_finished(tmp_path / "w", {name: f"https://example.org/{name}.mp4" for name in ("one", "two")}, ["lmdb"])


def test_a_table_that_cannot_be_read_costs_its_page_alone(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The fixture's scores are no scores: the pages say so, and the rest of the report is there."""
    assert run_command(["report", "-w", str(workspace)]) == 2
    said = capsys.readouterr()
    assert "2 of 2 pages of videos were written" in said.out and "video two: " in said.err
    assert "curate run makes it again" in (workspace / "report" / "videos" / "two" / "index.html").read_text()
    assert "Funnel" in (workspace / "report" / "index.html").read_text()


def test_nothing_is_written_twice(workspace: Path) -> None:
    first = write_pages(open_session(workspace), ReportOptions())
    again = write_pages(open_session(workspace), ReportOptions())
    assert (first.written, again.written) == (2, 0)


def test_options_belong_behind_the_command(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["report", "-w", str(workspace), "funnel", "-w", str(workspace)]) == 1
    assert "put the options after the command" in capsys.readouterr().err
    assert run_command(["report"]) == 1
