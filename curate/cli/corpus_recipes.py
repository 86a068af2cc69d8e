"""``curate corpus recipes`` and ``curate corpus diff``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import cloup

from curate.cli.common import verbosity
from curate.cli.exits import show
from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.run.compose import Member


@cloup.command()
@click.argument("name", required=False)
@verbosity
def recipes(name: str | None) -> None:
    """List the recipes that ship with curate, or print the one of that NAME to edit it.

    They name the sources of published corpora; where your copies lie, and under which licence you have them, is yours
    to say.
    """
    import difflib

    from curate.corpus.recipe import presets
    from curate.files.bounded import parse_toml

    known = presets()
    if name is None:
        for preset, path in known.items():
            data = parse_toml(path.read_bytes())
            show(f"{preset}: {data['recipe']['description']} {len(data['source'])} sources.")
        return
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise CurateError(f"no recipe {name!r} ships with curate: {hint}")
    show(known[name].read_text(encoding="utf-8").rstrip("\n"))


@cloup.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@verbosity
def diff(first: Path, second: Path) -> None:
    """Show what differs between two corpora: options, videos, frames, splits.

    Each is a folder that 'curate corpus build' made, or a recipe, whose sources are then looked at.
    """
    from curate.run.difference import differences

    lines = differences(_read(first), _read(second))
    for line in lines:
        show(line)
    if not lines:
        show("no difference")


def _read(path: Path) -> tuple[Mapping[str, Any], Sequence[Member]]:
    from curate.corpus.recipe import read_recipe
    from curate.run.build import read_composition, read_resolved
    from curate.run.compose import compose

    if path.is_dir():
        return read_resolved(path), read_composition(path)
    recipe = read_recipe(path)
    return recipe.resolved(), compose(recipe, None).members
