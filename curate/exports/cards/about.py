"""What cards tell that does not stand in the export: what the publisher says, and what became of the lists."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curate.config import CardOptions
from curate.errors import CurateError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class ListSurvivors:
    """What became of the videos of one list.

    Attributes:
        name: Of the list, without the folder it lay in.
        videos: Videos that it names and no other list before it.
        passed: Videos that passed each step, by its name, in order.
        lost: Videos that were lost, by step and reason.
        waiting: Videos whose next step is still to come.
        asked: Videos that were asked for on each day (UTC, YYYY-MM-DD), and how many of these could be had.
    """

    name: str
    videos: int
    passed: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0
    asked: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class About:
    """What cards are told.

    Attributes:
        card: What the publisher says.
        lists: What became of each list; empty where it is not known.
    """

    card: CardOptions = field(default_factory=CardOptions)
    lists: tuple[ListSurvivors, ...] = ()

    def __post_init__(self) -> None:
        if self.card.published and not _DAY.fullmatch(self.card.published):
            raise CurateError(f"card.published: {self.card.published!r} is not a day as YYYY-MM-DD")

    @property
    def days(self) -> tuple[str, ...]:
        """Days on which videos were asked for, in order."""
        return tuple(sorted({day for one in self.lists for day in one.asked}))

    @property
    def published(self) -> str:
        """The day of publication, or of the newest video; empty where neither is known."""
        return self.card.published or (self.days[-1] if self.days else "")

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        return dataclasses.asdict(self)
