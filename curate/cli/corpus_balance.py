"""``curate corpus balance``: the effective counts of a balance, before anything is written."""

from __future__ import annotations

from pathlib import Path

import click
import cloup

from curate.cli.common import verbosity
from curate.cli.exits import show
from curate.cli.flags import config_flag, workspace_flag


@cloup.command()
@workspace_flag
@config_flag
@click.option(
    "--by",
    default="procedure",
    show_default=True,
    help="Levels of groups from the top down, with commas between: corpus, procedure, video.",
)
@click.option("--frames", type=click.IntRange(min=0), default=0, help="Frames in all that the hierarchical cap allows.")
@click.option("--alpha", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Power, without --frames.")
@click.option("--cap-corpus", type=click.IntRange(min=1), help="Most frames of a source corpus.")
@click.option("--cap-procedure", type=click.IntRange(min=1), help="Most frames of a procedure.")
@click.option("--cap-video", type=click.IntRange(min=1), help="Most frames of a video.")
@click.option("--split", default="train", show_default=True, help="Split to balance.")
@verbosity
def balance(
    workspace: Path,
    config_file: Path | None,
    by: str,
    frames: int,
    alpha: float,
    cap_corpus: int | None,
    cap_procedure: int | None,
    cap_video: int | None,
    split: str,
) -> None:
    """Show what a balance would make of the complete videos of a workspace; nothing is written.

    For each group: the frames that there are, those that a selection would take, and the share of draws that sampling
    weights give it.
    """
    from curate.corpus.balance import balance_from
    from curate.errors import CurateError
    from curate.report.balance import balance_table
    from curate.run.session import open_session, plan_export

    caps = {"corpus": cap_corpus, "procedure": cap_procedure, "video": cap_video}
    how = balance_from([level.strip() for level in by.split(",")], alpha, frames, caps, where="--by")
    plan = plan_export(open_session(workspace, config_file=config_file, write=False))
    splits = plan.splits()
    if split not in splits:
        raise CurateError(f"no video is in the split {split!r}; there are {', '.join(splits) or 'none'}")
    show(balance_table(splits[split], how))
