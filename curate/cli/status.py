"""``curate status``: the funnel."""

from __future__ import annotations

import json
from pathlib import Path

import click

from curate.cli.common import verbosity
from curate.report.funnel import funnel, render, render_troubles
from curate.report.missing import write_missing
from curate.run.session import open_session


@click.command()
@click.option("-w", "--workspace", type=click.Path(path_type=Path), required=True, help="Workspace folder.")
@click.option("--json", "as_json", is_flag=True, help="All figures and all failures as JSON.")
@click.option(
    "--missing",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a CSV of the videos that are not downloaded: reason, text, first and last try.",
)
@verbosity
def status(workspace: Path, as_json: bool, missing: Path | None) -> None:
    """Show the funnel: videos and frames by stage, outcome and reason, and by procedure."""
    pipeline = open_session(workspace, write=False).pipeline
    result = funnel(pipeline)
    if missing is not None:
        count = write_missing(pipeline, missing)
        click.echo(f"{count} videos that are not downloaded are listed in {missing}", err=True)
    if as_json:
        click.echo(json.dumps(result.to_json(), indent=2))
        return
    click.echo(render(result, procedures=True))
    if result.troubles:
        click.echo("\n" + render_troubles(result))
