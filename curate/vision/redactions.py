"""Boxes of plain black or white that somebody covered a name, a date or a face with before the video got here."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from curate.vision.boxes import Box, clip_boxes, scale

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
    grown = clip_boxes(found, columns, rows, padding=1)
    return sorted((scale(box, (columns, rows), (width, height)) for box in grown), key=lambda box: (box[1], box[0]))


def _patches(plain: npt.NDArray[np.bool_]) -> Iterator[Box]:
    """Boxes of connected plain pixels that fill them, of a size between specks and borders."""
    import cv2

    rows, columns = plain.shape
    if np.count_nonzero(plain) < FULL * SMALLEST * rows * columns:  # most pictures: naming patches costs most of it all
        return
    count, _, stats, _ = cv2.connectedComponentsWithStats(plain.astype(np.uint8), connectivity=4)
    for left, top, across, down, pixels in stats[1:count].tolist():
        fits = across >= SIDES[0] and down >= SIDES[1] and across < BORDER * columns and down < BORDER * rows
        if fits and pixels >= FULL * across * down and SMALLEST <= across * down / (rows * columns) <= LARGEST:
            yield left, top, left + across, top + down


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
