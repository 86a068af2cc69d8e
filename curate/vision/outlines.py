"""Outlines of boxes that a program drew round its findings: long, thin, upright lines in one strong colour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from curate.vision.boxes import Box, clip_boxes, scale

Image = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

SHORT_SIDE = 360
"""Pictures are looked at with this short side in pixels, larger ones reduced."""

STRONG = 100
"""Difference between the largest and the smallest of red, green and blue from which a colour is a strong one."""

LONG, THICK = 72, 9
"""Pixels that a line is long at least, and thick at most."""

BESIDE = 2
"""Pixels beyond a line at which its neighbours are compared with it."""

APART = 0.85
"""Share of a line, on each side, whose neighbours are of weaker colour: the rim of a patch has some like itself."""

WEAKER = 40
"""How much weaker (0..255)."""


def find_outlines(image: Image) -> list[Box]:
    """Lines across and down, of outlines or alone.

    Args:
        image: RGB, uint8, shape (height, width, 3).

    Returns:
        Half-open boxes of single lines in pixels of the picture, top to bottom; those along its edge only where there
        is another one. What they enclose is not covered.
    """
    import cv2

    height, width = image.shape[:2]
    factor = SHORT_SIDE / min(height, width)
    small = image
    if factor < 1:
        small = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    rows, columns = small.shape[:2]
    red, green, blue = cv2.split(small)
    strength = np.asarray(
        cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)), np.uint8
    )
    if np.count_nonzero(strength >= STRONG) < LONG:  # many pictures: the rest costs half of it all
        return []
    lines = [(box, inside) for box, inside in _across(strength)]
    lines += [((y1, x1, y2, x2), inside) for (x1, y1, x2, y2), inside in _across(np.ascontiguousarray(strength.T))]
    found = [box for box, _ in lines] if any(inside for _, inside in lines) else []
    grown = clip_boxes(found, columns, rows, padding=1)
    return sorted((scale(box, (columns, rows), (width, height)) for box in grown), key=lambda box: (box[1], box[0]))


def _across(strength: Image) -> Iterator[tuple[Box, bool]]:
    """Lines from left to right, and whether there is picture on both sides."""
    import cv2

    strong = (strength >= STRONG).astype(np.uint8)
    thick = cv2.morphologyEx(strong, cv2.MORPH_OPEN, np.ones((THICK + 1, 1), np.uint8))
    thin, long = cv2.subtract(strong, thick), np.ones((1, LONG), np.uint8)
    if not cv2.erode(thin, long).any():  # most pictures: naming lines costs half of it all
        return
    lines = cv2.morphologyEx(thin, cv2.MORPH_OPEN, long)
    count, _, stats, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    for left, top, across, down, _ in stats[1:count].tolist():
        line = strength[top : top + down, left : left + across].max(axis=0).astype(np.int16)
        above, below = top - 1 - BESIDE, top + down + BESIDE
        sides = [strength[row, left : left + across] for row in (above, below) if 0 <= row < len(strength)]
        if down <= THICK and sides and all((line - side >= WEAKER).mean() >= APART for side in sides):
            yield (left, top, left + across, top + down), len(sides) == 2
