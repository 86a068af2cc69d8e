"""Boxes in pictures: the arithmetic of upright rectangles, in one place.

A box is half open: ``(x1, y1, x2, y2)`` in pixels, with ``x2`` and ``y2`` exclusive. What carries more than a box, such
as a `curate.records.Region`, has it as ``box``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Box = tuple[int, int, int, int]
"""``(x1, y1, x2, y2)`` in pixels, half open."""

Size = tuple[int, int]
"""Width and height of a picture in pixels."""


class ScoredBox(NamedTuple):
    """A box of something found in a picture, and how sure that is (0..1)."""

    x1: int
    y1: int
    x2: int
    y2: int
    score: float

    @property
    def box(self) -> Box:
        """``(x1, y1, x2, y2)``."""
        return self[:4]


def area(box: Box) -> int:
    """Pixels in a box."""
    return (box[2] - box[0]) * (box[3] - box[1])


def intersection(a: Box, b: Box) -> int:
    """Pixels that two boxes share."""
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)


def iou(a: Box, b: Box) -> float:
    """Intersection over union; 0 for boxes that share nothing."""
    shared = intersection(a, b)
    return shared / (area(a) + area(b) - shared) if shared else 0.0


def share_inside(inner: Box, outer: Box) -> float:
    """Share of a box that lies in another one, 0..1; 0 for a box without area."""
    shared = intersection(inner, outer)
    return shared / area(inner) if shared else 0.0


def contains(outer: Box, inner: Box) -> bool:
    """Whether a box lies in another one as a whole."""
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def union(boxes: Iterable[Box]) -> Box:
    """The smallest box around some, at least one."""
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return min(x1), min(y1), max(x2), max(y2)


def grow(box: Box, pixels: int) -> Box:
    """A box that reaches farther on every side."""
    return box[0] - pixels, box[1] - pixels, box[2] + pixels, box[3] + pixels


def clip(box: Box, within: Box) -> Box | None:
    """The part of a box that lies in another one; ``None`` where nothing does."""
    x1, y1 = max(box[0], within[0]), max(box[1], within[1])
    x2, y2 = min(box[2], within[2]), min(box[3], within[3])
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def clip_boxes(boxes: Sequence[Box], width: int, height: int, *, padding: int = 0) -> list[Box]:
    """Boxes grown by ``padding`` on every side and clipped to the image; those left without area are dropped.

    Args:
        boxes: Half-open boxes in pixels; may reach over the image's edge.
        width: Image width in pixels.
        height: Image height in pixels.
        padding: Pixels to grow by, at least 0.

    Raises:
        ValueError: ``padding`` is negative.
    """
    if padding < 0:
        raise ValueError(f"padding must be at least 0 pixels, got {padding}")
    image = (0, 0, width, height)
    grown = (clip(grow(box, padding), image) for box in boxes if box[2] > box[0] and box[3] > box[1])
    return [box for box in grown if box]


def scale(box: Box, old: Size, new: Size) -> Box:
    """A box in a picture of another size, grown to whole pixels.

    Args:
        box: In pixels of the old picture.
        old: Size of the old picture.
        new: Size of the new one.
    """
    (across, down), (width, height) = old, new
    x1, y1, x2, y2 = box
    return x1 * width // across, y1 * height // down, -(-x2 * width // across), -(-y2 * height // down)


def cover(boxes: Sequence[Box], width: int, height: int) -> npt.NDArray[np.bool_]:
    """Which pixels the boxes cover.

    Returns:
        bool, shape (height, width).
    """
    mask = np.zeros((height, width), dtype=bool)
    for x1, y1, x2, y2 in clip_boxes(boxes, width, height):
        mask[y1:y2, x1:x2] = True
    return mask


def suppress(
    boxes: npt.NDArray[Any],
    scores: npt.NDArray[Any],
    limit: float,
    *,
    classes: npt.NDArray[Any] | None = None,
    most: int | None = None,
) -> npt.NDArray[np.intp]:
    """Greedy non-maximum suppression.

    Args:
        boxes: Corners ``x1, y1, x2, y2``, integers or floats, shape (n, 4).
        scores: Shape (n,).
        limit: Intersection over union with a better box above which a box goes.
        classes: Only boxes of one class suppress each other; shape (n,). All do without.
        most: How many stay at most.

    Returns:
        Places of the boxes that stay, best first, of equal scores the first first; shape (at most n,).
    """
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    waiting = np.argsort(-scores, kind="stable")
    kept: list[np.intp] = []
    while waiting.size and (most is None or len(kept) < most):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        low = np.maximum(boxes[best, :2], boxes[waiting, :2])
        high = np.minimum(boxes[best, 2:], boxes[waiting, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        overlap = shared / np.maximum(areas[best] + areas[waiting] - shared, np.finfo(np.float32).tiny)
        stays = overlap <= limit
        if classes is not None:
            stays |= classes[waiting] != classes[best]
        waiting = waiting[stays]
    return np.array(kept, dtype=np.intp)
