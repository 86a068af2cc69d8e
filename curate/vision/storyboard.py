"""Collages of a video's frames."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from curate.media.decode import Sampler
from curate.media.select import FrameList
from curate.vision.grid import centred, fit, grid

Image = npt.NDArray[np.uint8]

LEMON_FRAMES = 16
"""Frames on LEMON's storyboard (visurg-ai/LEMON, ``src/video_classifier.py``)."""

LEMON_SIDE = 4
"""Tiles in a row and in a column of it: the most that fit, all of the collage's shape."""

LEMON_TILE = (480, 270)
"""Width and height of a tile in pixels, on a collage of 1920x1080."""

TILE = (320, 180)
"""Width and height of a tile of our own collage, in pixels."""


def lemon_storyboard(path: Path) -> Image:
    """The collage on which LEMON's storyboard models were trained.

    The rules are those of the ``time`` summary of luiscarlosgph/videosum: frames ``round(linspace(0, n - 1, 16))`` of
    the n there are, each stretched to its tile with Lanczos' filter, row by row; missing ones are black.

    Returns:
        uint8 RGB (1080, 1920, 3).

    Raises:
        MediaError: No frame can be had out of this file.
    """
    counter = Sampler(path, FrameList((0,)))
    for _ in counter:
        pass
    wanted = np.round(np.linspace(0, counter.statistics.frames - 1, LEMON_FRAMES)).astype(int)
    frames = Sampler(path, FrameList(tuple(sorted({int(n) for n in wanted}))))
    tiles = [np.asarray(cv2.resize(f.image, LEMON_TILE, interpolation=cv2.INTER_LANCZOS4), np.uint8) for f in frames]
    return grid(tiles, *LEMON_TILE, LEMON_SIDE, rows=LEMON_SIDE)


def tile(image: Image) -> Image:
    """A frame shrunk to a tile of `collage`, with black bars where its shape is another."""
    return centred(fit(image, *TILE, enlarge=True), *TILE)


def collage(tiles: Sequence[Image], captions: Iterable[str]) -> Image:
    """Tiles row by row on a grid that is about square in tiles, each with its caption.

    Returns:
        uint8 RGB.
    """
    captioned = []
    for picture, caption in zip(tiles, captions, strict=True):
        canvas = picture.copy()
        for colour, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):
            cv2.putText(canvas, caption, (8, TILE[1] - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, thickness)
        captioned.append(canvas)
    return grid(captioned, *TILE, math.ceil(math.sqrt(len(tiles))))
