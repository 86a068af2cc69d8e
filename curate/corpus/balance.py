"""Keeping what is frequent from drowning what is rare: by sampling weights, or by a selection of frames.

Frames hang in a tree: source corpora, procedures within them, videos within those; `Balance.by` names its levels. There
are three ways to draw from it, and they may be combined:

- **caps**: no corpus, procedure or video counts for more than so many frames;
- the **hierarchical cap**: of N frames in all, the largest c with ``sum_j min(c, n_j) <= N`` is the cap of the children
  of the root, and what each of them is given is shared among its own children in the same way, from the top down;
- **alpha**: children are drawn in proportion to ``n_j^alpha``; 1 keeps the natural frequencies, 0 draws all alike.

A selection takes frames in an order of their own that spreads them evenly over the video (`frame_order`), and what is
taken of each video grows with N, and with the caps where N is not given: so a larger selection holds every smaller one.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from curate.errors import CurateError

NO_PROCEDURE = "unknown"
"""Row of the table for videos that name no procedure."""

NO_CORPUS = "unknown"
"""The same for videos that name no source corpus."""

Level = Literal["corpus", "procedure", "video"]


class CountedVideo(Protocol):
    """A video with the frames of it that count."""

    @property
    def id(self) -> str:
        """Id of the video."""

    @property
    def corpus(self) -> str:
        """Source corpus, or empty."""

    @property
    def procedures(self) -> Sequence[str]:
        """Procedures of the video, in the manifest's order; one may be named twice."""

    @property
    def frames(self) -> int:
        """How many frames there are."""

    @property
    def seconds(self) -> float:
        """What they stand for."""


@dataclass(frozen=True)
class Balance:
    """How frames are balanced.

    Attributes:
        by: Levels of the tree, from the top; frames of a group of the last level are alike.
        alpha: Power of the sizes of groups, 0..1; used where ``frames`` is 0.
        frames: Frames in all that the hierarchical cap allows; 0 for alpha instead.
        caps: Most frames that a group of a level counts for.
        fraction: Share of each video's frames that count at all.
    """

    by: tuple[Level, ...] = ("procedure",)
    alpha: float = 0.5
    frames: int = 0
    caps: Mapping[Level, int] = field(default_factory=dict)
    fraction: float = 1.0


LEVELS: tuple[Level, ...] = ("corpus", "procedure", "video")


def balance_from(
    by: Sequence[str], alpha: float, frames: int, caps: Mapping[str, int | None], *, where: str
) -> Balance:
    """A balance from what a person gave.

    Raises:
        CurateError: A level is unknown or stands twice, or a cap is of a level that is not among them; says ``where``.
    """
    known: dict[str, Level] = {level: level for level in LEVELS}
    if unknown := [level for level in by if level not in known]:
        raise CurateError(f"{where}: {unknown[0]!r} is not one of {', '.join(LEVELS)}")
    if len(set(by)) < len(by) or "video" in by[:-1]:
        raise CurateError(f"{where}: each level stands once, and video last; got {', '.join(by)}")
    given = {known[level]: cap for level, cap in caps.items() if cap}
    if strangers := [level for level in given if level not in by]:
        raise CurateError(f"{where}: there is a cap for {strangers[0]}, which is not among the levels {', '.join(by)}")
    return Balance(tuple(known[level] for level in by), alpha, frames, given)


class Leaf(NamedTuple):
    """The frames of a video that count for one procedure.

    Attributes:
        path: Names of its groups, one a level.
        video: Id of the video.
        procedure: The procedure, or `NO_PROCEDURE`.
        frames: A share of the video's frames if it names several procedures.
    """

    path: tuple[str, ...]
    video: str
    procedure: str
    frames: float


@dataclass(frozen=True)
class ProcedureRow:
    """One procedure within one split; a video of several procedures counts for each with an equal share.

    Attributes:
        split: Name of the split.
        procedure: Name of the procedure, or `NO_PROCEDURE`.
        videos: Videos that show it, each counted whole.
        frames: Shares of frames.
        hours: Shares of hours.
        weight: Probability with which a balanced sampler draws a frame of it; the rows of a split sum to 1.
    """

    split: str
    procedure: str
    videos: int
    frames: float
    hours: float
    weight: float


class GroupRow(NamedTuple):
    """What balancing makes of one group of the tree.

    Attributes:
        path: Names of the groups above it, and its own.
        videos: Videos in it; one of several procedures is in several groups.
        frames: Frames in it, before.
        taken: Frames that a selection takes of it.
        share: Probability with which a balanced sampler draws a frame of it.
    """

    path: tuple[str, ...]
    videos: int
    frames: float
    taken: float
    share: float


