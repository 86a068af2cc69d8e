"""``curate card``."""

from __future__ import annotations

from pathlib import Path

import click
import cloup

from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import leave, say, show
from curate.cli.flags import config_flag, workspace_flag
from curate.cli.options import Layer, stage_flags
from curate.errors import CurateError


@cloup.command()
@click.argument("export", nargs=-1)
@workspace_flag
@config_flag
@click.option(
    "--print",
    "what",
    type=click.Choice(("readme", "croissant")),
    help="Print a file of one EXPORT as it would be written, and write nothing.",
)
@stage_flags("card")
@verbosity
def card(export: tuple[str, ...], workspace: Path, config_file: Path | None, what: str | None, given: Layer) -> None:
    """Write the cards of exports anew: README.md for people and the hub, croissant.json for machines.

    EXPORT is the name of a format that was exported; all of them if not given. Pictures are neither read nor written.
    What is said of the corpus (--name, --contact, --citation, ...) is kept in curate.toml for the exports to come; the
    funnel is that of today.
    """
    from curate.run.cards import cards_of, refresh_exports
    from curate.run.session import open_session

    if what:
        if len(export) != 1:
            raise CurateError("--print prints the card of one export: name it, as in 'curate card -w W parquet'")
        session = open_session(workspace, given=given, config_file=config_file, write=False)
        cards = cards_of(session, export[0])
        show((cards.readme if what == "readme" else cards.croissant).rstrip("\n"))
        return
    failed = False
    for done in refresh_exports(open_session(workspace, given=given, config_file=config_file), export):
        failed |= bool(done.why)
        if done.why:
            say(f"{done.folder}: {done.why}")
        elif not is_quiet():
            click.echo(f"{done.folder}: {'written' if done.written else 'up to date'}")
    leave(failures=failed)
