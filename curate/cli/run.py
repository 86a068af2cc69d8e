"""``curate run`` and ``curate export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import cloup

from curate.cli.brief import BriefCommand, help_all_flag
from curate.cli.common import verbosity
from curate.cli.exits import leave, say
from curate.cli.flags import config_flag, partial_flag, shard_flag, workspace_flag
from curate.cli.options import Layer, say_unused_formats, stage_flags
from curate.cli.source_flags import source_flags
from curate.run.pipeline import STAGES

if TYPE_CHECKING:
    from curate.manifests import Format, Unstated

UNTIL = (*STAGES, "export")

NEEDED = (
    "workspace",
    "until",
    "export_formats",
    "sample_rate",
    "classify_model",
    "export_val_fraction",
    "download_cookies",
    "opt_out",
    "workers",
    "config_file",
)
"""Options that the short help of ``curate run`` shows first."""


@cloup.command(cls=BriefCommand, needed=NEEDED)
@source_flags
@workspace_flag
@config_flag
@click.option(
    "--until",
    type=click.Choice(UNTIL),
    metavar="STAGE",
    default="export",
    show_default=True,
    help=f"Last stage to run: {', '.join(UNTIL)}.",
)
@shard_flag
@partial_flag
@stage_flags("engine", prefixed=(*STAGES, "dedup", "export", "card"))
@verbosity
@help_all_flag
def run(
    source: tuple[str, ...],
    workspace: Path,
    config_file: Path | None,
    source_format: Format | None,
    opt_out: tuple[Path, ...],
    unstated: Unstated,
    until: str,
    shard: tuple[int, int],
    partial: bool,
    given: Layer,
) -> None:
    """Run every stage over the videos of SOURCE, and write the shards.

    SOURCE is a manifest (LEMON labels.json, a folder of GenSurgery link lists, CSV, TSV, JSONL, Parquet), a folder of
    local videos, or - for URLs on standard input. Without SOURCE the workspace's own manifest is used. What is done
    already is skipped: run the same command again to go on after an interruption.

    Exit codes: 0 all done, 1 wrong usage or configuration, 2 finished with failures, which are listed.
    """
    from curate.cli.work import do_stages
    from curate.run.session import Sources, open_session

    sources = Sources(source, source_format, opt_out, unstated)
    session = open_session(workspace, given=given, config_file=config_file, sources=sources, create=bool(source))
    say_unused_formats(given, session.config.export.formats)
    asked = UNTIL[: UNTIL.index(until) + 1]
    stages = [stage for stage in asked if stage in session.pipeline.specs]
    if "export" in asked:
        from curate.exports.formats.registry import check_formats

        check_formats(session.config.export.formats)
    leave(failures=do_stages(session, stages, shard, export="export" in asked, partial=partial))


@cloup.command()
@workspace_flag
@config_flag
@click.option(
    "--opt-out", type=click.Path(path_type=Path), multiple=True, help="File with ids to leave out; repeatable."
)
@partial_flag
@stage_flags("export", "engine", prefixed=("dedup", "card"))
@verbosity
def export(workspace: Path, config_file: Path | None, opt_out: tuple[Path, ...], partial: bool, given: Layer) -> None:
    """Write the shards of all complete videos, with metadata, splits and a dataset card.

    An export that is up to date is left alone, and one that would lose videos is kept unless --partial is given. Shards
    are written by --workers processes; whatever ends an export, the next one goes on with the shards that are finished.
    """
    from curate.cli.work import do_export, say_opted_out
    from curate.run.session import Sources, open_session

    session = open_session(workspace, given=given, config_file=config_file, sources=Sources(opt_out=opt_out))
    say_unused_formats(given, session.config.export.formats)
    say_opted_out(session)
    for row in session.exclusions.given.bad_rows:
        say(f"bad row: {row}")
    failed = do_export(session, partial=partial)
    leave(failures=failed or session.exclusions.given.bad_rows)
