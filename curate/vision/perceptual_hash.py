"""Perceptual hashes of pictures: 256 bits that change little when a picture is encoded again or made smaller.

As in PDQ (Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019), the bits say
which of the 16 by 16 lowest frequencies of a small grey picture, without those that are constant along a side, lie
above their median. The bits are not PDQ's own: pictures are shrunk by area, and what is not to count is left out.

A picture that was cut is found by the hash of the same part of the whole, so a picture has one for the whole, one for
its mirror image and one for each of `CROPS`. All come from one small picture, since the part of a cosine that lies in a
part of a picture is a cosine too.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.uint8]

SIDE = 64
"""Pixels a side of the small picture."""

BITS = 256
BYTES = BITS // 8

CROPS = (
    (0.05, 0.05, 0.95, 0.95),
    (0.10, 0.10, 0.90, 0.90),
    (0.0, 0.0, 0.9, 0.9),
    (0.1, 0.0, 1.0, 0.9),
    (0.0, 0.1, 0.9, 1.0),
    (0.1, 0.1, 1.0, 1.0),
)
"""Parts of the picture that have a hash of their own: x1, y1, x2, y2 as shares of its sides."""

LIT = 40
"""Grey level above which a pixel is lit: borders of web videos, and what encoding leaves of them, are darker."""

_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)
_FREQUENCIES = 16
_SOME = 0.02
_NOTICED = 0.01
"""Share of the range of grey by which neighbouring pixels must differ to count as content."""


class Hashes(NamedTuple):
    """Hashes of some pictures.

    Attributes:
        whole: uint8, (pictures, 32).
        mirror: Of their mirror images, left for right; uint8, (pictures, 32).
        crops: Of `CROPS`; uint8, (pictures, crops, 32).
        quality: How much content there is, 0 (one plain colour) to 100; uint8, (pictures,).
    """

    whole: Codes
    mirror: Codes
    crops: Codes
    quality: npt.NDArray[np.uint8]


def small_picture(grey: Grey, shown: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float32]:
    """Shrink a picture to what hashes are made of.

    Args:
        grey: uint8, (height, width).
        shown: Pixels that count, bool, (height, width); the others are as grey as those around them that do, or as
            all that do where none is near. All if ``None``.

    Returns:
        float32, (64, 64), 0..255; all zero where no pixel counts.
    """
    import cv2

    if shown is None or shown.all():
        return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    if not shown.any():
        return np.zeros((SIDE, SIDE), np.float32)
    reach = max(grey.shape) // 8 * 2 + 1
    weight = cv2.blur(shown.astype(np.float32), (reach, reach), borderType=cv2.BORDER_CONSTANT)
    total = cv2.blur(np.where(shown, grey, 0).astype(np.float32), (reach, reach), borderType=cv2.BORDER_CONSTANT)
    around = np.where(weight > _SOME, total / np.maximum(weight, _SOME), np.float32(grey[shown].mean()))
    filled = np.where(shown, grey, around).astype(np.float32)
    return np.asarray(cv2.resize(filled, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def lit_part(grey: Grey) -> tuple[int, int, int, int]:
    """The part of a picture without dark borders: rows and columns at its sides that are nowhere lit.

    Args:
        grey: uint8, (height, width).

    Returns:
        x1, y1, x2, y2 with exclusive ends; all of it where it is dark or little would be left.
    """
    height, width = grey.shape
    rows = np.flatnonzero(grey.max(axis=1) > LIT)
    columns = np.flatnonzero(grey.max(axis=0) > LIT)
    if len(rows) < height / 3 or len(columns) < width / 3:
        return 0, 0, width, height
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def hash_pictures(small: npt.NDArray[np.float32]) -> Hashes:
    """Hash pictures that `small_picture` gave.

    Args:
        small: float32, (pictures, 64, 64).
    """
    whole = _frequencies(small, (0.0, 0.0, 1.0, 1.0))
    return Hashes(
        whole=_codes(whole),
        mirror=_codes(whole * _mirroring()),
        crops=np.stack([_codes(_frequencies(small, crop)) for crop in CROPS], axis=1),
        quality=_quality(small),
    )


def distances(codes: Codes, others: Codes) -> npt.NDArray[np.int32]:
    """Number of bits in which hashes differ, 0..256.

    Args:
        codes: uint8, (..., 32).
        others: Likewise; the two are broadcast.
    """
    return _ONES[np.bitwise_xor(codes, others)].sum(axis=-1, dtype=np.int32)


def _quality(small: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Mean change between neighbouring pixels, of those changes that can be seen."""
    total = np.zeros(len(small))
    for axis in (1, 2):
        steps = np.abs(np.diff(small, axis=axis)) / 255
        total += np.where(steps >= _NOTICED, steps, 0).mean(axis=(1, 2))
    return np.minimum(np.rint(total * 1000), 100).astype(np.uint8)


def _codes(frequencies: npt.NDArray[np.float32]) -> Codes:
    flat = frequencies.reshape(len(frequencies), BITS)
    return np.packbits(flat > np.median(flat, axis=1, keepdims=True), axis=1)


def _frequencies(small: npt.NDArray[np.float32], part: tuple[float, float, float, float]) -> npt.NDArray[np.float32]:
    x1, y1, x2, y2 = part
    return np.asarray(_cosines(y1, y2) @ small @ _cosines(x1, x2).T)


@functools.cache
def _cosines(start: float, end: float) -> npt.NDArray[np.float32]:
    """Rows of a discrete cosine transform over the pixels from ``start`` to ``end``, in shares of the side."""
    low, high = start * SIDE, end * SIDE
    left = np.maximum(np.arange(SIDE), low)
    right = np.minimum(np.arange(SIDE) + 1, high)
    inside = np.maximum(right - left, 0)
    phase = (np.arange(SIDE) + 0.5 - low) / (high - low)
    rows = np.cos(np.pi * np.arange(1, _FREQUENCIES + 1)[:, None] * phase[None, :]) * inside
    rows -= inside * (rows.sum(axis=1) / inside.sum())[:, None]
    return rows.astype(np.float32)


@functools.cache
def _mirroring() -> npt.NDArray[np.float32]:
    """Signs of the frequencies across in a mirror image."""
    return np.where(np.arange(1, _FREQUENCIES + 1) % 2, -1, 1).astype(np.float32)[None, None, :]
