"""Command-line flags made from the options dataclasses of `curate.config`."""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import cloup
from click.core import ParameterSource
from cloup import OptionGroup

from curate.cli.exits import say
from curate.config import MOVED, NONE, Table, option_fields, option_tables, variable
from curate.errors import CurateError
from curate.trust import secrets_of

Layer = dict[str, dict[str, Any]]
"""Values that were given, by table and option name; tables of formats stand in that of the export."""

SWITCH = "enabled"
"""Name of the option that switches all of a table on; where flags carry the table's name, its flag is that name."""


def stage_flags(*plain: str, prefixed: Sequence[str] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator that adds the flags of some tables to a command.

    The command gets one extra keyword argument ``given``, a `Layer` with the values that were on the command line.
    Defaults are not filled in: they come last, after ``curate.toml``. With ``export`` come the tables of its formats,
    whose flags carry the format's name in every command (``--video-crf``), and hidden flags of former names. Flags of a
    table make a group in the help of a `cloup.Command`.

    Args:
        plain: Names of tables, as in `Config`, whose flags are the options' names (``--rate``).
        prefixed: Names of tables whose flags carry the table's name (``--sample-rate``).
    """
    tables = [table for stage in (*prefixed, *plain) for table in option_tables() if table.path[0] == stage]
    flags = [flag for table in tables for flag in _flags_of(table, prefixed=table.path[0] in prefixed)]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            given: Layer = {}
            for flag in flags:
                value = kwargs.pop(flag.name)
                if value is not None:
                    flag.put(value, given)
            return command(*args, given=given, **kwargs)

        decorated: Callable[..., Any] = wrapper
        for flag in reversed(flags):
            decorated = flag.decorate(decorated)
        return decorated

    return decorate


def say_unused_formats(given: Layer, formats: Sequence[str]) -> None:
    """Say which of the given flags belong to formats that are not written now."""
    for table, values in given.get("export", {}).items():
        if isinstance(values, dict) and table not in formats:
            flags = ", ".join(f"--{table}-{option}".replace("_", "-") for option in values)
            say(f"{flags} is kept for later: {table} is not among the formats")


def refuse_secret(parameter: str, table: str, option: str, value: Any) -> None:
    """Refuse the value of a flag if it is a secret, which everybody on the machine sees in the list of processes.

    Args:
        parameter: Name of the flag's parameter in the command that is running.
        table: Table of the option.
        option: Its name.
        value: What was given.

    Raises:
        CurateError: It holds a secret and was given on the command line; says where it belongs.
    """
    source = click.get_current_context().get_parameter_source(parameter)
    if source is ParameterSource.COMMANDLINE and secrets_of(table, option, value):
        raise CurateError(
            f"--{parameter.replace('_', '-')} holds a secret, and everybody on this machine can see command lines: "
            f"give it as {variable(table, option)} in the environment, or in --config FILE with mode 0600"
        )


@dataclass(frozen=True)
class _Flag:
    """A flag of one option.

    Attributes:
        name: Of the parameter; with dashes, of the flag.
        places: Table and name of the options that it sets: one, unless it is a former flag.
        decorate: Adds it to a command.
        former: Whether there is a better one.
    """

    name: str
    places: tuple[tuple[tuple[str, ...], str], ...]
    decorate: Callable[[Callable[..., Any]], Callable[..., Any]]
    former: bool = False

    def put(self, value: Any, given: Layer) -> None:
        """Set its options to a value, and say so if it is a former flag; present flags go before former ones.

        Raises:
            CurateError: A secret stands on the command line, which everybody can see in the list of processes.
        """
        if self.former:
            now = ", ".join(f"--{path[-1]}-{option}".replace("_", "-") for path, option in self.places)
            say(f"--{self.name.replace('_', '-')} is now {now}")
        for path, option in self.places:
            refuse_secret(self.name, path[0], option, value)
            table: dict[str, Any] = given
            for part in path:
                table = table.setdefault(part, {})
            if not (self.former and option in table):
                table[option] = value


def _flags_of(table: Table, *, prefixed: bool) -> Iterator[_Flag]:
    """The flags of a table; those of a format carry its name whether or not those of the export do."""
    prefix = f"{table.path[-1]}-" if prefixed or len(table.path) > 1 else ""
    title = f"Export as {table.path[-1]}" if len(table.path) > 1 else table.name.capitalize()
    group = OptionGroup(title, help=(table.kind.__doc__ or "").splitlines()[0])
    for spec, kind in option_fields(table.kind):
        if spec.name == SWITCH and not prefix:
            continue
        name = table.path[-1] if spec.name == SWITCH else (prefix + spec.name).replace("-", "_")
        source = variable(table.path[0], spec.name) if spec.metadata["run_only"] else None
        flag = _option(name, spec.default, spec.metadata, kind, group=group, source=source)
        yield _Flag(name, ((table.path, spec.name),), flag)
    if table.path == ("export",):
        yield from _former_flags(prefix)


def _former_flags(prefix: str) -> Iterator[_Flag]:
    """The flags of options that stood in the export's own table once."""
    options = {
        (table.path[-1], spec.name): (spec, kind)
        for table in option_tables()
        for spec, kind in option_fields(table.kind)
        if table.path[:-1] == ("export",)
    }
    present = {f"{table}_{option}" for table, option in options}
    for former, moved in MOVED.items():
        name = (prefix + former).replace("-", "_")
        if name not in present:
            spec, kind = options[moved[0]]
            flag = _option(name, spec.default, spec.metadata, kind, group=None)
            yield _Flag(name, tuple((("export", table), option) for table, option in moved), flag, former=True)


def _option(
    name: str,
    default: Any,
    metadata: Mapping[str, Any],
    kind: Any,
    *,
    group: OptionGroup | None,
    source: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The flag of one option, in a group of the help; hidden without one.

    ``source`` is an environment variable that gives the option too.
    """
    shared: dict[str, Any] = {"default": None, "group": group, "hidden": group is None}
    shared |= {"envvar": source, "show_envvar": True}
    flag = "--" + name.replace("_", "-")
    shown = "not set" if default is None or default == "" else default
    if kind is bool:
        text = f"{metadata['help']}  [default: {'on' if default else 'off'}]"
        return cloup.option(f"{flag}/--no-{flag[2:]}", name, help=text, **shared)
    if typing.get_origin(kind) is tuple:
        shown = ",".join(map(str, default)) or "not set"
    text = f"{metadata['help']}  [default: {shown}]"
    return cloup.option(flag, name, type=_click_type(kind, metadata), help=text, **shared)


def _click_type(kind: Any, metadata: Mapping[str, Any]) -> click.ParamType:
    inner: Sequence[Any] = [k for k in typing.get_args(kind) if k is not type(None)]
    if typing.get_origin(kind) is Literal:
        return click.Choice([str(choice) for choice in inner])
    if typing.get_origin(kind) is tuple:
        return _CommaList(_click_type(inner[0], metadata))
    if type(None) in typing.get_args(kind):
        return _Optional(_click_type(inner[0], metadata))
    low, high = metadata["low"], metadata["high"]
    if kind is int:
        whole = click.IntRange(None if low is None else int(low), None if high is None else int(high))
        return click.INT if low is high is None else _named(whole, "int")
    if kind is float:
        return click.FLOAT if low is high is None else _named(click.FloatRange(low, high), "float")
    if kind is Path:
        return click.Path(path_type=Path, resolve_path=True)
    return click.STRING


def _named(kind: click.ParamType, name: str) -> click.ParamType:
    """A type that the help calls by a shorter name than click does; the help tells the bounds anyway."""
    kind.name = name
    return kind


class _Optional(click.ParamType):
    """A value of one type, or ``none`` to put it back to "not set"."""

    def __init__(self, item: click.ParamType) -> None:
        self.item = item
        self.name = item.name

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"{self.item.get_metavar(param, ctx) or self.item.name.upper()}|{NONE}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return NONE if value in ("", NONE) else self.item.convert(value, param, ctx)


class _CommaList(click.ParamType):
    """Several values of one type, separated by commas; ``none`` for an empty list."""

    name = "list"

    def __init__(self, item: click.ParamType) -> None:
        self.item = item

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        inner = self.item.get_metavar(param, ctx) or self.item.name.upper()
        return f"{inner},..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        parts = () if value == NONE else value.split(",")
        return tuple(self.item.convert(part.strip(), param, ctx) for part in parts if part.strip())
