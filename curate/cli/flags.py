"""Flags written by hand that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

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
