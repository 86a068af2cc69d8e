"""Evidence over time: what stands still on the screen while surgery moves.

Overlays are drawn in screen coordinates, so their edges keep place, direction and contrast over many frames,
while those of tissue and instruments wander. The statistics here say so for every pixel of a reduced image; they are
what `curate.nets.detect.overlay` looks at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

ROWS, COLUMNS = 192, 320
"""Size of the reduced image; every frame is squeezed into it whatever its shape."""

CHANNELS = 9
"""Number of maps `statistics` gives."""

WINDOW = 8
"""Frames looked at together, at most."""

DEVIATION = 64
"""Deviation of luma over time (0..255) that is 1 in the map of it."""

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def reduce(image: Image) -> Image:
    """A frame at the size of the statistics: RGB, uint8, shape (`ROWS`, `COLUMNS`, 3)."""
    import cv2

    return np.asarray(cv2.resize(image, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def gradients(reduced: Image) -> npt.NDArray[np.float32]:
    """Central differences of luma, across and down.

    Returns:
        float32 in -1..1, shape (2, rows, columns).
    """
    import cv2

    luma = reduced.astype(np.float32) @ _LUMA
    across = cv2.filter2D(luma, -1, np.array([[-1, 0, 1]], dtype=np.float32), borderType=cv2.BORDER_REPLICATE)
    down = cv2.filter2D(luma, -1, np.array([[-1], [0], [1]], dtype=np.float32), borderType=cv2.BORDER_REPLICATE)
    return np.stack([across, down]) / np.float32(255)


def statistics(
    window: Sequence[Image], steps: Sequence[npt.NDArray[np.float32]] | None = None
) -> npt.NDArray[np.float32]:
    """What the frames of a window have in common, pixel by pixel.

    Args:
        window: 1 to `WINDOW` reduced frames in order; cuts between them do no harm, overlays outlive them.
        steps: `gradients` of each, if they are there already.

    Returns:
        float32, shape (`CHANNELS`, `ROWS`, `COLUMNS`), about 0..1: mean red, green, blue; standard deviation of luma
        over time; absolute mean gradient across and down; mean gradient magnitude; the share of it that is coherent
        over time; the number of frames over `WINDOW`.

    Raises:
        ValueError: The window is empty or too long.
    """
    if not 1 <= len(window) <= WINDOW:
        raise ValueError(f"a window has 1 to {WINDOW} frames, got {len(window)}")
    stack = np.stack(window).astype(np.float32)
    luma = stack @ _LUMA
    if steps is None:
        steps = [gradients(frame) for frame in window]
    mean_step = np.mean(steps, axis=0)
    magnitude = np.mean([_length(step) for step in steps], axis=0)
    steady = _length(mean_step)
    maps = np.empty((CHANNELS, ROWS, COLUMNS), dtype=np.float32)
    maps[0:3] = stack.mean(axis=0).transpose(2, 0, 1) / 255
    maps[3] = luma.std(axis=0) / DEVIATION
    maps[4:6] = np.abs(mean_step) * 2
    maps[6] = magnitude * 2
    maps[7] = steady / (magnitude + np.float32(0.01))
    maps[8] = len(window) / WINDOW
    return maps


def _length(step: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Length of vectors (2, rows, columns); by hand, for OpenCV's differs in the last bit with where an array lies."""
    return np.asarray(np.sqrt(step[0] * step[0] + step[1] * step[1]), dtype=np.float32)


def presence(frame: npt.NDArray[np.float32], steady: npt.NDArray[np.float32], box: tuple[int, int, int, int]) -> float:
    """How much of a box's steady edges one frame shows: about 1 where the overlay is on, 0 where it is not.

    Args:
        frame: `gradients` of the frame.
        steady: Mean of the gradients over the window.
        box: Half-open box in pixels of the reduced image.
    """
    x1, y1, x2, y2 = box
    area = (slice(None), slice(max(y1 - 1, 0), y2 + 1), slice(max(x1 - 1, 0), x2 + 1))
    energy = float((steady[area] ** 2).sum())
    return float((frame[area] * steady[area]).sum()) / energy if energy > 0 else 1.0
