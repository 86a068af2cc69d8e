"""Pictures fitted into tiles, and tiles side by side on one."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


def fit(image: Image, width: int, height: int, *, enlarge: bool = False) -> Image:
    """Bring a picture to a size that fits into another, keeping its aspect ratio.

    Args:
        image: uint8 RGB (H, W, 3).
        width: Pixels it may have at most.
        height: Pixels it may have at most.
        enlarge: Enlarge small ones; else they stay as they are.

    Returns:
        uint8 RGB, each side at least 1.
    """
    scale = min(width / image.shape[1], height / image.shape[0])
    if not enlarge:
        scale = min(scale, 1.0)
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    method = cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def centred(image: Image, width: int, height: int, *, background: int = 0) -> Image:
    """A picture in the middle of a tile that is at least as large.

    Args:
        image: uint8 RGB (H, W, 3).
        width: Of the tile.
        height: Of the tile.
        background: Grey level around it.

    Returns:
        uint8 RGB (height, width, 3).
    """
    tile = np.full((height, width, 3), background, np.uint8)
    left, top = (width - image.shape[1]) // 2, (height - image.shape[0]) // 2
    tile[top : top + image.shape[0], left : left + image.shape[1]] = image
    return tile


def grid(
    tiles: Sequence[Image], width: int, height: int, columns: int, *, rows: int | None = None, background: int = 0
) -> Image:
    """Tiles row by row on one picture.

    Args:
        tiles: uint8 RGB, none larger than a place; smaller ones stand in its upper left corner.
        width: Of a place, in pixels.
        height: Of a place, in pixels.
        columns: Places in a row.
        rows: How many; as many as the tiles need if ``None``.
        background: Grey level where no tile is.

    Returns:
        uint8 RGB (rows * height, columns * width, 3).
    """
    down = -(-len(tiles) // columns) if rows is None else rows
    canvas = np.full((down * height, columns * width, 3), background, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * height, index % columns * width
        canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return canvas
