"""``curate corpus build`` and ``curate corpus plan``: a corpus from a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import cloup

from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import leave, say, show

if TYPE_CHECKING:
    from curate.corpus.recipe import Recipe
    from curate.exports import ExportSummary
    from curate.run.compose import Composition

_SHOWN = 5
"""Pictures and ids that are named one by one."""

_recipe = click.argument("recipe", type=click.Path(path_type=Path))


@cloup.command()
@_recipe
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of the corpus.")
@verbosity
def build(recipe: Path, output: Path) -> None:
    """Build the corpus of a recipe: every source, filters, duplicates, splits, balance, and all formats.

    The effective counts are shown before anything is written. The folder keeps the recipe (recipe.toml), what it
    resolves to (recipe.json) and what became of every video (composition.csv); the shards are in exports/.
    Building again does only what changed.

    Exit codes: 0 done, 1 the recipe or a source cannot be used, 2 built without videos or pictures that failed.
    """
    from curate.cli.progress import FrameCounter
    from curate.corpus.recipe import read_recipe
    from curate.run.build import UNREADABLE
    from curate.run.build import build as build_corpus
    from curate.workspace.seals import DamagedArtefact

    read = read_recipe(recipe)

    def before(composition: Composition) -> None:
        if not is_quiet():
            _show(read, composition)

    try:
        with FrameCounter(quiet=is_quiet()) as counter:
            built = build_corpus(read, output, before=before, progress=counter)
    except DamagedArtefact as damage:
        raise click.ClickException(
            f"{damage}: run curate in the workspace of {damage.path}, and build again"
        ) from damage
    for summary in built.exports.values():
        _show_export(summary)
    if built.leftovers:
        say(f"of a former recipe: {', '.join(map(str, built.leftovers))}; delete what is not wanted")
    if built.gone:
        named = ", ".join(built.gone[:_SHOWN]) + (", ..." if len(built.gone) > _SHOWN else "")
        say(f"{len(built.gone)} videos of the former build are not in this one: {named}")
    unreadable = built.composition.unreadable
    for source, picture, why in unreadable[:_SHOWN]:
        say(f"source {source}: {picture}: {why}")
    if unreadable:
        say(f"{len(unreadable)} pictures cannot be read and are left out: see {output / UNREADABLE}")
    failed = sum(member.outcome in ("failed", "unreadable") for member in built.composition.members)
    exports = built.exports.values()
    leave(failures=failed or unreadable or any(e.not_made or any(m.left_out for m in e.formats) for e in exports))


def _show_export(summary: ExportSummary) -> None:
    """Say what was written, what was left out, and what is of a former recipe."""
    for made in summary.formats:
        if not is_quiet():
            state = "written" if made.written else "up to date"
            size = made.size / 1e6
            show(f"{made.name}: {made.frames} frames of {made.videos} videos, {size:.1f} MB, {state}: {made.folder}")
        for video, why in made.left_out.items():
            say(f"left out of {made.name}: {video}: {why}")
    for name, why in summary.not_made.items():
        say(f"{name} was not made: {why}")
    if summary.stale:
        stale = ", ".join(map(str, summary.stale))
        say(f"not written now, and made of a former recipe: {stale}; delete what is not wanted")


@cloup.command()
@_recipe
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder of the corpus, for what was drawn there before."
)
@verbosity
def plan(recipe: Path, output: Path | None) -> None:
    """Show what a recipe makes, by source, split and group, and write nothing.

    Foreign pictures are counted by their names.
    """
    from curate.corpus.recipe import read_recipe
    from curate.run.compose import compose

    read = read_recipe(recipe)
    _show(read, compose(read, output))


def _show(recipe: Recipe, composition: Composition) -> None:
    """The funnel by source, the splits, and the effective counts of the balance."""
    from collections import Counter

    from curate.report.balance import balance_table
    from curate.report.funnel import table

    funnel = composition.funnel()
    outcomes = [name for name in dict.fromkeys(member.outcome for member in composition.members) if name != "in"]
    rows = []
    for source in recipe.sources:
        counts = {outcome: funnel[source.name, outcome] for outcome in ("in", *outcomes)}
        rows.append([source.name, str(sum(counts.values())), *map(str, counts.values())])
    show(table(["source", "videos", "in", *outcomes], rows))
    splits: Counter[str] = Counter()
    frames: Counter[str] = Counter()
    selected: Counter[str] = Counter()
    for member in composition.members:
        if member.outcome == "in":
            splits[member.split] += 1
            frames[member.split] += member.frames
            selected[member.split] += member.selected
    lines = [[name, str(splits[name]), f"{frames[name]:,}", f"{selected[name]:,}"] for name in sorted(splits)]
    show(table(["split", "videos", "frames", "selected"], lines))
    if composition.train and recipe.balance.how != "none":
        show(balance_table(composition.train, recipe.tree()))
    for note in composition.notes:
        say(note)
