"""Painting over boxes of an image, as the exporter does.

Boxes are half open, ``(x1, y1, x2, y2)`` in pixels with ``x2`` and ``y2`` exclusive, as in the ``regions`` table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from curate.vision.boxes import Box, clip_boxes, cover

Image = npt.NDArray[np.uint8]
Fill = Literal["black", "blur", "mean", "inpaint", "none"]

FILLS: tuple[str, ...] = get_args(Fill)
"""How a box can be painted; ``black`` is what LEMON does, ``none`` leaves the pixels alone."""

MEAN_MARGIN = 16
"""Width in pixels of the surroundings that ``mean`` averages."""

FINE = 8.0
"""Standard deviation in pixels up to which a blur is computed at full size. What is blurred more is shrunk first: it
has no detail left, and the time of a blur grows with its width (half a second for a picture-in-picture in 720p)."""

INPAINT_RADIUS = 3
"""Neighbourhood in pixels of the inpainting."""


def paint(image: npt.NDArray[np.uint8], boxes: Sequence[Box], *, fill: str = "black", padding: int = 0) -> Image:
    """Paint over boxes and return a new image; pixels outside the grown boxes keep their values.

    Args:
        image: uint8, shape (height, width, 3); left as it is.
        boxes: Half-open boxes in pixels; may overlap and reach over the image's edge.
        fill: ``black``; ``blur``, a Gaussian of half the short side of the box, so that no text in it can be read;
            ``mean``, one colour, the mean of the unpainted pixels around the box; ``inpaint``, Telea's method (A.
            Telea, "An Image Inpainting Technique Based on the Fast Marching Method", 2004); ``none``.
        padding: Pixels by which every box is grown on every side.

    Returns:
        uint8, shape of ``image``. The same input always gives the same bytes; the order of the boxes does not matter.

    Raises:
        ValueError: Not a uint8 image of three channels, an unknown ``fill``, or a negative ``padding``.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"expected a uint8 image of shape (height, width, 3), got {image.dtype} {image.shape}")
    if fill not in FILLS:
        raise ValueError(f"unknown fill {fill!r}; known: {', '.join(FILLS)}")
    height, width = image.shape[:2]
    clipped = sorted(set(clip_boxes(boxes, width, height, padding=padding)))
    if fill == "none" or not clipped:
        return image.copy()
    painter: dict[str, Callable[[Image, list[Box]], Image]] = {
        "black": _black,
        "blur": _blur,
        "mean": _mean,
        "inpaint": _inpaint,
    }
    return painter[fill](image, clipped)


def _black(image: Image, boxes: list[Box]) -> Image:
    painted = image.copy()
    for x1, y1, x2, y2 in boxes:
        painted[y1:y2, x1:x2] = 0
    return painted


def _blur(image: Image, boxes: list[Box]) -> Image:
    """Every box shows the blurred original, so overlapping boxes do not depend on their order."""
    painted = image.copy()
    height, width = image.shape[:2]
    for x1, y1, x2, y2 in sorted(boxes, key=lambda box: (box[3] - box[1]) * (box[2] - box[0])):
        sigma = max(2.0, min(y2 - y1, x2 - x1) / 2)
        reach = int(3 * sigma)
        left, top = max(x1 - reach, 0), max(y1 - reach, 0)
        patch = image[top : min(y2 + reach, height), left : min(x2 + reach, width)]
        blurred = _gaussian(patch, sigma)
        painted[y1:y2, x1:x2] = blurred[y1 - top : y2 - top, x1 - left : x2 - left]
    return painted


def _gaussian(patch: Image, sigma: float) -> Image:
    """A patch blurred by a Gaussian of some standard deviation in pixels; a wide one to within a few grey levels."""
    import cv2

    shrink = max(int(sigma / FINE), 1)
    height, width = patch.shape[:2]
    small = patch
    if shrink > 1:
        size = (max(width // shrink, 1), max(height // shrink, 1))
        small = np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma / shrink, borderType=cv2.BORDER_REPLICATE)
    if shrink > 1:
        blurred = cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(blurred, dtype=np.uint8)


def _mean(image: Image, boxes: list[Box]) -> Image:
    painted = image.copy()
    height, width = image.shape[:2]
    covered = cover(boxes, width, height)
    for x1, y1, x2, y2 in boxes:
        top, left = max(y1 - MEAN_MARGIN, 0), max(x1 - MEAN_MARGIN, 0)
        window = (slice(top, min(y2 + MEAN_MARGIN, height)), slice(left, min(x2 + MEAN_MARGIN, width)))
        around = image[window][~covered[window]]
        colour = around.mean(axis=0) if len(around) else np.zeros(3)
        painted[y1:y2, x1:x2] = np.rint(colour).astype(np.uint8)
    return painted


def _inpaint(image: Image, boxes: list[Box]) -> Image:
    """Telea's method has nothing to draw from when everything is covered; the image is then black."""
    import cv2

    height, width = image.shape[:2]
    covered = cover(boxes, width, height)
    if covered.all():
        return np.zeros_like(image)
    filled = cv2.inpaint(np.ascontiguousarray(image), covered.astype(np.uint8), INPAINT_RADIUS, cv2.INPAINT_TELEA)
    painted = image.copy()
    painted[covered] = filled[covered]
    return painted
