"""The worst frames of an evaluation of masks, kept small."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from curate.evaluation.mask_frames import Image, Judged
from curate.evaluation.mask_truth import IGNORE
from curate.records import Region
from curate.vision.boxes import Box, cover

WORST = 24
"""Pictures kept of the worst misses and of the worst false alarms."""

TILE = (400, 225)
"""Width and height in pixels within which those pictures are kept."""


class Picture(NamedTuple):
    """A frame made small.

    Attributes:
        badness: By which the worst are chosen.
        source: Name of the frame's file.
        time: Seconds, or place in its sequence.
        image: RGB, uint8, within `TILE`.
        truth: Boxes that were to be covered, in pixels of ``image``.
        regions: Boxes that are covered.
    """

    badness: float
    source: str
    time: float
    image: Image
    truth: tuple[Box, ...]
    regions: tuple[Box, ...]


class Worst:
    """The worst pictures, one for each key.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[tuple[object, ...], Picture] = {}

    def offer(self, key: tuple[object, ...], picture: Picture) -> None:
        """Keep a picture if it is among the worst and the worst of its key."""
        if key not in self._kept or self._kept[key].badness < picture.badness:
            self._kept[key] = picture
        if len(self._kept) > 2 * self._most:
            worst = heapq.nlargest(self._most, self._kept.items(), key=lambda item: item[1].badness)
            self._kept = dict(worst)

    def pictures(self) -> list[Picture]:
        """What was kept, worst first."""
        return heapq.nlargest(self._most, self._kept.values(), key=lambda picture: picture.badness)


def keep_worst(misses: Worst, alarms: Worst, judged: Judged, regions: Sequence[Region]) -> None:
    """Offer a frame to the worst misses, once for each overlay, and to the worst false alarms."""
    import cv2

    height, width = judged.image.shape[:2]
    painted = cover([region[:4] for region in regions], width, height)
    overlays = [one for one in judged.overlays if one.kind != IGNORE]
    missed = []
    for one in overlays:
        x1, y1, x2, y2 = one.box
        left = ~painted[max(y1, 0) : y2, max(x1, 0) : x2]
        # A small overlay that is missed wholly is as bad as a large one that is missed by a tenth.
        missed.append(float(left.mean()) * float(left.size) ** 0.25 if left.size else 0.0)
    lost = float((painted & ~cover([one.box for one in judged.overlays], width, height)).mean())
    if not any(missed) and not lost:
        return
    scale = min(TILE[0] / width, TILE[1] / height)
    small = cv2.resize(
        judged.image, (max(int(width * scale), 1), max(int(height * scale), 1)), interpolation=cv2.INTER_AREA
    )
    truth = tuple(_scaled(one.box, scale) for one in overlays)
    boxes = tuple(_scaled(region[:4], scale) for region in regions)
    image = np.asarray(small, dtype=np.uint8)
    for one, badness in zip(overlays, missed, strict=True):
        if badness:
            key = (judged.source.split("/")[0], one.kind, one.box)
            misses.offer(key, Picture(badness, judged.source, judged.time, image, truth, boxes))
    if lost:
        alarms.offer(
            (judged.source, int(judged.time) // 10), Picture(lost, judged.source, judged.time, image, truth, boxes)
        )


def _scaled(box: Box, scale: float) -> Box:
    x1, y1, x2, y2 = (round(v * scale) for v in box)
    return x1, y1, x2, y2
