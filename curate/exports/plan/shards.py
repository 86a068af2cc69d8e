"""How an export is cut into shards, before anything is written.

A shard is some frames in a row. Where it begins and ends follows from what the artefacts tell of the sizes of the
sampled pictures: their footers are read and no picture is. Pictures that are encoded anew come out larger or smaller,
so a shard may fill its files less than it could, or take one file more; no file gets larger than the options allow.

Shards are filled one after the other, so a video that goes would move all cuts behind it. That ends at the next
landmark: a video that begins a shard whatever came before. Which videos are landmarks follows from their ids and sizes
alone, so an export with a video less, or more, has the same shards but for those between two landmarks.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from curate.corpus.classes import class_of
from curate.exports.plan.plan import Plan, PlannedVideo

PORTION = 128_000_000
"""Bytes of pictures of a shard whose size no option bounds."""

_FILL = 0.98
"""Share of the limit up to which a shard is planned: sizes within a row group are taken as equal."""

BOOK = 8
"""Shards from a landmark to the next, on average: the last of them is half full."""


@dataclass(frozen=True)
class Span:
    """Exported frames in a row of one video.

    Attributes:
        video: The video.
        start: Place of the first of them among the exported frames of the video.
        stop: Place after the last.
    """

    video: PlannedVideo
    start: int
    stop: int

    @property
    def frames(self) -> int:
        """How many they are."""
        return self.stop - self.start


@dataclass(frozen=True)
class Shard:
    """What one task writes.

    Attributes:
        part: What it is a part of: a split, or a class of a split.
        spans: Its frames.
    """

    part: str
    spans: tuple[Span, ...]

    @property
    def frames(self) -> int:
        """Frames in it."""
        return sum(span.frames for span in self.spans)

    @property
    def videos(self) -> tuple[PlannedVideo, ...]:
        """Its videos."""
        return tuple({span.video.id: span.video for span in self.spans}.values())

    def shows(self, video: str) -> bool:
        """Whether it holds frames of a video."""
        return any(span.video.id == video for span in self.spans)

    def without(self, video: str) -> Shard:
        """The same without the frames of a video; nothing else moves, so that no other shard changes."""
        return dataclasses.replace(self, spans=tuple(span for span in self.spans if span.video.id != video))


def is_landmark(video: str, share: float) -> bool:
    """Whether a video begins a shard whatever comes before it.

    Args:
        video: Its id.
        share: Of all videos as large as it, how many are to be landmarks, from 0; from 1 on all are.
    """
    return int.from_bytes(hashlib.sha256(f"landmark {video}".encode()).digest()[:8]) < share * 2**64


def cut(
    part: str, videos: Iterable[PlannedVideo], limit: float, *, beside: int = 0, book: float = BOOK
) -> Iterator[Shard]:
    """Cut the frames of some videos into shards: one if they fit, else from landmark to landmark.

    Args:
        part: Their name.
        videos: In order.
        limit: Bytes of a shard.
        beside: Bytes that each frame takes beside its picture.
        book: Shards from a landmark to the next, on average.
    """
    taken = list(videos)
    sizes = [sum(frames * (size + beside) for frames, size in video.sizes) for video in taken]
    if sum(sizes) <= limit * _FILL:
        book = math.inf
    spans: list[Span] = []
    room = limit * _FILL
    begun = False
    for video, whole in zip(taken, sizes, strict=True):
        if spans and is_landmark(video.id, whole / (book * limit)):
            yield Shard(part, tuple(spans))
            spans, room, begun = [], limit * _FILL, False
        start = at = 0
        for frames, size in video.sizes:
            while frames:
                fitting = min(frames, int(room // (size + beside)))
                if not fitting and begun:
                    if at > start:
                        spans.append(Span(video, start, at))
                    yield Shard(part, tuple(spans))
                    spans, start, room, begun = [], at, limit * _FILL, False
                    continue
                fitting = max(fitting, 1)
                frames, at, begun = frames - fitting, at + fitting, True
                room -= fitting * (size + beside)
        if at > start:
            spans.append(Span(video, start, at))
    if spans:
        yield Shard(part, tuple(spans))


def cut_evenly(part: str, videos: Iterable[PlannedVideo], count: int) -> Iterator[Shard]:
    """Cut the frames of some videos into shards with as many frames each, give or take one.

    Args:
        part: Their name.
        videos: In order.
        count: How many shards, of at least one frame.
    """
    taken = list(videos)
    total = sum(video.frames for video in taken)
    count = min(count, total)
    bounds = [total * (i + 1) // count for i in range(count)]
    spans: list[Span] = []
    done = shard = 0
    for video in taken:
        at = 0
        while at < video.frames:
            stop = min(video.frames, at + bounds[shard] - done)
            spans.append(Span(video, at, stop))
            done, at = done + stop - at, stop
            if done == bounds[shard]:
                yield Shard(part, tuple(spans))
                spans, shard = [], shard + 1


def by_split(plan: Plan, limit: float, *, beside: int = 0, book: float = BOOK, readers: int = 0) -> list[Shard]:
    """Shards of every split, in order.

    Args:
        plan: What is exported.
        limit: Bytes of a shard.
        beside: Bytes that each frame takes beside its picture.
        book: As for `cut`.
        readers: How many shards a split has at least, as far as it has frames.
    """
    found: list[Shard] = []
    for split, videos in plan.splits().items():
        shards = list(cut(split, videos, limit, beside=beside, book=book))
        if len(shards) < readers:
            shards = list(cut_evenly(split, videos, readers))
        found += shards
    return found


def by_class(plan: Plan, limit: float) -> list[Shard]:
    """Shards of every class of every split, ``{split}/{class}``, classes by name."""
    found: list[Shard] = []
    for split, videos in plan.splits().items():
        classes: dict[str, list[PlannedVideo]] = defaultdict(list)
        for video in videos:
            classes[class_of(video)].append(video)
        for name in sorted(classes):
            found += cut(f"{split}/{name}", classes[name], limit)
    return found


def by_video(plan: Plan) -> list[Shard]:
    """A shard a video, in the order of the splits."""
    videos = (video for split in plan.splits().values() for video in split)
    return [Shard(video.id, (Span(video, 0, video.frames),)) for video in videos]
