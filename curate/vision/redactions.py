"""Boxes of plain black or white that somebody covered a name, a date or a face with before the video got here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import numpy.typing as npt

from curate.vision.boxes import Box, clip_boxes, scale, share_inside

Image = npt.NDArray[np.uint8]

SHORT_SIDE = 360
"""Pictures are looked at with this short side in pixels, larger ones reduced."""

DARK, DARK_RANGE = 24, 14
"""Highest luma of black, and most that it varies between neighbours (0..255): compressed black is not quite 0, and
takes on the colours around it."""

LIGHT, LIGHT_RANGE = 241, 6
"""Lowest luma of white, and most that it varies between neighbours."""

FULL = 0.93
"""Share of its box that a plain patch fills; shadows, glare and what surrounds a round picture fill less."""

SMALLEST, LARGEST = 0.0015, 0.35
"""Share of the picture that a box takes at least and at most."""

SIDES = (10, 8)
"""Width and height in pixels that a box has at least."""

BORDER = 0.9
"""Share of the picture's width or height from which a plain patch is a border, and no box."""

REACH = 3
"""Pixels beyond a patch at which the picture begins; compression softens what lies between."""

STEP, STEPS = 12, 0.7
"""Change of luma (0..255) across a side, and share of the side that has it: the edge of a drawn box is sharp."""


def find_redactions(image: Image) -> list[Box]:
    """Upright boxes of plain black or white inside a picture.

    Black ones are found as well where they run into each other or into a black surround, by a corner of theirs.

    Borders, and what surrounds a round picture, are none; neither is what is blurred or covered in another colour.

    Args:
        image: RGB, uint8, shape (height, width, 3).

    Returns:
        Half-open boxes in pixels of the picture, top to bottom.
    """
    import cv2

    height, width = image.shape[:2]
    factor = SHORT_SIDE / min(height, width)
    luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    if factor < 1:
        luma = np.asarray(cv2.resize(luma, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    rows, columns = luma.shape
    kernel = np.ones((3, 3), np.uint8)
    spread = cv2.dilate(luma, kernel) - cv2.erode(luma, kernel)
    black, white = (luma <= DARK) & (spread <= DARK_RANGE), (luma >= LIGHT) & (spread <= LIGHT_RANGE)
    found = [box for plain in (black, white) for box in _patches(plain) if _has_edges(luma, box)]
    found += [box for box in _at_corners(luma, black) if not any(share_inside(box, other) >= 0.5 for other in found)]
    grown = clip_boxes(found, columns, rows, padding=1)
    return sorted((scale(box, (columns, rows), (width, height)) for box in grown), key=lambda box: (box[1], box[0]))


def _patches(plain: npt.NDArray[np.bool_]) -> Iterator[Box]:
    """Boxes of connected plain pixels that fill them, of a size between specks and borders."""
    import cv2

    rows, columns = plain.shape
    least, most = FULL * SMALLEST * rows * columns, LARGEST * rows * columns
    if np.count_nonzero(plain) < least:  # most pictures: naming patches costs most of it all
        return
    # Without OpenCV's statistics of all patches, which take five times as long as naming them.
    _, labels = cv2.connectedComponents(plain.view(np.uint8), connectivity=4)
    sizes = np.bincount(labels.ravel())
    for label in 1 + np.flatnonzero((sizes[1:] >= least) & (sizes[1:] <= most)):
        left, top, across, down = cv2.boundingRect((labels == label).view(np.uint8))
        fits = across >= SIDES[0] and down >= SIDES[1] and across < BORDER * columns and down < BORDER * rows
        if fits and sizes[label] >= FULL * across * down and SMALLEST * rows * columns <= across * down <= most:
            yield left, top, left + across, top + down


def _at_corners(luma: npt.NDArray[np.uint8], black: npt.NDArray[np.bool_]) -> Iterator[Box]:
    """Boxes that run into one another or into a black surround, by a corner that reaches into the picture.

    What surrounds a round or an octagonal picture, and a border, only have corners that the picture reaches into.
    """
    rows, columns = black.shape
    if np.count_nonzero(black) < SMALLEST * rows * columns:
        return
    for down in (False, True):
        for left in (False, True):
            order = np.s_[:: -1 if down else 1, :: -1 if left else 1]
            for x1, y1, x2, y2 in _top_right_corners(luma[order], black[order]):
                across = (columns - x2, columns - x1) if left else (x1, x2)
                height = (rows - y2, rows - y1) if down else (y1, y2)
                yield across[0], height[0], across[1], height[1]


def _top_right_corners(luma: npt.NDArray[np.uint8], black: npt.NDArray[np.bool_]) -> Iterator[Box]:
    """Black boxes of which the upper right corner reaches into the picture, with a straight side on either hand."""
    rows, columns = black.shape
    tops = _upper_sides(luma, black)
    rights = _upper_sides(luma.T[::-1], black.T[::-1]) if tops else []
    for (x1, x2, y1), (top, y2, from_right) in product(tops, rights):
        if abs(columns - from_right - x2) > REACH or abs(top - y1) > REACH:
            continue
        while y2 < rows and black[y2, x1:x2].mean() >= FULL:
            y2 += 1
        while x1 > 0 and black[y1:y2, x1 - 1].mean() >= FULL:
            x1 -= 1
        across, down = x2 - x1, y2 - y1
        if across >= BORDER * columns or down >= BORDER * rows:
            continue
        fits = SMALLEST <= across * down / (rows * columns) <= LARGEST
        if not fits or black[y1:y2, x1:x2].mean() < FULL:
            continue
        inside = float(luma[y1:y2, x1:x2].mean())
        above = np.s_[y1 - REACH - 1, x1:x2]
        beside = np.s_[y1:y2, min(x2 + REACH - 1, columns - 1)]
        if all(((np.abs(luma[i] - inside) >= STEP) | black[i]).mean() >= FULL for i in (above, beside)):
            yield x1, y1, x2, y2


def _upper_sides(luma: npt.NDArray[np.uint8], black: npt.NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Straight upper sides of what is black below something else: from, to (excluded), and row."""
    rows, columns = black.shape
    upper = np.zeros((rows, columns + 1), np.int8)
    upper[REACH + 1 :, :-1] = black[REACH + 1 :] & ~black[REACH:-1]
    change = np.diff(upper.ravel(), prepend=np.int8(0))
    sides = []
    for first, end in zip(np.flatnonzero(change == 1), np.flatnonzero(change == -1), strict=True):
        if end - first < SIDES[0]:
            continue
        y, x1 = divmod(int(first), columns + 1)
        x2 = x1 + int(end - first)
        step = np.abs(luma[y - REACH - 1, x1:x2].astype(np.int16) - luma[y, x1:x2])
        if float((step >= STEP).mean()) >= STEPS:
            sides.append((x1, x2, y))
    return sides


def _has_edges(luma: npt.NDArray[np.uint8], box: Box) -> bool:
    """Whether the picture changes across every side of a box that does not lie at its edge."""
    rows, columns = luma.shape
    x1, y1, x2, y2 = box
    inside = float(luma[y1:y2, x1:x2].mean())
    beyond = []
    if x1 > REACH:
        beyond.append(luma[y1:y2, x1 - REACH - 1])
    if y1 > REACH:
        beyond.append(luma[y1 - REACH - 1, x1:x2])
    if x2 < columns - REACH:
        beyond.append(luma[y1:y2, x2 + REACH - 1])
    if y2 < rows - REACH:
        beyond.append(luma[y2 + REACH - 1, x1:x2])
    return all(float((np.abs(strip - inside) >= STEP).mean()) >= STEPS for strip in beyond)
