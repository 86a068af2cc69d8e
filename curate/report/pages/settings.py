"""Options that a workspace is worked on with, for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from curate.config import Config, is_run_only, option_fields, option_tables


@dataclass(frozen=True)
class Setting:
    """One option.

    Attributes:
        name: Of the option.
        value: As text.
        changed: Whether it is not the default.
        help: Its sentence.
    """

    name: str
    value: str
    changed: bool
    help: str


def settings_of(config: Config) -> dict[str, list[Setting]]:
    """Options that change what is made, by table; those that are kept out of workspaces are left out."""
    found: dict[str, list[Setting]] = {}
    for table in option_tables():
        options = table.of(config)
        kept = [
            Setting(spec.name, _text(value), value != spec.default, spec.metadata["help"])
            for spec, _ in option_fields(table.kind)
            for value in (getattr(options, spec.name),)
            if spec.metadata["output"] and not is_run_only(spec, value)
        ]
        if kept:
            found[table.name] = kept
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == ():
        return "not set"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
