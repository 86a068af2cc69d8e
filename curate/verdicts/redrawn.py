"""The boxes of a frame as people corrected them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from curate.records import BoxDecision, Region
from curate.vision.boxes import clip, iou, scale

REVIEWER = "reviewer"
"""What boxes that a person drew have for a model."""

SAME = 0.5
"""Intersection over union from which on a found box is the one that a person deleted: another model finds it again a
little elsewhere."""


def redrawn(regions: Sequence[Region], boxes: Iterable[BoxDecision], at: int, size: tuple[int, int]) -> list[Region]:
    """Apply decisions to the regions of a frame.

    Args:
        regions: As they were found.
        boxes: Decisions about the video, in order.
        at: Milliseconds of the frame.
        size: Its width and height; boxes drawn on frames of another size are scaled.

    Returns:
        Regions, those that people added with score 1.
    """
    left = list(regions)
    for decision in boxes:
        if not decision.at <= at <= decision.until:
            continue
        box = clip(scale(decision.box, decision.size, size), (0, 0, *size))
        if box is None:
            continue
        if decision.action == "add":
            left.append(Region(*box, decision.kind, 1.0, REVIEWER))
            continue
        overlaps = [iou(region.box, box) for region in left]
        if overlaps and max(overlaps) >= SAME:
            del left[overlaps.index(max(overlaps))]
    return left
