"""``curate corpus plots``: a workspace as pictures, in files."""

from __future__ import annotations

from pathlib import Path

import click
import cloup

from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import leave, say
from curate.cli.flags import config_flag, workspace_flag


@cloup.command()
@workspace_flag
@config_flag
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the SVG files."
)
@verbosity
def plots(workspace: Path, config_file: Path | None, output: Path) -> None:
    """Draw what a workspace holds, a plot a file, as SVG.

    The funnel; frames and hours by procedure; hours by corpus, site, channel, licence, access and technique; lengths,
    resolutions, probabilities; and, where 'curate embed' made vectors, frames by procedure on an embedding map, drawn
    from at most 4,000 frames of 400 videos.
    """
    from curate.report.plot_files import write_plots
    from curate.run.session import open_session

    made = write_plots(open_session(workspace, config_file=config_file, write=False).pipeline, output)
    if not is_quiet():
        for path in made.paths:
            click.echo(str(path))
    for video, why in made.problems:
        say(f"{video}: {why}")
    leave(failures=made.problems)
