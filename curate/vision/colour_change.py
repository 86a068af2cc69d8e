"""How alike two pictures are in their colours; another shot seldom has those of the one before."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Colours = npt.NDArray[np.float32]

LEVELS = 8
"""Steps of each channel."""

_SIDE = 64
"""Both sides in pixels of the picture whose colours are counted; small, so that noise averages out."""


def colours(image: Image) -> Colours:
    """Square roots of the shares of each colour.

    Args:
        image: uint8 RGB (H, W, 3).

    Returns:
        float32 (512,), of length 1.
    """
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    counts = cv2.calcHist([small], [0, 1, 2], None, [LEVELS] * 3, [0, 256] * 3).ravel()
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)


def change(before: Colours, after: Colours) -> float:
    """Hellinger distance of two pictures' colours: 0 where they are the same, 1 where they share none."""
    alike = float(before.astype(np.float64) @ after.astype(np.float64))
    return float(np.sqrt(max(0.0, 1.0 - alike)))
