"""What videos share with one another, by the hashes of their frames.

Every hash of the corpus stands in one index. Those of a video, of its mirror image and of its parts are looked up in
it; each hit votes for an offset in time between the two videos. Where at least two different pictures vote for one,
the two videos are laid beside one another at that offset, all frames are compared, also those that are not near enough
to be looked up, and the stretches in which they agree are kept. So an excerpt is a run in order and not a bag of
look-alike pictures, of which surgery has many.

Frames without content stay out, and those that hardly differ from the one before stand in the index once: black,
blank and frozen frames would link everything. A picture that is found in very many videos tells nothing either.

Memory: some 200 bytes a second of video, in two indexes and beside them, and all hashes of one video at a time.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.config import DedupOptions
from curate.vision.perceptual_hash import BITS, BYTES, Codes, distances
from curate.workspace.tables.duplicates import Match
from curate.workspace.tables.signatures import Signature, read_signature

EXACT_UP_TO = 50_000
"""Hashes up to which every pair is compared; above that, those in the nearest cells of the index only."""

PROBES = 64
"""Cells that are looked into."""

CROWD = 1000
"""A picture that is found in more videos tells nothing."""

STILL = 10
"""Bits up to which a picture counts as the same as the one before: encoding changes as many."""

MORE = 8
"""Bits by which frames on a diagonal may differ beyond what is looked up: few pictures are compared there."""

SAME_OFFSET = 1.5
"""Seconds by which two offsets may differ and be the same."""

CLEAR = 0.8
"""Share of the frames of a stretch, and of the shorter video, from which no other view is tried at its offset."""

NEAR = 24
"""And the mean number of bits up to which that is so."""

MISS = 0.5
"""What a frame that does not agree costs, where one that does is worth 1."""

FRAME = 40
"""Bits by which whole frames may differ: black corners of one shape are alike in all videos of one endoscope. They are
looked up as well since the field of view is not always found in a copy as it was in the original."""

_BLOCK = 512
_MOST_HITS = 1 << 28
_DIAGONALS = 8
_SEED = 20


@dataclass(frozen=True)
class Signed:
    """A video that has a signature.

    Attributes:
        id: Of the video.
        path: Of its table of hashes.
    """

    id: str
    path: Path


@dataclass(frozen=True)
class _Hashed:
    """The informative frames of one video.

    Attributes:
        times: Seconds, (rows,).
        whole: Hashes of the field of view, (rows, 32).
        mirror: Of its mirror image.
        crops: Of its parts, (rows, crops, 32).
        frame: Of all of the frame.
        new: Whether each differs from the last one that did.
        spacing: Seconds that a row stands for.
        pixels: Area of the frames.
    """

    times: npt.NDArray[np.float64]
    whole: Codes
    mirror: Codes
    crops: Codes
    frame: Codes
    new: npt.NDArray[np.bool_]
    spacing: float
    pixels: int

    @property
    def seconds(self) -> float:
        """What all rows stand for."""
        return len(self.times) * self.spacing

    def against(self, name: str) -> Codes:
        """The hashes that are looked up in: ``whole`` or ``frame``."""
        return self.frame if name == "frame" else self.whole

    def views(self, radius: int) -> list[_View]:
        """What is looked up: the field, its mirror image, all of the frame, and the parts of the field."""
        parts = (self.crops[:, i] for i in range(self.crops.shape[1]))
        return [
            _View(self.whole, radius),
            _View(self.mirror, radius, mirrored=True),
            _View(self.frame, min(radius, FRAME), against="frame"),
            *(_View(part, radius, one_sided=True) for part in parts),
        ]


@dataclass(frozen=True)
class _View:
    """Hashes of a video that are looked up among those of others.

    Attributes:
        codes: One a row.
        radius: Bits by which others may differ.
        against: Which hashes of the others.
        mirrored: Whether they are of the mirror image.
        one_sided: Whether the other video's own view of this kind does not find the same.
    """

    codes: Codes
    radius: int
    against: str = "whole"
    mirrored: bool = False
    one_sided: bool = False


def find_matches(
    videos: Sequence[Signed], options: DedupOptions, progress: Callable[[int], object] = lambda videos: None
) -> list[Match]:
    """Find all stretches that pairs of videos share.

    Args:
        videos: With distinct ids, in any order.
        options: ``distance`` and ``quality``; what is applied later (`curate.corpus.duplicates`) does not matter here.
        progress: Called with the number of videos looked up so far.

    Returns:
        Matches in order.

    Raises:
        BadArtefact: A signature cannot be read.
    """
    videos = sorted(videos, key=lambda video: video.id)
    search = _Search(videos, options)
    found: list[Match] = []
    for i in range(len(videos)):
        found += search.matches_of(i)
        progress(i + 1)
    return sorted(_distinct(found))


def make_index(codes: Codes) -> Any:
    """A faiss index over hashes: of all pairs for few, of cells for many; the same hashes give the same index.

    Args:
        codes: uint8, (hashes, 32).
    """
    import faiss

    if len(codes) <= EXACT_UP_TO:
        exact = faiss.IndexBinaryFlat(BITS)
        exact.add(codes)
        return exact
    cells = 1 << round(math.log2(4 * math.sqrt(len(codes))))
    index = faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(BITS), BITS, cells)
    index.cp.seed, index.cp.niter, index.cp.max_points_per_centroid = _SEED, 8, 40
    chosen = np.random.default_rng(_SEED).choice(len(codes), min(len(codes), 40 * cells), replace=False)
    index.train(codes[np.sort(chosen)])
    index.add(codes)
    index.nprobe = PROBES
    return index


class _Search:
    """The indexes over some videos, and the looking up of each of them."""

    def __init__(self, videos: Sequence[Signed], options: DedupOptions) -> None:
        self._videos = videos
        self._radius = options.distance
        self._quality = options.quality
        self._known: dict[tuple[int, int, bool], list[float]] = {}
        self._others = [_without_views(self._read(i)) for i in range(len(videos))]
        counts = [int(video.new.sum()) for video in self._others]
        self._owners = np.repeat(np.arange(len(videos), dtype=np.int32), counts)
        self._times = np.concatenate(
            [np.zeros(0, np.float32), *(video.times[video.new].astype(np.float32) for video in self._others)]
        )
        self._indexes = {name: self._index(name) for name in ("whole", "frame")}

    def _index(self, name: str) -> Any:
        empty = np.zeros((0, BYTES), np.uint8)
        return make_index(np.concatenate([empty, *(video.against(name)[video.new] for video in self._others)]))

    def _read(self, i: int) -> _Hashed:
        return informative(read_signature(self._videos[i].path), self._quality)

    def matches_of(self, i: int) -> list[Match]:
        """What a video shares with those before it, and what parts of it share with any."""
        query = self._read(i)
        found = []
        for view in query.views(self._radius):
            for other, offsets in self._candidates(i, query, view):
                for offset in offsets:
                    if self._is_known(i, other, view.mirrored, offset):
                        continue
                    for stretch in _stretches(query, view, self._others[other], offset):
                        if stretch.is_clear(len(query.times), len(self._others[other].times)):
                            self._known.setdefault((i, other, view.mirrored), []).append(stretch.offset)
                        found.append(self._match(i, query, other, stretch, mirrored=view.mirrored))
        return list(_distinct(found))

    def _is_known(self, i: int, other: int, mirrored: bool, offset: float) -> bool:
        """Whether two videos were found to agree at an offset already, by another view."""
        there = (known for known in self._known.get((i, other, mirrored), ()))
        back = (-known for known in self._known.get((other, i, mirrored), ()))
        return any(abs(known - offset) <= SAME_OFFSET for known in (*there, *back))

    def _candidates(self, i: int, query: _Hashed, view: _View) -> Iterator[tuple[int, list[float]]]:
        """Videos that may share something with one, and the offsets in time at which to look."""
        rows, hits = self._hits(view, query.new)
        owners = self._owners[hits]
        wanted = owners != i if view.one_sided else owners < i
        rows, hits, owners = rows[wanted], hits[wanted], owners[wanted]
        offsets = self._times[hits] - query.times[query.new][rows]
        for other in np.unique(owners):
            mine = owners == other
            if chosen := _diagonals(rows[mine], offsets[mine]):
                yield int(other), chosen

    def _hits(self, view: _View, new: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows of a view and places in the index that are near one another."""
        codes, index = view.codes[new], self._indexes[view.against]
        rows, hits = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        size = max(min(_BLOCK, _MOST_HITS // max(len(self._owners), 1)), 1)  # of pairs, should all be near
        for start in range(0, len(codes), size):
            block = np.ascontiguousarray(codes[start : start + size])
            limits, _, places = index.range_search(block, view.radius + 1)  # faiss: below the radius
            owner = np.repeat(np.arange(len(block)), np.diff(limits.astype(np.int64)))
            pairs = np.unique(np.stack([owner, self._owners[places]]), axis=1)
            few = np.bincount(pairs[0], minlength=len(block))[owner] <= CROWD
            rows.append(start + owner[few])
            hits.append(places[few].astype(np.int64))
        return np.concatenate(rows), np.concatenate(hits)

    def _match(self, i: int, query: _Hashed, other: int, stretch: _Stretch, *, mirrored: bool) -> Match:
        """A stretch as a row of the table, the smaller id first."""
        video, shift = self._others[other], stretch.offset
        here = self._videos[i].id, stretch.start, stretch.end, query.seconds, query.pixels
        there = self._videos[other].id, stretch.start + shift, stretch.end + shift, video.seconds, video.pixels
        if here[0] > there[0]:
            here, there, shift = there, here, -shift
        return Match(
            a=here[0],
            b=there[0],
            start_a=here[1],
            end_a=here[2],
            start_b=there[1],
            end_b=there[2],
            offset=shift,
            matched_seconds=stretch.matched * query.spacing,
            mirrored=mirrored,
            matched=stretch.matched,
            frames=stretch.frames,
            pictures=stretch.pictures,
            distance=stretch.distance,
            score=max(1 - stretch.distance / (BITS / 2), 0.0) * stretch.matched / stretch.frames,
            similarity=None,
            seconds_a=here[3],
            seconds_b=there[3],
            pixels_a=here[4],
            pixels_b=there[4],
        )


def informative(signature: Signature, quality: int) -> _Hashed:
    """The frames of a signature that have enough content, and which of them are new."""
    kept = signature.quality >= quality
    whole = signature.whole[kept]
    new = np.zeros(len(whole), bool)
    last = None
    steps = distances(whole[1:], whole[:-1]) if len(whole) > 1 else np.zeros(0)
    for row in range(len(whole)):
        # Most frames differ from the one before by far; only of the others is the last new one to be asked.
        if last is None or (row > 0 and steps[row - 1] > 4 * STILL) or distances(whole[row], whole[last]) > STILL:
            new[row], last = True, row
    return _Hashed(
        signature.timestamps[kept],
        whole,
        signature.mirror[kept],
        signature.crops[kept],
        signature.frame[kept],
        new,
        signature.spacing,
        signature.width * signature.height,
    )


def _without_views(video: _Hashed) -> _Hashed:
    """A video with those hashes only that are looked up in."""
    none = np.zeros((0, BYTES), np.uint8)
    return dataclasses.replace(video, mirror=none, crops=none)


def _diagonals(rows: npt.NDArray[np.int64], offsets: npt.NDArray[np.float64]) -> list[float]:
    """Offsets, in whole seconds, for which at least two rows vote, those with the most votes."""
    seconds = np.rint(offsets).astype(np.int64)
    votes = np.unique(np.stack([seconds, rows], axis=1), axis=0)
    values, counts = np.unique(votes[:, 0], return_counts=True)
    total = dict(zip(values.tolist(), counts.tolist(), strict=True))
    around = {value: sum(total.get(value + step, 0) for step in (-1, 0, 1)) for value in total}
    best = sorted(
        (value for value in around if around[value] >= 2), key=lambda value: (-around[value], -total[value], value)
    )
    chosen: list[int] = []
    for value in best:
        if len(chosen) < _DIAGONALS and all(abs(value - other) > 1 for other in chosen):
            chosen.append(value)
    return [float(value) for value in chosen]


@dataclass(frozen=True)
class _Stretch:
    """A part of one video that agrees with another at one offset; see `Match`."""

    start: float
    end: float
    offset: float
    matched: int
    frames: int
    pictures: int
    distance: float

    def is_clear(self, *rows: int) -> bool:
        """Whether it says all that is to be said of two videos of some rows at its offset."""
        whole = self.matched >= CLEAR * self.frames and self.frames >= CLEAR * min(rows)
        return whole and self.distance <= NEAR


def _stretches(query: _Hashed, view: _View, other: _Hashed, offset: float) -> Iterator[_Stretch]:
    """The stretches in which one video agrees with another at an offset.

    Each frame is compared with those of the other video around its own time there. The best run is taken, agreeing
    frames counting 1 and others ``-MISS``, and so on among what is left beside it.
    """
    near, place = _compare(query, view, other, offset)
    agrees = near <= view.radius + MORE
    worth = np.where(agrees, 1.0, -MISS)
    pending = [(0, len(worth))]
    while pending:
        low, high = pending.pop()
        start, end = _best_run(worth, low, high)
        matched = np.flatnonzero(agrees[start:end]) + start
        if len(matched) < 2:
            continue
        pending += [(low, start), (end, high)]
        shift = float(np.median(other.times[place[matched]] - query.times[matched]))
        yield _Stretch(
            start=float(query.times[start]),
            end=float(query.times[end - 1]) + query.spacing,
            offset=shift,
            matched=len(matched),
            frames=end - start,
            pictures=int(min(query.new[matched].sum(), other.new[np.unique(place[matched])].sum() + 1)),
            distance=float(near[matched].mean()),
        )


def _compare(
    query: _Hashed, view: _View, other: _Hashed, offset: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Distance of each frame to the nearest picture around its own time in another video, and where that stands."""
    wanted = query.times + offset
    after = np.searchsorted(other.times, wanted)
    near = np.full(len(wanted), BITS, np.int32)
    place = np.zeros(len(wanted), np.int64)
    for step in (-2, -1, 0, 1):
        at = after + step
        there = (at >= 0) & (at < len(other.times))
        there[there] = np.abs(other.times[at[there]] - wanted[there]) <= max(other.spacing, 1.0)
        found = distances(view.codes[there], other.against(view.against)[at[there]])
        better = np.flatnonzero(there)[found < near[there]]
        near[better] = found[found < near[there]]
        place[better] = at[better]
    return near, place


def _best_run(worth: npt.NDArray[np.float64], low: int, high: int) -> tuple[int, int]:
    """The run of the largest sum between two places, the first of several; empty if none is above zero."""
    total = np.concatenate([[0.0], np.cumsum(worth[low:high])])
    lowest = np.minimum.accumulate(total)
    end = int(np.argmax(total - lowest))
    start = int(np.argmin(total[: end + 1]))
    return low + start, low + end


def _distinct(matches: Iterable[Match]) -> Iterator[Match]:
    """Matches without those that a better one of the same two videos tells too."""
    kept: dict[tuple[str, str], list[Match]] = {}
    for match in sorted(matches, key=lambda match: (-match.matched, match.distance, match)):
        others = kept.setdefault((match.a, match.b), [])
        if not any(_same_stretch(match, other) for other in others):
            others.append(match)
            yield match


def _same_stretch(match: Match, other: Match) -> bool:
    """Whether more than half of a match lies in another one, in both videos."""
    shared_a = min(match.end_a, other.end_a) - max(match.start_a, other.start_a)
    shared_b = min(match.end_b, other.end_b) - max(match.start_b, other.start_b)
    half = (match.end_a - match.start_a) / 2
    return shared_a > half and shared_b > half
