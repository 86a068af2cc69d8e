"""``curate clean``: files of a workspace that nobody needs any more."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import cloup

from curate.cli.common import verbosity
from curate.cli.exits import show
from curate.cli.flags import workspace_flag


@cloup.command()
@workspace_flag
@click.option("--yes", is_flag=True, help="Remove them; without it they are only counted.")
@verbosity
def clean(workspace: Path, yes: bool) -> None:
    """Find files that nobody needs any more, say what removing them frees, and remove them with --yes.

    These are leftovers of commands that were ended, files of videos that the manifest does not list, and files of
    stages that are switched off. Files of yours that the workspace links to are not touched. Videos whose authors opted
    out are a matter for 'curate purge', which reaches exports too.
    """
    from curate.run.clean import WORDS, needless
    from curate.run.clean import clean as remove
    from curate.run.session import open_session

    session = open_session(workspace, write=yes)
    found = remove(session) if yes else needless(session)
    count, size = Counter(item.kind for item in found), sum(item.size for item in found)
    for kind, number in sorted(count.items()):
        show(f"{number} {WORDS[kind]}")
    verb = "removed" if yes else "can go (--yes removes them)"
    show(f"{len(found)} files and folders, {size / 1e6:.1f} MB: {verb}" if found else "nothing can go")
