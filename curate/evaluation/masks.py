"""How well the mask stage covers overlays, in pixels and boxes, with and without the evidence over time.

Every frame is decoded and looked at by the detectors once; what they found is then joined twice: with the frames around
it, as ``curate mask`` does, and alone, as for a still image.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.config import MaskOptions
from curate.evaluation.mask_frames import Judged, judged_frames
from curate.evaluation.mask_pictures import WORST, Picture, Worst, keep_worst
from curate.evaluation.mask_truth import IGNORE, Truth
from curate.nets.detect.regions import RegionFinder
from curate.records import Region
from curate.vision.boxes import Box, cover, iou

FOUND = 0.5
"""Intersection over union from which a box is found."""

WAYS = ("over time", "single frames")


@dataclass(frozen=True)
class Score:
    """What became of one frame.

    Attributes:
        drawn: Pixels of overlays, for each kind.
        covered: Those of them that are covered.
        overlays: Number of overlays, for each kind.
        found: Those of them that a region of their own meets with an IoU of at least `FOUND`.
        regions: Regions given, and
        right: those of them of which at least half is overlay, for a caption in a bar may have regions of its own.
        free: Pixels that belong to no overlay and no ignored area.
        lost: Those of them that are covered.
    """

    drawn: dict[str, int]
    covered: dict[str, int]
    overlays: dict[str, int]
    found: dict[str, int]
    regions: int
    right: int
    free: int
    lost: int


@dataclass
class Figures:
    """Sums of scores over frames."""

    drawn: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    covered: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    overlays: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    found: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    frames: int = 0
    clean: int = 0
    touched: int = 0
    regions: int = 0
    right: int = 0
    free: int = 0
    lost: int = 0

    def add(self, score: Score) -> None:
        """Count one frame."""
        for name in ("drawn", "covered", "overlays", "found"):
            for kind, count in getattr(score, name).items():
                getattr(self, name)[kind] += count
        self.frames += 1
        self.regions += score.regions
        self.right += score.right
        self.free += score.free
        self.lost += score.lost
        if not score.overlays:
            self.clean += 1
            self.touched += score.regions > 0

    def recall(self, kind: str | None = None) -> float | None:
        """Share of the overlay pixels that are covered, of one kind or of all; ``None`` without overlays."""
        kinds = self.drawn if kind is None else [kind]
        return share(sum(self.covered[k] for k in kinds), sum(self.drawn[k] for k in kinds))

    def summary(self) -> dict[str, Any]:
        """All figures, for a report."""
        return {
            "frames": self.frames,
            "pixel_recall": self.recall(),
            "surgical_pixels_lost": share(self.lost, self.free),
            "clean_frames": self.clean,
            "clean_frames_touched": self.touched,
            "regions": self.regions,
            "regions_right": self.right,
            "precision": share(self.right, self.regions),
            "kinds": {
                kind: {"overlays": self.overlays[kind], "found": self.found[kind], "pixel_recall": self.recall(kind)}
                for kind in sorted(self.drawn)
            },
        }


def share(part: int, whole: int) -> float | None:
    """Part of a whole; ``None`` where there is none."""
    return part / whole if whole else None


class Row(NamedTuple):
    """One frame in the report: where it is, how it was looked at, what became of it."""

    source: str
    time: float
    way: str
    score: Score


@dataclass
class MaskReport:
    """Everything measured.

    Attributes:
        figures: Sums for each of `WAYS`.
        rows: Every frame in each way.
        misses: Frames with the most overlay left when looked at over time, worst first; each overlay once.
        false_alarms: Frames with the most surgery covered, worst first.
    """

    figures: dict[str, Figures] = field(default_factory=lambda: {way: Figures() for way in WAYS})
    rows: list[Row] = field(default_factory=list)
    misses: list[Picture] = field(default_factory=list)
    false_alarms: list[Picture] = field(default_factory=list)


def evaluate(truths: Iterable[Truth], options: MaskOptions, rate: float = 1.0) -> MaskReport:
    """Find the regions of all frames of which the truth is known, and compare.

    Frames that are ignored wholly are looked at with those around them, and count for nothing.

    Args:
        truths: What is to be covered where.
        options: The detectors; as for ``curate mask``.
        rate: Frames a second taken from videos.

    Raises:
        CurateError: A model, an image or a video cannot be read.
    """
    finder = RegionFinder(options)
    report = MaskReport()
    misses, alarms = Worst(WORST), Worst(WORST)
    with tempfile.TemporaryDirectory() as scratch:
        for truth in truths:
            for judged, by_way in _looked_at(finder, judged_frames(truth, rate, Path(scratch))):
                for way, regions in zip(WAYS, by_way, strict=True):
                    score = score_of(judged, regions)
                    if not score.free and not score.overlays:
                        continue
                    report.figures[way].add(score)
                    report.rows.append(Row(judged.source, judged.time, way, score))
                keep_worst(misses, alarms, judged, by_way[0])
    report.misses, report.false_alarms = misses.pictures(), alarms.pictures()
    return report


def score_of(judged: Judged, regions: Sequence[Region]) -> Score:
    """Compare the regions of one frame with the truth.

    Ignored areas count for nothing, and neither do regions that meet only such areas.
    """
    height, width = judged.image.shape[:2]
    overlays = [one for one in judged.overlays if one.kind != IGNORE]
    ignored = cover([one.box for one in judged.overlays if one.kind == IGNORE], width, height)
    real = cover([one.box for one in overlays], width, height)
    painted = cover([region.box for region in regions], width, height)
    drawn, covered, count, found = (defaultdict[str, int](int) for _ in range(4))
    for kind in sorted({one.kind for one in overlays}):
        area = cover([one.box for one in overlays if one.kind == kind], width, height) & ~ignored
        drawn[kind], covered[kind] = int(area.sum()), int((area & painted).sum())
        count[kind] = sum(one.kind == kind for one in overlays)
    on_overlay = [float(real[r.y1 : r.y2, r.x1 : r.x2].mean()) for r in regions]
    ignorable = [bool(ignored[r.y1 : r.y2, r.x1 : r.x2].any()) for r in regions]
    counted = [on for on, skip in zip(on_overlay, ignorable, strict=True) if on > 0 or not skip]
    for index, _ in match([one.box for one in overlays], [region.box for region in regions]):
        found[overlays[index].kind] += 1
    free = ~real & ~ignored
    lost = int((painted & free).sum())
    return Score(drawn, covered, count, found, len(counted), sum(on >= 0.5 for on in counted), int(free.sum()), lost)


def match(truth: Sequence[Box], found: Sequence[Box]) -> list[tuple[int, int]]:
    """Pairs of boxes with an IoU of at least `FOUND`, best first, each box in one pair at most.

    Returns:
        Places in ``truth`` and in ``found``.
    """
    pairs = [(iou(one, other), i, j) for i, one in enumerate(truth) for j, other in enumerate(found)]
    taken: list[tuple[int, int]] = []
    for value, i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if value >= FOUND and all(i != a and j != b for a, b in taken):
            taken.append((i, j))
    return taken


def _looked_at(
    finder: RegionFinder, frames: Iterable[Judged]
) -> Iterator[tuple[Judged, tuple[list[Region], list[Region]]]]:
    """Each frame with its regions over time and alone."""
    waiting: dict[int, tuple[Judged, list[Region]]] = {}

    def shown() -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
        for judged in frames:
            ((_, alone),) = finder.find([(judged.n, judged.image)])
            waiting[judged.n] = (judged, alone)
            yield judged.n, judged.image

    for settled, regions in finder.find(shown()):
        seen, seen_alone = waiting.pop(settled)
        yield seen, (regions, seen_alone)
