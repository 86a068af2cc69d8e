"""Options and models that a workspace is worked on with, for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from curate.config import Config, is_run_only, option_fields, option_tables
from curate.run.pipeline import Pipeline


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


@dataclass(frozen=True)
class Model:
    """Weights that a stage uses.

    Attributes:
        stage: Name of the stage.
        name: What they are for, or how they were named.
        sha256: Of their files.
        details: Operating point, where there is one.
    """

    stage: str
    name: str
    sha256: tuple[str, ...]
    details: str = ""


def models_of(pipeline: Pipeline) -> list[Model]:
    """The weights of all stages that are switched on."""
    found = []
    for stage, spec in pipeline.specs.items():
        for name, value in spec.make().fingerprint_extra().items():
            if isinstance(value, dict) and "sha256" in value:
                low, high = value.get("uncertain") or (0.0, 0.0)
                details = f"threshold {value.get('threshold')}, uncertain from {low} to {high}"
                found.append(Model(stage, str(getattr(spec.options, name, name)), tuple(value["sha256"]), details))
            elif isinstance(value, str | list):
                found.append(Model(stage, name, (value,) if isinstance(value, str) else tuple(value)))
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == ():
        return "not set"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
