"""LEMON's two crops of black borders.

Facts from the LMDB step of the published code (visurg-ai/LEMON, ``create_lmdb_lemon``): black means a grey value of
exactly 0, by OpenCV's conversion. First the borders that are black throughout go, then the borders whose rows and
columns are more than 35 % black, both judged on what the first crop left. A frame of which no more than 100 rows or no
more than 50 columns are left is dropped. Where nothing would be left the crop is not made.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from curate.vision.boxes import Box

BLACK_SHARE = 0.35
"""Rows and columns with a larger share of black pixels belong to the border."""

FEWEST_ROWS = 100
FEWEST_COLUMNS = 50
"""A frame must be larger than this after the crops."""


def black_crop(image: npt.NDArray[np.uint8]) -> Box:
    """What is left of a frame after LEMON's first crop, of rows and columns that are black throughout.

    Args:
        image: RGB, uint8, shape (height, width, 3).

    Returns:
        Half-open box ``(x1, y1, x2, y2)`` in pixels.
    """
    return _not_black(_black(image))


def lemon_crop(image: npt.NDArray[np.uint8]) -> Box | None:
    """The part of a frame that LEMON keeps after both crops.

    Args:
        image: RGB, uint8, shape (height, width, 3).

    Returns:
        Half-open box ``(x1, y1, x2, y2)`` in pixels, or ``None`` where LEMON drops the frame.
    """
    black = _black(image)
    left, top, right, bottom = _not_black(black)
    rest = black[top:bottom, left:right]
    height, width = rest.shape
    rows = rest.sum(axis=1) <= BLACK_SHARE * width
    columns = rest.sum(axis=0) <= BLACK_SHARE * height
    x1, y1, x2, y2 = _bounds(rows, columns)
    if y2 - y1 <= FEWEST_ROWS or x2 - x1 <= FEWEST_COLUMNS:
        return None
    return left + x1, top + y1, left + x2, top + y2


def _black(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    import cv2

    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) == 0)


def _not_black(black: npt.NDArray[np.bool_]) -> Box:
    return _bounds(np.asarray(~black.all(axis=1)), np.asarray(~black.all(axis=0)))


def _bounds(rows: npt.NDArray[np.bool_], columns: npt.NDArray[np.bool_]) -> Box:
    """From the first to the last true row and column; everything where there is none."""
    ys, xs = np.flatnonzero(rows), np.flatnonzero(columns)
    if not len(ys) or not len(xs):
        return 0, 0, len(columns), len(rows)
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1
