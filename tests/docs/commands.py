"""Command lines of curate in shell code, and whether curate would take them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click

from curate.cli import cli

OPERATORS = {"|", "||", "&", "&&", ";", "(", ")", "<", ">", ">>", "2>", "<<<"}


def command_lines(code: str) -> Iterator[list[str]]:
    """Arguments of every ``curate ...`` in shell code; variables are replaced by ``1``, documents in place left out."""
    code = re.sub(r"<<-?\s*['\"]?(\w+)['\"]?(.*?)\n.*?^\1$", r"\2", code, flags=re.MULTILINE | re.DOTALL)
    code = code.replace("\\\n", " ")
    for line in code.splitlines():
        line = re.sub(r"\$\(\(.*?\)\)|\$\{.*?\}|\$\w+", "1", line)
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        simple: list[str] = []
        for token in [*lexer, ";"]:
            if token in OPERATORS:
                if "curate" in simple:
                    yield simple[simple.index("curate") + 1 :]
                simple = []
            else:
                simple.append(token)


def find_command(arguments: list[str]) -> tuple[click.Context, list[str]]:
    """The command that arguments name, and the arguments that are left for it.

    Raises:
        click.UsageError: There is no such command.
    """
    command: click.Command = cli
    context = click.Context(cli, info_name="curate")
    left = list(arguments)
    while isinstance(command, click.Group) and left and not left[0].startswith("-"):
        name = left.pop(0)
        inner = command.get_command(context, name)
        if inner is None:
            raise click.UsageError(f"no command {name!r} in {context.command_path!r}")
        command = inner
        context = click.Context(inner, info_name=name, parent=context)
    return context, left


def check(arguments: list[str]) -> None:
    """Parse arguments as curate would, without doing anything.

    Files need not be there.

    Raises:
        click.UsageError: No such command or option, a bad value, a missing argument.
    """
    context, left = find_command(arguments)
    try:
        made = context.command.make_context(context.info_name, left, parent=context.parent)
        for option in context.command.params:
            if getattr(option, "hidden", False) and made.params.get(option.name) is not None:
                raise click.UsageError(f"{option.opts[0]} is an option's former name")
    except click.exceptions.Exit:
        pass
    except click.BadParameter as error:
        if not (error.param is not None and isinstance(error.param.type, click.Path)):
            raise


def flags(command: click.Command, context: click.Context) -> set[str]:
    """Flags of a command, with ``--help`` and without those that are hidden."""
    shown = [parameter for parameter in command.get_params(context) if not getattr(parameter, "hidden", False)]
    return {flag for parameter in shown for flag in (*parameter.opts, *parameter.secondary_opts)}


def all_flags() -> set[str]:
    """Flags of every command of curate."""

    def walk(command: click.Command, context: click.Context) -> Iterator[str]:
        yield from flags(command, context)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                yield from walk(inner, click.Context(inner, info_name=name, parent=context))

    return set(walk(cli, click.Context(cli, info_name="curate")))
