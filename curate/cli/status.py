"""``curate status``: the funnel."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli import reports
from curate.cli.common import verbosity
from curate.cli.flags import workspace_flag


@click.command()
@workspace_flag
@click.option("--json", "as_json", is_flag=True, help="All figures and all failures as JSON.")
@click.option(
    "--missing",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a CSV of the videos that are not downloaded: reason, text, first and last try.",
)
@verbosity
def status(workspace: Path, as_json: bool, missing: Path | None) -> None:
    """Show the funnel: videos and frames by stage, outcome and reason, and by procedure."""
    from curate.run.session import open_session

    session = open_session(workspace, write=False)
    if missing is not None:
        reports.show_missing(session, missing)
    reports.show_funnel(session, as_json=as_json)
