"""Flags written by hand that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import cloup

from curate.manifests import FORMATS, Unstated

Command = Callable[..., Any]


_DIGITS = 6
"""Of the number of a shard, at most."""


class Shard(click.ParamType):
    """``i/n`` with 0 <= i < n."""

    name = "i/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Parse the text; fails with what is expected."""
        if isinstance(value, tuple):
            return value
        index, _, count = str(value).partition("/")
        plain = index.isdecimal() and count.isdecimal() and len(count) <= _DIGITS and len(index) <= _DIGITS
        if not (plain and int(index) < int(count)):
            self.fail(f"{value!r} is not i/n with 0 <= i < n < 10^{_DIGITS}, such as 0/8", param, ctx)
        return int(index), int(count)


workspace_flag = click.option(
    "-w", "--workspace", type=click.Path(path_type=Path), required=True, help="Workspace folder."
)

config_flag = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="TOML file with option tables."
)

shard_flag = click.option(
    "--shard", type=Shard(), default="0/1", help="Work on the i-th of n parts of the videos (from 0), for job arrays."
)


partial_flag = click.option(
    "--partial", is_flag=True, help="Let exports lose videos that are incomplete or unreadable now."
)


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
