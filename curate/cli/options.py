"""Command-line flags made from the options dataclasses of `curate.config`."""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import click

from curate.config import Config, option_fields

Layer = dict[str, dict[str, Any]]
"""Values that were given, by table and option name."""


def stage_flags(*plain: str, prefixed: Sequence[str] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator that adds the flags of some tables to a command.

    The command gets one extra keyword argument ``given``, a `Layer` with the values that were on the command line.
    Defaults are not filled in: they come last, after ``curate.toml``.

    Args:
        plain: Names of tables, as in `Config`, whose flags are the options' names (``--rate``).
        prefixed: Names of tables whose flags carry the table's name (``--sample-rate``).
    """
    kinds = {spec.name: kind for spec, kind in option_fields(Config)}

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        names: dict[str, tuple[str, str]] = {}
        flags = []
        for table in (*prefixed, *plain):
            for spec, kind in option_fields(kinds[table]):
                name = f"{table}_{spec.name}" if table in prefixed else spec.name
                names[name] = (table, spec.name)
                flags.append(_flag(name, spec.default, spec.metadata, kind))

        @functools.wraps(command)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            given: Layer = {}
            for name, (table, option_name) in names.items():
                value = kwargs.pop(name)
                if value is not None and value != ():
                    given.setdefault(table, {})[option_name] = value
            return command(*args, given=given, **kwargs)

        for flag in reversed(flags):
            wrapper = flag(wrapper)
        return wrapper

    return decorate


def _flag(name: str, default: Any, metadata: Any, kind: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    flag = "--" + name.replace("_", "-")
    shown = "not set" if default is None or default == "" else default
    if kind is bool:
        text = f"{metadata['help']}  [default: {'on' if default else 'off'}]"
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    if typing.get_origin(kind) is tuple:
        shown = ",".join(map(str, default)) or "not set"
        listed = _CommaList(_click_type(typing.get_args(kind)[0], metadata))
        return click.option(flag, name, type=listed, default=None, help=f"{metadata['help']}  [default: {shown}]")
    click_type = _click_type(kind, metadata)
    return click.option(flag, name, type=click_type, default=None, help=f"{metadata['help']}  [default: {shown}]")


def _click_type(kind: Any, metadata: Any) -> click.ParamType:
    inner: Sequence[Any] = [k for k in typing.get_args(kind) if k is not type(None)]
    if typing.get_origin(kind) is Literal:
        return click.Choice([str(choice) for choice in inner])
    if type(None) in typing.get_args(kind):
        return _click_type(inner[0], metadata)
    low, high = metadata["low"], metadata["high"]
    if kind is int:
        return click.IntRange(None if low is None else int(low), None if high is None else int(high))
    if kind is float:
        return click.FloatRange(low, high)
    if kind is Path:
        return click.Path(path_type=Path, resolve_path=True)
    return click.STRING


class _CommaList(click.ParamType):
    """Several values of one type, separated by commas."""

    name = "list"

    def __init__(self, item: click.ParamType) -> None:
        self.item = item

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        inner = self.item.get_metavar(param, ctx) or self.item.name.upper()
        return f"{inner},..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        return tuple(self.item.convert(part.strip(), param, ctx) for part in value.split(",") if part.strip())
