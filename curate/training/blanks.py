"""Pictures without content: what a camera shows that is off, covered, or outside; what a cut shows halfway.

Pure black, near-black with noise, one grey or colour, a faded picture, a covered lens, static. They are drawn by rule.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from curate.nets.preprocess import Image
from curate.training.lookalikes import HEIGHT, cloud

Random = np.random.Generator
Floats = npt.NDArray[np.float32]


def blank(rng: Random) -> Image:
    """Draw one of them: uint8 RGB, shape (`HEIGHT`, width, 3)."""
    width = int(HEIGHT * rng.choice([1.0, 4 / 3, 16 / 9]))
    draw = KINDS[int(rng.integers(len(KINDS)))]
    return np.clip(_grain(rng, draw(rng, width)), 0, 255).astype(np.uint8)


def dark(rng: Random, width: int) -> Floats:
    """Black, or nearly, in one shade."""
    shade = rng.uniform(0, 28, 3) if rng.random() < 0.4 else np.full(3, rng.choice([0.0, rng.uniform(0, 28)]))
    return np.full((HEIGHT, width, 3), shade, np.float32)


def plain(rng: Random, width: int) -> Floats:
    """One grey or colour, or two that run into each other."""
    first, second = _shade(rng), _shade(rng)
    ramp = np.linspace(0, 1, width, dtype=np.float32)[None, :, None] * rng.choice([0.0, 1.0])
    return np.asarray(np.broadcast_to(first * (1 - ramp) + second * ramp, (HEIGHT, width, 3)), np.float32)


def faded(rng: Random, width: int) -> Floats:
    """What is left of a picture shortly before black or white: soft patches of little contrast."""
    patches = np.stack([cloud(rng, width, int(rng.integers(2, 9))) for _ in range(3)], axis=-1)
    contrast = rng.uniform(3, 22)
    return np.asarray(patches * contrast + (rng.uniform(0, 12) if rng.random() < 0.7 else 232), np.float32)


def covered(rng: Random, width: int) -> Floats:
    """A lens against a cap, a cloth, a sleeve or a hand: dim, without any detail, brighter somewhere."""
    down, across = np.mgrid[0:HEIGHT, 0:width].astype(np.float32) / HEIGHT
    away = np.hypot(across - rng.uniform(0, 1) * width / HEIGHT, down - rng.uniform(0, 1)) / rng.uniform(0.3, 1.5)
    tint = np.array([1.0, rng.uniform(0.6, 1.05), rng.uniform(0.5, 1.1)], np.float32)
    light = np.exp(-(away**2)) * rng.uniform(8, 110) + cloud(rng, width, 2, 2) * rng.uniform(0, 14)
    return np.asarray(light[..., None] * tint, np.float32)


def static(rng: Random, width: int) -> Floats:
    """Noise of a missing signal, coarse or fine, with or without lines."""
    cells = int(rng.integers(1, 5))
    grid = rng.uniform(0, 255, (HEIGHT // cells, width // cells, 1 if rng.random() < 0.6 else 3)).astype(np.float32)
    picture = np.asarray(cv2.resize(grid, (width, HEIGHT), interpolation=cv2.INTER_NEAREST), np.float32)
    picture = picture.reshape(HEIGHT, width, -1) * np.ones(3, np.float32) * rng.uniform(0.1, 1)
    if rng.random() < 0.3:
        picture[:: int(rng.integers(2, 9))] *= rng.uniform(0, 0.7)
    return picture


def _shade(rng: Random) -> Floats:
    return (np.full(3, rng.uniform(0, 256)) if rng.random() < 0.6 else rng.uniform(0, 256, 3)).astype(np.float32)


def _grain(rng: Random, picture: Floats) -> Floats:
    """Sensor noise on most: grey or coloured, as large as a pixel or larger."""
    if rng.random() < 0.35:
        return picture
    cells, layers = int(rng.integers(1, 4)), 1 if rng.random() < 0.5 else 3
    rows, columns = picture.shape[0] // cells + 1, picture.shape[1] // cells + 1
    noise = rng.normal(0, rng.uniform(1, 18), (rows, columns, layers)).astype(np.float32)
    noise = noise.repeat(cells, 0).repeat(cells, 1)[: picture.shape[0], : picture.shape[1]]
    return np.asarray(picture + noise, np.float32)


KINDS: tuple[Callable[[Random, int], Floats], ...] = (dark, dark, plain, faded, covered, covered, static)
"""Everything that is drawn, the commonest twice."""
