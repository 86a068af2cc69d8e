"""Flags about a list of videos that is given to a command; they know the formats of lists."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import cloup

from curate.manifests import FORMATS, Unstated

Command = Callable[..., Any]


def unstated_flags(command: Command) -> Command:
    """Flags for what a list does not say of its videos; the command gets an `Unstated` as ``unstated``."""

    @functools.wraps(command)
    def wrapper(*args: Any, corpus: str, licence: str, public: bool | None, **kwargs: Any) -> Any:
        return command(*args, unstated=Unstated(corpus, licence, public), **kwargs)

    decorated: Command = wrapper
    group = cloup.OptionGroup("What SOURCE does not say", help="Said of the videos of SOURCE where it is silent.")
    for flag in (
        cloup.option(
            "--public/--not-public",
            default=None,
            group=group,
            help="Whether everybody sees the videos of which SOURCE does not say.",
        ),
        cloup.option(
            "--licence",
            default="",
            metavar="TEXT",
            group=group,
            help="Licence of the videos for which SOURCE states none.",
        ),
        cloup.option(
            "--corpus",
            default="",
            metavar="NAME",
            group=group,
            help="Corpus of the videos for which SOURCE names none, e.g. cholec80.",
        ),
    ):
        decorated = flag(decorated)
    return decorated


def source_flags(command: Command) -> Command:
    """The SOURCE argument and the flags about it."""
    command = unstated_flags(command)
    for flag in (
        click.option(
            "--opt-out", type=click.Path(path_type=Path), multiple=True, help="File with ids to leave out; repeatable."
        ),
        click.option(
            "--format", "source_format", type=click.Choice(FORMATS), help="Format of SOURCE, if it is not recognised."
        ),
        click.argument("source", nargs=-1),
    ):
        command = flag(command)
    return command
