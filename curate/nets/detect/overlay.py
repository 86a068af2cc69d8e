"""The overlay network: regions that stand still over a window of frames, and what they are.

A small U-Net (O. Ronneberger et al., MICCAI 2015) reads the maps of `curate.vision.static_content` and gives a
class to every pixel of the reduced image. It is trained by ``scripts/train_overlay_net.py`` on composed clips and runs
as ONNX.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.nets.detect.mistaken import is_mistaken
from curate.nets.onnx_session import open_session
from curate.records import Region
from curate.resources import models_folder
from curate.vision.boxes import Box, area, share_inside

CLASSES = ("surgery", "text", "logo", "ui", "pip")
"""What a pixel can be; all but the first are kinds of regions."""

MODEL = "overlay/model.onnx"

NAME = "overlay"
"""By which regions name the network."""

PIXEL = 0.55
"""Probability of overlay from which a pixel belongs to a region; whether the region stands is decided by its mean. With
less, boxes reach over the rims of overlays: at 0.4 a third more of surgery is lost on the validation clips."""

SMALLEST = 12
"""Components of fewer reduced pixels are dropped."""


BULK = 0.25
"""Rows and columns at the rim of a component that are less full than this, against the fullest, are cut off."""


NESTED = 0.8
"""Share of a box inside a larger one from which it is left out."""

FULL = 0.35
"""Share of its box that a component fills from which the box stands for it; of a thinner one, such as the outline that
a program draws round a finding, or a line drawn by hand, only its pieces are covered and not what they enclose."""

PIECE = 6
"""Long side in reduced pixels from which a piece is no longer cut."""

LEAST_SIDES = {"ui": (48, 4), "pip": (28, 16)}
"""Long and short side in reduced pixels that an interface bar and a picture-in-picture window have at least."""

Pixels = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


def packaged_model() -> Path:
    """Path of the shipped weights."""
    return models_folder() / MODEL


class OverlayNet:
    """Finds overlays in the statistics of a window.

    Args:
        model: ONNX file: input float32 (batch, channels, rows, columns), output (batch, classes, rows, columns) with
            probabilities.
        threshold: Regions whose mean probability is below it are dropped, 0..1.
        threads: Threads of one forward pass.

    Raises:
        CurateError: The model cannot be loaded.
    """

    def __init__(self, model: Path, *, threshold: float = 0.75, threads: int = 1) -> None:
        self._session = open_session(model, "overlay network", threads=threads)
        self.threshold = threshold

    def probabilities(self, maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Class probabilities of every pixel.

        Args:
            maps: As `curate.vision.static_content.statistics` gives them.

        Returns:
            float32, shape (number of `CLASSES`, `ROWS`, `COLUMNS`), summing to 1 over the classes.
        """
        name = self._session.get_inputs()[0].name
        (output,) = self._session.run(None, {name: maps[None]})
        return output[0]

    def find(self, maps: npt.NDArray[np.float32]) -> tuple[list[Region], npt.NDArray[np.float32]]:
        """Overlays of a window.

        Args:
            maps: As `curate.vision.static_content.statistics` gives them.

        Returns:
            Their regions in pixels of the reduced image, and the probability of overlay of every pixel: float32 in
            0..1, shape (`ROWS`, `COLUMNS`).
        """
        probabilities = self.probabilities(maps)
        found = [region for region in boxes_of(probabilities, self.threshold) if not is_mistaken(region, maps)]
        return found, 1 - probabilities[0]


def boxes_of(probabilities: npt.NDArray[np.float32], threshold: float) -> list[Region]:
    """Upright boxes of the connected overlay pixels.

    Interface bars and picture-in-picture windows come first, where they are large enough to be one. What is left is
    joined before text and logos are told apart, so that a logo with a word in it stays one region.

    Args:
        probabilities: As `OverlayNet.probabilities` gives them.
        threshold: Regions whose mean probability is below it are dropped, 0..1.

    Returns:
        Boxes, top to bottom; none lies inside another.
    """
    overlay = 1 - probabilities[0]
    left_over = overlay >= PIXEL
    boxes = []
    for panel, inside in _panels(probabilities, left_over):
        boxes.append(panel)
        left_over[inside] = False
    for box, inside in _components(left_over):
        votes = [float(probabilities[CLASSES.index(kind)][inside].sum()) for kind in ("text", "logo")]
        boxes.append(Region(*box, "text" if votes[0] > votes[1] else "logo", _mean(overlay, inside), NAME))
    outermost: list[Region] = []
    boxes = [box for box in boxes if box.score >= threshold]
    for found in sorted(boxes, key=lambda found: -area(found.box)):
        if not any(share_inside(found.box, larger.box) >= NESTED for larger in outermost):
            outermost.append(found)
    return sorted(outermost, key=lambda box: (box.y1, box.x1, box.y2, box.x2, box.kind))


