"""What several lists of videos have in common, and what they make together."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from curate.corpus.balance import NO_PROCEDURE
from curate.records import Video


class PairRow(NamedTuple):
    """Videos that two lists share: names of both, videos in both, and share of each list."""

    one: str
    other: str
    videos: int
    of_one: float
    of_other: float


class ProcedureCounts(NamedTuple):
    """One procedure: videos of it in each list, in their order, and distinct videos of it in all."""

    procedure: str
    lists: tuple[int, ...]
    together: int


@dataclass(frozen=True)
class Overlap:
    """What lists have in common.

    Attributes:
        names: Of the lists.
        videos: Distinct videos of each.
        together: Distinct videos of all.
        only: Videos of each that no other list has.
        pairs: What each two share.
        procedures: By falling number of distinct videos. A video counts for a list's procedure as that list names it,
            and in all for whatever the joined list says; one of several procedures counts for each.
    """

    names: tuple[str, ...]
    videos: tuple[int, ...]
    together: int
    only: tuple[int, ...]
    pairs: tuple[PairRow, ...]
    procedures: tuple[ProcedureCounts, ...]


def overlap(lists: Mapping[str, Sequence[Video]], joined: Sequence[Video]) -> Overlap:
    """Count what lists share by the ids of videos.

    Args:
        lists: Videos of each list, distinct within it.
        joined: The videos of all lists, each once.
    """
    ids = {name: {video.id for video in videos} for name, videos in lists.items()}
    times = Counter(video for found in ids.values() for video in found)
    by_list = [Counter(_procedures(videos)) for videos in lists.values()]
    together = Counter(_procedures(joined))
    order = sorted(together | sum(by_list, Counter()), key=lambda name: (-together[name], name))
    return Overlap(
        names=tuple(lists),
        videos=tuple(len(found) for found in ids.values()),
        together=len(joined),
        only=tuple(sum(times[video] == 1 for video in found) for found in ids.values()),
        pairs=tuple(_pair(one, other, ids) for one, other in itertools.combinations(ids, 2)),
        procedures=tuple(
            ProcedureCounts(name, tuple(counts[name] for counts in by_list), together[name]) for name in order
        ),
    )


def _pair(one: str, other: str, ids: Mapping[str, set[str]]) -> PairRow:
    both = len(ids[one] & ids[other])
    return PairRow(one, other, both, both / max(len(ids[one]), 1), both / max(len(ids[other]), 1))


def _procedures(videos: Sequence[Video]) -> list[str]:
    return [name for video in videos for name in (dict.fromkeys(video.procedures) or (NO_PROCEDURE,))]
