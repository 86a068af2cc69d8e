"""``curate status``: the funnel."""

from __future__ import annotations

import json
from pathlib import Path

import click

from curate.cli.common import verbosity
from curate.funnel import funnel, render, render_troubles
from curate.session import open_session


@click.command()
@click.option("-w", "--workspace", type=click.Path(path_type=Path), required=True, help="Workspace folder.")
@click.option("--json", "as_json", is_flag=True, help="All figures and all failures as JSON.")
@verbosity
def status(workspace: Path, as_json: bool) -> None:
    """Show the funnel: videos and frames by stage, outcome and reason, and by procedure."""
    result = funnel(open_session(workspace, write=False).pipeline)
    if as_json:
        click.echo(json.dumps(result.to_json(), indent=2))
        return
    click.echo(render(result, procedures=True))
    if result.troubles:
        click.echo("\n" + render_troubles(result))
