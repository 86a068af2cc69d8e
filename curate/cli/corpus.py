"""``curate corpus``: what joins the videos of workspaces."""

from __future__ import annotations

import click

from curate.cli.lazy import CommandTable, LazyGroup

COMMANDS: CommandTable = {
    "build": ("curate.cli.corpus_build:build", "A corpus from a recipe: sources, filters, splits, balance, formats."),
    "plan": ("curate.cli.corpus_build:plan", "What a recipe makes, before anything is written."),
    "diff": ("curate.cli.corpus_recipes:diff", "What differs between two corpora or recipes."),
    "recipes": ("curate.cli.corpus_recipes:recipes", "Recipes that ship with curate."),
    "compose": ("curate.cli.corpus_compose:compose", "What lists share, and what they make together."),
    "dedup": ("curate.cli.corpus_dedup:dedup", "Find videos that share pictures: copies, excerpts, parts."),
    "suggest": ("curate.cli.corpus_suggest:suggest", "Labels that titles and neighbours suggest."),
    "neighbours": ("curate.cli.corpus_neighbours:neighbours", "LemonFM's file of neighbours for an export."),
    "plots": ("curate.cli.corpus_plots:plots", "What a workspace holds, as SVG files."),
    "balance": ("curate.cli.corpus_balance:balance", "What caps and weights would make of a workspace."),
}
"""Command name: where it is, and its line in the help."""


@click.group(cls=LazyGroup, table=COMMANDS)
def corpus() -> None:
    """What joins videos: composition, duplicates, splits, balance."""
