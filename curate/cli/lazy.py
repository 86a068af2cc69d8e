"""A group of commands whose modules are imported only when they are used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

CommandTable = Mapping[str, tuple[str, str]]
"""Command name: where it is (``module:attribute``), and its line in the group's help, in the order of the help."""


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is used."""

    def __init__(self, *args: Any, table: CommandTable, **kwargs: Any) -> None:
        """Make the group of the commands of a table; the other arguments are those of ``click.Group``."""
        super().__init__(*args, **kwargs)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return a command, or ``None`` if there is none of that name."""
        if name not in self.table:
            return None
        module, attribute = self.table[name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        if self.table:
            with formatter.section("Commands"):
                formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])
