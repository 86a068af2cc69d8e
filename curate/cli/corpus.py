"""``curate corpus``: what joins the videos of workspaces."""

from __future__ import annotations

import click

from curate.cli.lazy import CommandTable, LazyGroup

COMMANDS: CommandTable = {
    "balance": ("curate.cli.corpus_balance:balance", "What caps and weights would make of a workspace."),
}
"""Command name: where it is, and its line in the help."""


@click.group(cls=LazyGroup, table=COMMANDS)
def corpus() -> None:
    """What joins videos: composition, duplicates, splits, balance."""