def procedures_of(video: CountedVideo) -> tuple[str, ...]:
    """Distinct procedures of a video in the manifest's order, or `NO_PROCEDURE`."""
    return tuple(dict.fromkeys(video.procedures)) or (NO_PROCEDURE,)


def leaves_of(videos: Sequence[CountedVideo], balance: Balance) -> list[Leaf]:
    """The leaves of the tree; a video of several procedures has one under each, with an equal share of its frames."""
    found = []
    for video in videos:
        procedures = procedures_of(video)
        for procedure in procedures:
            names: Mapping[Level, str] = {
                "corpus": video.corpus or NO_CORPUS,
                "procedure": procedure,
                "video": video.id,
            }
            path = tuple(names[level] for level in balance.by)
            found.append(Leaf(path, video.id, procedure, video.frames / len(procedures)))
    return found


def cap_for(sizes: Sequence[float], budget: float) -> float:
    """The largest c with ``sum(min(c, n) for n in sizes) <= budget``; infinite if all fit."""
    left = budget
    for i, size in enumerate(sorted(sizes)):
        cap = left / (len(sizes) - i)
        if size > cap:
            return cap
        left -= size
    return float("inf")


def amounts(leaves: Sequence[Leaf], balance: Balance) -> list[float]:
    """Frames that a selection takes of each leaf, in their order: never more than there are.

    With alpha and no `Balance.frames`, as many frames are taken as the smallest repetition allows: none twice.
    """
    tree = _Tree(leaves, balance)
    if balance.frames:
        return tree.share_out(float(balance.frames), by_cap=True)
    return tree.share_out(float("inf"), by_cap=True) if balance.alpha == 1 else tree.without_repetition()


def shares(leaves: Sequence[Leaf], balance: Balance) -> list[float]:
    """Probability with which a balanced sampler draws a frame of each leaf, in their order; they sum to 1."""
    tree = _Tree(leaves, balance)
    found = tree.share_out(float(balance.frames), by_cap=True) if balance.frames else tree.probabilities()
    total = sum(found)
    return [value / total for value in found] if total else found


class _Tree:
    """The tree of some leaves."""

    def __init__(self, leaves: Sequence[Leaf], balance: Balance) -> None:
        self._leaves = [leaf._replace(frames=leaf.frames * balance.fraction) for leaf in leaves]
        self._balance = balance
        self._depth = len(balance.by)
        self._sizes: dict[tuple[str, ...], float] = {}
        self._children: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        self._members: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for i, leaf in enumerate(leaves):
            self._members[leaf.path].append(i)
        for path in sorted(self._members):
            for depth in range(self._depth):
                below = self._children.setdefault(path[:depth], [])
                if path[: depth + 1] not in below[-1:]:
                    below.append(path[: depth + 1])
        self._size(())

    def _size(self, path: tuple[str, ...]) -> float:
        """Frames that a group counts for, with its own cap and those of the groups in it."""
        if len(path) == self._depth:
            size = sum(self._leaves[i].frames for i in self._members.get(path, ()))
        else:
            size = sum(self._size(child) for child in self._children.get(path, ()))
        cap = self._balance.caps.get(self._balance.by[len(path) - 1]) if path else None
        self._sizes[path] = min(size, cap) if cap else size
        return self._sizes[path]

    def share_out(self, budget: float, *, by_cap: bool) -> list[float]:
        """Share frames out among the leaves from the top down, by caps or in proportion to powers of the sizes."""
        given = [0.0] * len(self._leaves)
        self._give((), min(budget, self._sizes[()]) if by_cap else budget, given, by_cap=by_cap)
        return given

    def _give(self, path: tuple[str, ...], budget: float, given: list[float], *, by_cap: bool) -> None:
        if len(path) == self._depth:
            members = self._members.get(path, ())
            total = sum(self._leaves[i].frames for i in members)
            for i in members:
                given[i] = budget * self._leaves[i].frames / total if total else 0.0
            return
        children = self._children.get(path, ())
        sizes = [self._sizes[child] for child in children]
        if by_cap:
            cap = cap_for(sizes, budget)
            parts = [min(cap, size) for size in sizes]
        else:
            powers = [size**self._balance.alpha if size else 0.0 for size in sizes]
            parts = [budget * power / sum(powers) for power in powers] if any(powers) else sizes
        for child, part in zip(children, parts, strict=True):
            self._give(child, part, given, by_cap=by_cap)

    def probabilities(self) -> list[float]:
        """Probability of each leaf by alpha."""
        return self.share_out(1.0, by_cap=False)

    def without_repetition(self) -> list[float]:
        """Frames of each leaf in the proportions of alpha, as many as can be taken without one twice."""
        drawn = self.probabilities()
        most = min((self._bound(leaf) / p for leaf, p in zip(self._leaves, drawn, strict=True) if p > 0), default=0.0)
        return [p * most for p in drawn]

    def _bound(self, leaf: Leaf) -> float:
        """Frames of a leaf that its group counts for."""
        total = sum(self._leaves[i].frames for i in self._members[leaf.path])
        return leaf.frames * min(1.0, self._sizes[leaf.path] / total) if total else 0.0


