"""CenterFace, a small face detector, run by ONNX Runtime.

Y. Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point" (2019): the network gives, at a
quarter of the resolution, the probability that a face has its centre in a cell, the face's size and the centre's place
in the cell. ``models/faces/README.md`` says where the weights come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.nets.detect.text_detector import STRIDE, network_size
from curate.nets.onnx_session import open_session
from curate.resources import models_folder
from curate.vision.boxes import Box, ScoredBox, suppress
from curate.vision.resizing import resized

Image = npt.NDArray[np.uint8]

MODEL = "faces/model.onnx"

CELL = 4
"""Network pixels across a cell of the output."""

OVERLAP = 0.3
"""Intersection over union above which two boxes are one face (``nms`` of the published code)."""

GLANCE_SIDE, GLANCE = 256, 0.08
"""Short side in pixels and smallest score of a glance. Of 155 faces in windows of 10 to 25 % of a frame's width that
are found at a side of 512, it sees 149, at 192 pixels 139; it suspects something on a fifth of 252 surgical frames."""

MOST = 200
"""Cells looked at in one image, best first; more only come from noise."""


def packaged_model() -> Path:
    """Path of the shipped weights."""
    return models_folder() / MODEL


class FaceDetector:
    """Finds faces in images.

    Args:
        model: ONNX file: input ``images`` float32 (batch, 3, height, width), RGB in 0..255; outputs ``faces``
            (probability), ``sizes`` (logarithm of height and width in cells) and ``offsets`` (down and across, in
            cells), float32 at a quarter of the resolution.
        side: Images are scaled so that their short side has about this many pixels; never enlarged more than twofold.
        threshold: Faces below this score are dropped, 0..1.
        device: As for `curate.nets.onnx_session.providers`.
        threads: Threads of one forward pass on CPU.

    Raises:
        CurateError: The model cannot be loaded, or the device is not there.
    """

    def __init__(
        self, model: Path, *, side: int = 512, threshold: float = 0.4, device: str = "cpu", threads: int = 1
    ) -> None:
        self._session = open_session(model, "face detector", device=device, threads=threads)
        self._side = side
        self._threshold = threshold

    def detect(self, image: Image) -> list[ScoredBox]:
        """Find the faces of an image.

        Args:
            image: RGB, uint8, shape (height, width, 3).

        Returns:
            Boxes clipped to the image, the surest first.
        """
        height, width = image.shape[:2]
        return self._in_part(image, (0, 0, width, height), self._side, self._threshold)

    def detect_in(self, image: Image, parts: Sequence[Box]) -> list[ScoredBox]:
        """Find the faces in parts of an image, at the scale at which the whole would be looked at.

        Args:
            image: RGB, uint8, shape (height, width, 3).
            parts: Boxes with area in pixels of the image. Faces that reach beyond them may be cut off.

        Returns:
            Boxes in pixels of the image, clipped to it, the surest first.
        """
        found = [face for part in parts for face in self._in_part(image, part, self._side, self._threshold)]
        corners, scores = np.array([face.box for face in found]).reshape(-1, 4), np.array([f.score for f in found])
        return [found[place] for place in suppress(corners, scores, OVERLAP)]

    def glance(self, image: Image) -> list[ScoredBox]:
        """Where faces may be: a look at `GLANCE_SIDE`, at a quarter of the cost, that believes much more.

        Args:
            image: RGB, uint8, shape (height, width, 3).

        Returns:
            Boxes clipped to the image, the surest first.
        """
        height, width = image.shape[:2]
        return self._in_part(image, (0, 0, width, height), min(self._side, GLANCE_SIDE), min(self._threshold, GLANCE))

    def _in_part(self, image: Image, part: Box, side: int, threshold: float) -> list[ScoredBox]:
        """Faces in a part of an image of which the whole would be scaled to a short side."""
        height, width = image.shape[:2]
        all_rows, all_columns = network_size(width, height, side)
        x1, x2, columns = _fitted(part[0], part[2], width, all_columns)
        y1, y2, rows = _fitted(part[1], part[3], height, all_rows)
        small = resized(image[y1:y2, x1:x2], (columns, rows))
        batch = np.ascontiguousarray(small.transpose(2, 0, 1)[None], dtype=np.float32)
        faces, sizes, offsets = self._session.run(["faces", "sizes", "offsets"], {"images": batch})
        boxes = centres_to_boxes(faces[0, 0], sizes[0], offsets[0], threshold)
        boxes[:, 0:4:2] = boxes[:, 0:4:2] * ((x2 - x1) / columns) + x1
        boxes[:, 1:4:2] = boxes[:, 1:4:2] * ((y2 - y1) / rows) + y1
        return [_whole(box, width, height) for box in boxes[suppress(boxes[:, :4], boxes[:, 4], OVERLAP)]]


def _fitted(low: int, high: int, side: int, all_steps: int) -> tuple[int, int, int]:
    """A stretch of a side of the image, made longer so that it is a multiple of `STRIDE` in network pixels.

    Args:
        low: Where it begins, in pixels of the image.
        high: Where it ends.
        side: Length of the side.
        all_steps: Length of the side in network pixels.

    Returns:
        Beginning and end in pixels of the image, and the length in network pixels.
    """
    steps = min(-(-(high - low) * all_steps // (side * STRIDE)) * STRIDE, all_steps)
    length = round(steps * side / all_steps)
    start = min(max(low - (length - (high - low)) // 2, 0), side - length)
    return start, start + length, steps


def centres_to_boxes(
    faces: npt.NDArray[np.float32],
    sizes: npt.NDArray[np.float32],
    offsets: npt.NDArray[np.float32],
    threshold: float,
) -> npt.NDArray[np.float64]:
    """Turn the network's maps into boxes.

    Args:
        faces: Probability of a face's centre, shape (rows, columns).
        sizes: Logarithm of height and width in cells, shape (2, rows, columns).
        offsets: Centre within the cell, down and across, shape (2, rows, columns).
        threshold: Smallest probability.

    Returns:
        x1, y1, x2, y2 in network pixels and the probability, shape (number, 5), the surest first, not suppressed.
    """
    ys, xs = np.nonzero(faces >= threshold)
    order = np.lexsort((xs, ys, -faces[ys, xs]))[:MOST]
    ys, xs = ys[order], xs[order]
    tall, wide = (CELL * np.exp(sizes[k, ys, xs].astype(np.float64)) for k in (0, 1))
    down, across = (CELL * (place + offsets[k, ys, xs].astype(np.float64) + 0.5) for k, place in ((0, ys), (1, xs)))
    corners = (across - wide / 2, down - tall / 2, across + wide / 2, down + tall / 2)
    return np.stack([*corners, faces[ys, xs].astype(np.float64)], axis=1)


def _whole(box: npt.NDArray[np.float64], width: int, height: int) -> ScoredBox:
    x1, y1, x2, y2, score = (float(value) for value in box)
    return ScoredBox(
        max(int(np.floor(x1)), 0),
        max(int(np.floor(y1)), 0),
        min(int(np.ceil(x2)), width),
        min(int(np.ceil(y2)), height),
        min(score, 1.0),
    )