def panels_of(probabilities: npt.NDArray[np.float32], least: float) -> list[Region]:
    """Interfaces and picture-in-picture windows.

    Args:
        probabilities: As `OverlayNet.probabilities` gives them.
        least: Probability of overlay from which a pixel belongs to one, 0..1.

    Returns:
        Boxes, those of interfaces first.
    """
    return [panel for panel, _ in _panels(probabilities, 1 - probabilities[0] >= least)]


def _panels(probabilities: npt.NDArray[np.float32], pixels: npt.NDArray[np.bool_]) -> Iterator[tuple[Region, Pixels]]:
    """Interfaces and picture-in-picture windows among some pixels, where they are large enough to be one."""
    overlay, best = 1 - probabilities[0], 1 + probabilities[1:].argmax(axis=0)
    for kind in LEAST_SIDES:
        for box, inside in _components(pixels & (best == CLASSES.index(kind))):
            long, short = sorted((box[2] - box[0], box[3] - box[1]), reverse=True)
            if long >= LEAST_SIDES[kind][0] and short >= LEAST_SIDES[kind][1]:
                yield Region(*box, kind, _mean(overlay, inside), NAME), inside


def pieces(inside: npt.NDArray[np.bool_]) -> list[Box]:
    """Boxes that cover the true pixels and not much else: one, or those of its halves where it is less than `FULL`.

    Args:
        inside: bool, shape (rows, columns).

    Returns:
        Half-open boxes, none of them empty.
    """
    box = _tight(inside)
    if box is None:
        return []
    x1, y1, x2, y2 = box
    window = inside[y1:y2, x1:x2]
    if window.mean() >= FULL or max(window.shape) <= PIECE:
        return [box]
    halves: list[Box] = []
    middle = max(window.shape) // 2
    if x2 - x1 >= y2 - y1:
        parts = ((x1, y1, window[:, :middle]), (x1 + middle, y1, window[:, middle:]))
    else:
        parts = ((x1, y1, window[:middle]), (x1, y1 + middle, window[middle:]))
    for left, top, half in parts:
        halves += [(left + a, top + b, left + c, top + d) for a, b, c, d in pieces(half)]
    return halves


def _tight(inside: npt.NDArray[np.bool_]) -> Box | None:
    """Box around the true pixels; none if there are none."""
    ys, xs = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return (int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1) if len(ys) else None


def _components(pixels: npt.NDArray[np.bool_]) -> Iterator[tuple[Box, Pixels]]:
    """Connected components of at least `SMALLEST` pixels: a box around each, and the indices of its pixels."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(pixels.astype(np.uint8), connectivity=8)
    for label in range(1, count):
        left, top, across, down, area = (int(v) for v in stats[label])
        if area < SMALLEST:
            continue
        inside = labels[top : top + down, left : left + across] == label
        x1, y1, x2, y2 = _bulk(inside)
        ys, xs = np.nonzero(inside)
        yield (left + x1, top + y1, left + x2, top + y2), (ys + top, xs + left)


def _mean(overlay: npt.NDArray[np.float32], inside: Pixels) -> float:
    return min(float(overlay[inside].mean()), 1.0)


def _bulk(inside: npt.NDArray[np.bool_]) -> Box:
    """Box around a component without its thin outgrowths."""
    across, down = inside.sum(axis=0), inside.sum(axis=1)
    xs = np.flatnonzero(across >= BULK * across.max())
    ys = np.flatnonzero(down >= BULK * down.max())
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1
