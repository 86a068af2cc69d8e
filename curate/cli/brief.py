"""A command with more options than a person reads: ``--help`` shows the needed ones, ``--help-all`` all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import cloup
from cloup import OptionGroup
from cloup.formatting import HelpSection, ensure_is_cloup_formatter

_ALL = "curate.help_all"

_SHOWN = 2
"""Flags of a group that are named where they have nothing in common."""


class BriefCommand(cloup.Command):
    """A command whose help comes in two lengths.

    Args:
        needed: Names of the parameters that come first, in this order, and that the short help shows beside those of
            no group.
        args: As for `cloup.Command`.
        kwargs: As for `cloup.Command`; the groups of the options are shown by ``--help-all``, and named in short.
    """

    def __init__(self, *args: Any, needed: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = {option.name: option for option in self.params if isinstance(option, click.Option)}
        first = OptionGroup("Most needed")
        first.options = [named[name] for name in needed]
        for group in self.option_groups:
            group.options = [option for option in group.options if option.name not in needed]
        self.option_groups = [first, *(group for group in self.option_groups if group.options)]
        self.ungrouped_options = [option for option in self.ungrouped_options if option.name not in needed]

    def format_params(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections of options, all or the needed ones."""
        groups = self.option_groups if _ALL in ctx.meta else self.option_groups[:1]
        sections = [
            self.make_option_group_help_section(group, ctx) for group in (*groups, self.get_default_option_group(ctx))
        ]
        if _ALL not in ctx.meta:
            rows = [(_in_short(group), group.help or "") for group in self.option_groups[1:]]
            sections.append(HelpSection("More options, told by --help-all or by the stage's own --help", rows))
        ensure_is_cloup_formatter(formatter).write_many_sections(sections, aligned=False)


def _in_short(group: OptionGroup) -> str:
    """What the flags of a group have in common, or the first of those that have nothing in common."""
    flags = [option.opts[0] for option in group.options if not option.hidden]
    stems = {flag.split("-")[2] for flag in flags}
    if len(flags) > 1 and len(stems) == 1:
        return f"--{stems.pop()}-..."
    return ", ".join([*flags[:_SHOWN], "..."] if len(flags) > _SHOWN else flags)


def _show_all(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        ctx.meta[_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


help_all_flag = click.option(
    "--help-all", is_flag=True, is_eager=True, expose_value=False, callback=_show_all, help="Show all options and exit."
)
