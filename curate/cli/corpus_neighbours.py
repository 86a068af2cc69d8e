"""``curate corpus neighbours``: LemonFM's file of neighbours for an export."""

from __future__ import annotations

from pathlib import Path

import click
import cloup

from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import show
from curate.cli.flags import config_flag, workspace_flag
from curate.cli.progress import FrameCounter


@cloup.command()
@workspace_flag
@config_flag
@click.option("--export", default="lmdb-lemon", show_default=True, help="Export whose frames get neighbours.")
@click.option(
    "--gap",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Seconds by which neighbours in the same video are further apart; 0 allows the next frame.",
)
@click.option(
    "--probes",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Clusters searched for each frame, in splits of more than 50,000 frames.",
)
@verbosity
def neighbours(workspace: Path, config_file: Path | None, export: str, gap: float, probes: int) -> None:
    """Write the six frames that are most like each frame of an export, as LemonFM's --knn-json reads them.

    One file a split, corpus/neighbours/SPLIT.json in the workspace: {key: [[key, distance], ...]}, nearest first.
    Distances are Euclidean between the unit vectors of 'curate embed', which must have embedded every frame with one
    model. A frame is never its own neighbour, nor that of a frame with the same vector. What is up to date is left.
    """
    from curate.corpus.nearest import Search
    from curate.corpus.neighbours import NeighbourOptions
    from curate.nets.device import available_threads
    from curate.run.neighbours import make_neighbours
    from curate.run.session import open_session

    session = open_session(workspace, config_file=config_file)
    options = NeighbourOptions(gap, Search(probes=probes, threads=available_threads()))
    with FrameCounter(quiet=is_quiet(), what="neighbours") as counter:
        made = make_neighbours(session, export, options, counter)
    for file in made:
        show(f"{file.split}: {file.frames} frames, {'written' if file.written else 'up to date'}: {file.path}")
