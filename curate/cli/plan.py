"""``curate plan``: what the next run would do, and why."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli.common import verbosity
from curate.cli.exits import hold, show
from curate.cli.flags import config_flag, workspace_flag
from curate.files.collector import collector_paused
from curate.run.pipeline import STAGES


@click.command()
@workspace_flag
@config_flag
@click.option("--stage", type=click.Choice(list(STAGES)), help="List the videos whose next step this is, with why.")
@verbosity
def plan(workspace: Path, config_file: Path | None, stage: str | None) -> None:
    """Show what the next run would do and why, how long it may take and how much it may write; nothing is done.

    Time and size are those of the videos that were done here so far, times what is left.
    """
    with collector_paused():
        _show(workspace, config_file, stage)


def _show(workspace: Path, config_file: Path | None, stage: str | None) -> None:
    from curate.report.funnel import table
    from curate.run.plan import WORDS, pending_videos, plan_run
    from curate.run.session import open_session

    pipeline = open_session(workspace, config_file=config_file, write=False).pipeline
    if stage is not None:
        for video, why in pending_videos(pipeline, stage):
            show(f"{video.id}  {WORDS[why]}")
        return
    found = plan_run(pipeline)
    rows = [
        [name, str(row.first.total()), str(row.later), _or_dash(row.seconds, "{:.1f}"), _or_dash(row.size, "{:.0f}")]
        for name, row in found.stages.items()
    ]
    show(table(["stage", "next", "later", "s a video", "bytes a video"], rows))
    for name, row in found.stages.items():
        for why, count in sorted(row.first.items()):
            show(f"{name}: {count} videos: {WORDS[why]}")
    if found.download.videos:
        show(f"to download: {found.download}")
    if any(row.videos for row in found.stages.values()):
        hours = "not known yet" if found.hours is None else f"about {found.hours:.2g} h on {found.workers} workers"
        size = "not known yet" if found.size is None else f"about {found.size / 1e6:.0f} MB"
        show(f"after the download: {hours}, {size}")
    else:
        show("nothing is left to do before the export")
    hold(pipeline)


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
