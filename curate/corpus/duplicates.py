"""Which videos are duplicates, and what each of them loses: pure functions over the table of matches.

The table (`curate.workspace.tables.duplicates`) says what pairs of videos share; nothing in it depends on the options
that are applied here, so that thresholds, ranking and policy can be changed without looking at a picture again.

Videos that share anything, directly or through others, are one group: a split must not part them. Within a group

- two videos that contain one another are the same, and the better one of all that are the same stays;
- a video that is contained in a longer one, an excerpt, is left out whatever its rank: the longer one shows all of it;
- two videos that share a part of each, two compilations say, both stay, and the worse one loses the seconds that they
  share (``overlap = "cut"``), or is left out (``"drop"``), or loses nothing (``"keep"``).

So no frame is lost unless a video that stays shows it, but for the share of a contained video that
``contained`` lets be its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from curate.config import RANKS, DedupOptions
from curate.errors import CurateError
from curate.workspace.tables.duplicates import Match


class Cut(NamedTuple):
    """Seconds that a video loses because another one shows them.

    Attributes:
        start: Seconds from the start of the video.
        end: Likewise; exclusive.
        kept: Id of the video that shows them.
    """

    start: float
    end: float
    kept: str


@dataclass(frozen=True)
class DuplicateGroup:
    """Videos that share something, directly or through others.

    Attributes:
        members: Ids, sorted.
        kept: Of these, those that stay, the best first; at least one.
        lost: Those that are left out, with the id of the video that stays in their place.
        cuts: What some of those that stay lose, in order of time.
    """

    members: tuple[str, ...]
    kept: tuple[str, ...]
    lost: Mapping[str, str] = field(default_factory=dict)
    cuts: Mapping[str, tuple[Cut, ...]] = field(default_factory=dict)


def duplicate_groups(
    matches: Iterable[Match], options: DedupOptions, sources: Mapping[str, str] | None = None
) -> list[DuplicateGroup]:
    """Group videos by what they share, and decide what each of them loses.

    The result depends neither on the order of the matches nor on that of the two videos in each.

    Args:
        matches: From `read_matches`, of one table or of several.
        options: Thresholds, ranking and policy.
        sources: Source corpus of videos by id, for the rank ``source``.

    Returns:
        Groups of at least two videos, by their first member.

    Raises:
        CurateError: ``rank`` names something that is not known.
    """
    if unknown := [name for name in options.rank if name not in RANKS]:
        raise CurateError(f"dedup.rank: {unknown[0]!r} is not one of {', '.join(RANKS)}")
    accepted = sorted({match for match in matches if is_accepted(match, options)}, key=_order)
    pairs: dict[tuple[str, str], _Pair] = {}
    for match in accepted:
        pairs.setdefault((match.a, match.b), _Pair()).matches.append(match)
    better = _Ranking(accepted, options, sources or {})
    links = _UnionFind()
    for a, b in pairs:
        links.join(a, b)
    inside: dict[str, dict[tuple[str, str], _Pair]] = defaultdict(dict)
    for ids, pair in pairs.items():
        inside[links.find(ids[0])][ids] = pair
    return [_decide(members, inside[links.find(members[0])], options, better) for members in links.sets()]


def is_accepted(match: Match, options: DedupOptions) -> bool:
    """Whether a stretch is long, alike and rich enough to count."""
    return (
        min(match.end_a - match.start_a, match.end_b - match.start_b) >= options.seconds
        and match.score >= options.score
        and match.pictures >= options.pictures
        and (options.similarity is None or match.similarity is None or match.similarity >= options.similarity)
    )


def kind_of(matches: Iterable[Match], options: DedupOptions) -> str:
    """What two videos are to one another by all that they share.

    Args:
        matches: All accepted ones of one pair.
        options: Of which ``contained`` decides.

    Returns:
        ``same``, ``excerpt`` (one is contained in the other), or ``part``.
    """
    return _Pair(list(matches)).kind(options)


@dataclass
class _Pair:
    """What two videos share."""

    matches: list[Match] = field(default_factory=list)

    def shares(self) -> tuple[float, float]:
        """Share of each that the other shows, 0..1."""
        one = self.matches[0]
        in_a = _length([(match.start_a, match.end_a) for match in self.matches])
        in_b = _length([(match.start_b, match.end_b) for match in self.matches])
        return min(in_a / one.seconds_a, 1.0), min(in_b / one.seconds_b, 1.0)

    def contained(self, options: DedupOptions) -> tuple[bool, bool]:
        """Whether each is contained in the other."""
        in_b, in_a = self.shares()
        return in_b >= options.contained, in_a >= options.contained

    def kind(self, options: DedupOptions) -> str:
        """As `kind_of`."""
        contained = self.contained(options)
        return "same" if all(contained) else "excerpt" if any(contained) else "part"


class _Ranking:
    """Tells the better of two videos by sorting: the smallest key is the best."""

    def __init__(self, matches: Iterable[Match], options: DedupOptions, sources: Mapping[str, str]) -> None:
        self._rank = options.rank
        self._places = {name: place for place, name in enumerate(options.sources)}
        self._sources = sources
        self.pixels: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        for match in matches:
            for video, pixels, seconds in (
                (match.a, match.pixels_a, match.seconds_a),
                (match.b, match.pixels_b, match.seconds_b),
            ):
                self.pixels[video] = max(pixels, self.pixels.get(video, 0))
                self.seconds[video] = max(seconds, self.seconds.get(video, 0.0))

    def __call__(self, video: str) -> tuple[float | str, ...]:
        place = self._places.get(self._sources.get(video, ""), len(self._places))
        known: dict[str, float | str] = {
            "resolution": -self.pixels[video],
            "seconds": -self.seconds[video],
            "source": place,
            "id": video,
        }
        return (*(known[name] for name in self._rank), video)


def _decide(
    members: tuple[str, ...], pairs: Mapping[tuple[str, str], _Pair], options: DedupOptions, better: _Ranking
) -> DuplicateGroup:
    same = _UnionFind()
    for video in members:
        same.add(video)
    excerpts: dict[str, set[str]] = defaultdict(set)
    for (a, b), pair in pairs.items():
        a_in_b, b_in_a = pair.contained(options)
        if a_in_b and b_in_a:
            same.join(a, b)
        elif a_in_b:
            excerpts[a].add(b)
        elif b_in_a:
            excerpts[b].add(a)
    stays = {video: min(ids, key=better) for ids in same.sets() for video in ids}
    lost = {video: best for video, best in stays.items() if best != video}
    lost |= _without_excerpts(same.sets(), stays, excerpts, better)
    if options.overlap == "drop":
        lost |= _without_overlaps(set(members) - lost.keys(), pairs, better)
    lost = {video: _last(video, lost) for video in sorted(lost)}
    kept = tuple(sorted(set(members) - lost.keys(), key=better))
    cuts = _cuts(set(kept), pairs, better) if options.overlap == "cut" else {}
    return DuplicateGroup(members, kept, lost, cuts)


def _without_excerpts(
    sets: Iterable[tuple[str, ...]],
    stays: Mapping[str, str],
    excerpts: Mapping[str, set[str]],
    better: _Ranking,
) -> dict[str, str]:
    """For each video that stands for itself and those that are the same, a longer one that contains one of them.

    Sets are taken from the one with the longest video down and lose only to those before them, so that nothing can lose
    to what it contains.
    """
    found: dict[str, str] = {}
    order = sorted(sets, key=lambda ids: (-max(better.seconds[video] for video in ids), better(stays[ids[0]])))
    place = {video: i for i, ids in enumerate(order) for video in ids}
    for i, ids in enumerate(order):
        longer = [w for video in ids for w in excerpts.get(video, ()) if place[w] < i]
        if longer:
            found[stays[ids[0]]] = stays[min(longer, key=lambda video: (place[video], better(video)))]
    return found


def _without_overlaps(left: set[str], pairs: Mapping[tuple[str, str], _Pair], better: _Ranking) -> dict[str, str]:
    """Of those left, each one that shares a part with a better one that stays."""
    found: dict[str, str] = {}
    for video in sorted(left, key=better):
        others = {a if video == b else b for a, b in pairs if video in (a, b)} & left - found.keys()
        if above := [other for other in others if better(other) < better(video)]:
            found[video] = min(above, key=better)
    return found


def _cuts(kept: set[str], pairs: Mapping[tuple[str, str], _Pair], better: _Ranking) -> dict[str, tuple[Cut, ...]]:
    """Seconds that the worse of two videos that both stay loses to the better one."""
    found: dict[str, list[Cut]] = defaultdict(list)
    for (a, b), pair in pairs.items():
        if a in kept and b in kept:
            for match in pair.matches:
                if better(a) < better(b):
                    found[b].append(Cut(match.start_b, match.end_b, a))
                else:
                    found[a].append(Cut(match.start_a, match.end_a, b))
    return {video: tuple(sorted(set(found[video]))) for video in sorted(found)}


def _last(video: str, lost: Mapping[str, str]) -> str:
    """The video that stays at the end of a chain of ones that lost to one another."""
    while video in lost:
        video = lost[video]
    return video


def _length(spans: list[tuple[float, float]]) -> float:
    """Seconds that spans cover together."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return total


def _order(match: Match) -> Match:
    return match if match.similarity is not None else match._replace(similarity=-2.0)


class _UnionFind:
    """Disjoint sets of ids."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def add(self, video: str) -> None:
        """Make an id known."""
        self._above.setdefault(video, video)

    def find(self, video: str) -> str:
        """The smallest id of the set."""
        while self._above[video] != video:
            self._above[video] = self._above[self._above[video]]
            video = self._above[video]
        return video

    def join(self, one: str, other: str) -> None:
        """Make one set of those of two ids."""
        self.add(one)
        self.add(other)
        low, high = sorted((self.find(one), self.find(other)))
        self._above[high] = low

    def sets(self) -> list[tuple[str, ...]]:
        """The sets, sorted by their smallest id, each sorted."""
        found: dict[str, list[str]] = defaultdict(list)
        for video in sorted(self._above):
            found[self.find(video)].append(video)
        return [tuple(ids) for ids in found.values()]
