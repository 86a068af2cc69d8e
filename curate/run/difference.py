"""What differs between two corpora, or between two recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curate.run.compose import Member


def differences(
    one: tuple[Mapping[str, Any], Sequence[Member]], other: tuple[Mapping[str, Any], Sequence[Member]]
) -> list[str]:
    """What differs between two corpora, as lines: options, then videos, frames and splits.

    Args:
        one: Resolved recipe and members.
        other: Likewise.
    """
    lines = [f"option {name}: {a!r} -> {b!r}" for name, a, b in _different(_flat(one[0]), _flat(other[0]))]
    inside = [{m.id: m for m in members if m.outcome == "in"} for _, members in (one, other)]
    why = [{m.id: m for m in members if m.outcome != "in"} for _, members in (one, other)]
    first, second = inside
    for name in sorted(first.keys() - second.keys()):
        fate = why[1].get(name)
        lines.append(f"video {name}: only in the first" + (f" ({fate.outcome}: {fate.why})" if fate else ""))
    for name in sorted(second.keys() - first.keys()):
        fate = why[0].get(name)
        lines.append(f"video {name}: only in the second" + (f" ({fate.outcome}: {fate.why})" if fate else ""))
    for name in sorted(first.keys() & second.keys()):
        for what in ("split", "selected", "licence", "procedures"):
            a, b = getattr(first[name], what), getattr(second[name], what)
            if a != b:
                lines.append(f"video {name}: {'frames' if what == 'selected' else what} {a} -> {b}")
    return lines


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Options by dotted names; sources by their names."""
    if isinstance(value, Mapping):
        return {k: v for key, inner in value.items() for k, v in _flat(inner, f"{name}.{key}" if name else key).items()}
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return {k: v for item in value for k, v in _flat(item, f"{name}.{item.get('name', '')}").items()}
    return {name: value}


def _different(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    names = sorted(one.keys() | other.keys())
    return [(name, one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)]
