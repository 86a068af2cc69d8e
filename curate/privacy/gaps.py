"""What stands before a frame and after it stands in it as well: detectors lose a face or a caption for moments."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from curate.privacy.finder import in_order
from curate.records import Finding
from curate.vision.boxes import iou, union

LONGEST = 3
"""Frames that may lie between two findings of one thing."""

SAME_PLACE = 0.4
"""Intersection over union from which two findings of a kind are of one thing."""

MODEL = "between"
"""Named as the model of what is filled in."""

Frame = tuple[int, list[Finding]]
"""Number of a frame, and what was found in it."""


def fill_gaps(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Add to frames what was found in the same place shortly before and shortly after.

    The box is the hull of the two around the gap, and the score the lower one. Nothing is added where the frames around
    the gap are more than `LONGEST` numbers apart, and a few frames are held at a time.

    Args:
        frames: In rising order of their numbers.
    """
    held: deque[Frame] = deque()
    for n, found in frames:
        while held and held[0][0] < n - LONGEST - 1:
            yield _sorted(held.popleft())
        for finding in found:
            _fill(held, finding)
        held.append((n, found))
    for frame in held:
        yield _sorted(frame)


def _fill(held: deque[Frame], finding: Finding) -> None:
    """Put a finding that was there before into the held frames that lack it."""
    lacking: list[list[Finding]] = []
    for _, found in reversed(held):
        alike = [other for other in found if _overlap(finding, other) >= SAME_PLACE]
        seen = [other for other in alike if other.model != MODEL]
        if seen:
            before = max(seen, key=lambda other: _overlap(finding, other))
            for gap in lacking:
                gap.append(_between(before, finding))
            return
        if not alike:
            lacking.append(found)


def _between(before: Finding, after: Finding) -> Finding:
    x1, y1, x2, y2 = union((before.box, after.box))
    return after._replace(score=min(before.score, after.score), x1=x1, y1=y1, x2=x2, y2=y2, model=MODEL)


def _overlap(one: Finding, other: Finding) -> float:
    """Intersection over union of two findings of a kind; 0 for others."""
    if one.kind != other.kind:
        return 0.0
    return iou(one.box, other.box)


def _sorted(frame: Frame) -> Frame:
    n, found = frame
    return n, in_order(found)
