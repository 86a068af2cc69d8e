"""``curate retry``: give failed videos another try."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli.common import verbosity
from curate.cli.flags import workspace_flag
from curate.records import Reason
from curate.run.pipeline import STAGES
from curate.run.retry import failures, parse_age
from curate.run.retry import retry as mark
from curate.run.session import open_session


@click.command()
@workspace_flag
@click.option("--stage", type=click.Choice(list(STAGES)), required=True, help="Stage at which they failed.")
@click.option(
    "--reason", "reasons", type=click.Choice([str(r) for r in Reason]), multiple=True, help="Only these; repeatable."
)
@click.option("--older-than", default="0s", metavar="AGE", help="Only if the last try is that old, such as 30d or 12h.")
@verbosity
def retry(workspace: Path, stage: str, reasons: tuple[str, ...], older_than: str) -> None:
    """Mark failed videos as pending again, whatever their reason says about trying again.

    The next run of the stage tries them. A run that is at work now does not notice.
    """
    session = open_session(workspace)
    chosen = failures(session.pipeline, stage, {Reason(r) for r in reasons}, older_than=parse_age(older_than))
    counts = mark(session.pipeline, chosen)
    for reason, count in sorted(counts.items()):
        click.echo(f"{reason}: {count}")
    total = counts.total()
    click.echo(
        f"{total} videos will be tried again by 'curate {stage}' or 'curate run'" if total else "nothing to retry"
    )
