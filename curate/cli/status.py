"""``curate status``: the funnel, once or again and again."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli import reports
from curate.cli.common import verbosity
from curate.cli.exits import hold
from curate.cli.flags import workspace_flag
from curate.files.collector import collector_paused


@click.command()
@workspace_flag
@click.option("--json", "as_json", is_flag=True, help="All figures and all failures as JSON.")
@click.option(
    "--missing",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a CSV of the videos that are not downloaded: reason, text, first and last try.",
)
@click.option(
    "--watch",
    type=click.FloatRange(0.1, 86_400),
    is_flag=False,
    flag_value=2.0,
    metavar="[SECONDS]",
    help="Look again every so many seconds (2) until no video is pending: in place on a terminal, else a line whenever "
    "a figure changed; less often where a look takes long. Ctrl-C ends it.",
)
@verbosity
def status(workspace: Path, as_json: bool, missing: Path | None, watch: float | None) -> None:
    """Show the funnel: videos and frames by stage, outcome and reason, and by procedure."""
    if watch is not None:
        if as_json or missing is not None:
            raise click.UsageError("--watch shows the funnel only: leave --json and --missing out")
        from curate.cli.watch import watch_funnel

        watch_funnel(workspace, watch)
        return
    with collector_paused():
        _show(workspace, as_json=as_json, missing=missing)


def _show(workspace: Path, *, as_json: bool, missing: Path | None) -> None:
    """Look once; what was read is gone before the collector is back, which would look at all of it."""
    from curate.run.session import open_session

    session = open_session(workspace, write=False)
    if missing is not None:
        reports.show_missing(session, missing)
    reports.show_funnel(session, as_json=as_json)
    hold(session)