def group_rows(videos: Sequence[CountedVideo], balance: Balance) -> list[GroupRow]:
    """What balancing makes of each group of the tree, groups before those in them, by name."""
    leaves = leaves_of(videos, balance)
    ids: dict[tuple[str, ...], set[str]] = defaultdict(set)
    sums: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for leaf, taken, share in zip(leaves, amounts(leaves, balance), shares(leaves, balance), strict=True):
        for depth in range(len(leaf.path) + 1):
            path = leaf.path[:depth]
            ids[path].add(leaf.video)
            for i, value in enumerate((leaf.frames, taken, share)):
                sums[path][i] += value
    return [GroupRow(path, len(ids[path]), *sums[path]) for path in sorted(sums)]


def effective_frames(weights: Mapping[str, float], videos: Sequence[CountedVideo]) -> float:
    """Frames that a sample with these weights is worth (Kish): ``1 / sum(w^2)`` over frames whose weights sum to 1."""
    squares = sum(video.frames * weights[video.id] ** 2 for video in videos)
    return 1 / squares if squares else 0.0


def procedure_rows(split: str, videos: Sequence[CountedVideo], balance: Balance) -> list[ProcedureRow]:
    """Count the videos, frames and hours of each procedure and weigh it.

    Args:
        split: Name of the split the videos belong to.
        videos: All videos of the split, each with at least one frame.
        balance: How.

    Returns:
        One row a procedure, by name.
    """
    count: dict[str, int] = defaultdict(int)
    frames: dict[str, float] = defaultdict(float)
    hours: dict[str, float] = defaultdict(float)
    weight: dict[str, float] = defaultdict(float)
    for video in videos:
        procedures = procedures_of(video)
        for procedure in procedures:
            count[procedure] += 1
            hours[procedure] += video.seconds / 3600 / len(procedures)
    leaves = leaves_of(videos, balance)
    for leaf, share in zip(leaves, shares(leaves, balance), strict=True):
        frames[leaf.procedure] += leaf.frames
        weight[leaf.procedure] += share
    return [ProcedureRow(split, name, count[name], frames[name], hours[name], weight[name]) for name in sorted(count)]


def frame_weights(videos: Sequence[CountedVideo], balance: Balance) -> dict[str, float]:
    """Probability with which a balanced sampler draws any one frame of a video.

    A frame takes its share of the weight of each procedure of its video. Over all frames of the split the
    probabilities sum to 1.

    Args:
        videos: All videos of one split.
        balance: How.

    Returns:
        Weight of one frame, by video id.
    """
    frames = {video.id: video.frames for video in videos}
    weights = dict.fromkeys(frames, 0.0)
    leaves = leaves_of(videos, balance)
    for leaf, share in zip(leaves, shares(leaves, balance), strict=True):
        weights[leaf.video] += share / frames[leaf.video] if frames[leaf.video] else 0.0
    return weights


def select_frames(videos: Sequence[CountedVideo], balance: Balance) -> dict[str, int]:
    """How many frames a selection takes of each video; those first by `frame_order`.

    Fractions are rounded up or down by the hash of the id, so that they are met over many videos, and so that an amount
    that grows never gives fewer frames.

    Args:
        videos: All videos that are balanced against one another.
        balance: How.

    Returns:
        Frames by video id, 0 to all of them.
    """
    leaves = leaves_of(videos, balance)
    wanted: dict[str, float] = defaultdict(float)
    for leaf, amount in zip(leaves, amounts(leaves, balance), strict=True):
        wanted[leaf.video] += amount
    return {video.id: min(video.frames, int(wanted[video.id] + _fraction(video.id) + 1e-6)) for video in videos}


def frame_order(place: int) -> int:
    """Rank of the frame at a place (from 0) when a video's frames are taken one after the other.

    The bits of the place are reversed (van der Corput), so that the frames taken first are spread evenly: 0, then the
    half, then the quarters.
    """
    return int(f"{place & 0xFFFFFFFF:032b}"[::-1], 2)


def _fraction(video_id: str) -> float:
    """A number in [0, 1) that depends on the id alone."""
    return int.from_bytes(hashlib.sha256(f"balance:{video_id}".encode()).digest()[:6], "big") / 2**48
