"""Coarse descriptions of pictures, by which frames that look alike are found without a network."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

Floats = npt.NDArray[np.float32]

SIDE = 8
BINS = 4
LENGTH = SIDE * SIDE * 3 + BINS**3


def describe(jpeg: bytes) -> Floats:
    """Describe a picture by its layout in 8 x 8 cells and by its colours.

    Args:
        jpeg: The picture.

    Returns:
        (256,), of length 1: the dot product of two is their likeness.

    Raises:
        ValueError: Not a JPEG.
    """
    small = simplejpeg.decode_jpeg(jpeg, "RGB", min_width=64, min_height=32, fastdct=True, fastupsample=True)
    cells = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel() / 255
    cells -= cells.mean()
    bins = (small.reshape(-1, 3) >> 6).astype(np.intp)
    counts = np.bincount(bins[:, 0] * BINS * BINS + bins[:, 1] * BINS + bins[:, 2], minlength=BINS**3)
    colours = np.sqrt(counts / counts.sum()).astype(np.float32)
    layout = cells / max(float(np.linalg.norm(cells)), 1e-3)
    return (np.concatenate([layout, colours]) / 2**0.5).astype(np.float32)


def dissent(
    these: Floats, surgical: npt.NDArray[np.bool_], others: Floats, labels: Floats, weights: Floats, k: int
) -> Floats:
    """Share of the look-alikes of each frame that are judged the other way.

    Args:
        these: (N, 256), descriptions.
        surgical: (N,), how these are judged.
        others: (M, 256), among which look-alikes are sought.
        labels: (M,), how those are judged: 1 surgical, 0 not, 0.5 unknown.
        weights: (M,), how much each counts.
        k: How many look-alikes; a picture that is the same to the last digit is taken for the frame itself, once.

    Returns:
        (N,), 0..1; 0.5 where there are no look-alikes.
    """
    found = np.full(len(these), 0.5, np.float32)
    if len(others) < 2:
        return found
    k = min(k, len(others) - 1)
    for start in range(0, len(these), 256):
        block = slice(start, start + 256)
        likeness = these[block] @ others.T
        itself = likeness.argmax(axis=1)
        own = likeness[np.arange(len(itself)), itself] > 1 - 1e-5
        likeness[np.flatnonzero(own), itself[own]] = -1
        near = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
        counted = weights[near]
        votes = (labels[near] * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1e-6)
        found[block] = np.where(surgical[block], 1 - votes, votes)
    return found
