"""``curate corpus suggest``: labels that titles and neighbours suggest for the videos of a workspace."""

from __future__ import annotations

from pathlib import Path

import click
import cloup

from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import show, writing
from curate.cli.flags import config_flag, workspace_flag
from curate.errors import CurateError


@cloup.command()
@workspace_flag
@config_flag
@click.option(
    "--min-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Share of a video's frames whose neighbours must show a procedure.",
)
@click.option("--all", "everything", is_flag=True, help="All videos, and not only those with something unstated.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write: .csv.")
@verbosity
def suggest(workspace: Path, config_file: Path | None, min_share: float, everything: bool, output: Path) -> None:
    """Suggest procedures, and robotic or not, for videos where they are not stated.

    From the title, with the words that say so; and, where 'curate embed' has run, from the labelled videos that look
    most alike, with their ids. Written as a list in CSV with the suggestions in columns of their own: nothing takes
    them for labels. Move what is right into procedures and robotic, and run with that list.
    """
    from curate.corpus.alike_videos import AlikeOptions
    from curate.corpus.nearest import Search
    from curate.files.atomic import write_atomic
    from curate.manifests.suggested import suggestions_csv
    from curate.nets.device import available_threads
    from curate.run.session import open_session
    from curate.run.suggest import COLUMNS
    from curate.run.suggest import suggest as suggested

    if output.suffix.lower() != ".csv":
        raise CurateError(f"{output}: the name must end in .csv")
    session = open_session(workspace, config_file=config_file)
    rows = suggested(session, AlikeOptions(min_share, Search(threads=available_threads())), everything=everything)
    text = suggestions_csv([video for video, _ in rows], [cells for _, cells in rows], COLUMNS)
    with writing(output):
        write_atomic(output, text.encode("utf-8"))
    if not is_quiet():
        titles = sum(bool(cells["suggested_procedures"]) for _, cells in rows)
        alike = sum(bool(cells["alike_procedures"]) for _, cells in rows)
        show(f"{output}: {len(rows)} videos; procedures suggested by title for {titles}, by neighbours for {alike}")
