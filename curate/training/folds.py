"""Parts of labelled frames that are left out together: by source where that can be done, else by group."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from curate.errors import CurateError
from curate.evaluation.labels import LabelledFrame

Unit = Literal["source", "group"]


@dataclasses.dataclass(frozen=True)
class Folds:
    """How frames are split.

    Attributes:
        unit: What is never split.
        parts: Names of the units of each part; every unit is in one.
        frames: The frames, their ``source`` replaced by the name of their unit.
    """

    unit: Unit
    parts: Sequence[tuple[str, ...]]
    frames: Sequence[LabelledFrame]


def unit_of(frames: Sequence[LabelledFrame]) -> Unit:
    """Sources, if both labels come from at least two, so that one can be left out; else groups."""
    sources = {label: {f.source for f in frames if f.surgical == label} for label in (True, False)}
    return "source" if min(map(len, sources.values())) >= 2 else "group"


def by_unit(frames: Sequence[LabelledFrame], unit: Unit) -> list[LabelledFrame]:
    """The frames with the name of their unit for a source."""
    if unit == "source":
        return list(frames)
    return [dataclasses.replace(f, source=f"{f.source}: {f.group}") for f in frames]


def make_folds(frames: Sequence[LabelledFrame], most: int) -> Folds:
    """Share sources or groups out over parts of like size, both labels apart.

    The largest come first, each into the part that has the fewest frames of its commoner label.

    Args:
        frames: Of both labels.
        most: Largest number of parts, at least 2; there are never more parts than units.

    Raises:
        CurateError: Without some part, only one label would be left to learn from.
    """
    unit = unit_of(frames)
    named = by_unit(frames, unit)
    counts: dict[str, Counter[bool]] = {}
    for frame in named:
        counts.setdefault(frame.source, Counter())[frame.surgical] += 1
    parts: list[list[str]] = [[] for _ in range(min(most, len(counts)))]
    held = [Counter[bool]() for _ in parts]
    for name, count in sorted(counts.items(), key=lambda item: (-item[1].total(), item[0])):
        label = count[True] >= count[False]
        least = min(range(len(parts)), key=lambda i: (held[i][label], held[i].total(), i))
        parts[least].append(name)
        held[least].update(count)
    total = sum(held, Counter[bool]())
    if any((total - part).keys() < {True, False} for part in held):
        raise CurateError(
            f"too few {unit}s to leave some out: each label needs at least two; label more, or switch the "
            "evaluation off with --no-evaluation"
        )
    return Folds(unit, [tuple(sorted(part)) for part in parts if part], named)
