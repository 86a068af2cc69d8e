"""YOLO detectors as ONNX files: LEMON's ensemble, or any of the user's.

Made for what Ultralytics' exporter writes (``yolo export format=onnx``), without importing Ultralytics, which is AGPL;
its own checkpoints (``*.pt``) are left to `curate.nets.detect.yolo_checkpoint`.
As in LEMON's published code every model runs at confidence 0.25, the boxes of all models are pooled, and what overlaps
is thinned without regard to class at an IoU of 0.7.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from curate.errors import CurateError
from curate.nets.onnx_session import open_session
from curate.records import REGION_KINDS, Region
from curate.vision import boxes

Image = npt.NDArray[np.uint8]

CONFIDENCE = 0.25
"""Ultralytics' default, at which LEMON runs its models."""

IOU = 0.7
"""Intersection over union above which the weaker of two boxes goes; LEMON's, and Ultralytics' default."""

MOST = 300
"""Boxes kept of one image, the best ones; Ultralytics' default."""

GREY = 114
"""Value of the padding around a letterboxed image, as in training."""

DEFAULT_SIDE = 640
"""Long side of an image for a network that takes any size, as Ultralytics has it."""

STRIDE = 32
"""Both sides of such an input are multiples of this."""


class Detector(Protocol):
    """What finds objects in an image."""

    def detect(self, image: Image, confidence: float = CONFIDENCE) -> list[Region]:
        """Boxes of one RGB image, best first."""
        ...


class Yolo:
    """One YOLO model.

    Args:
        path: ONNX file with one image input (batch, 3, height, width), RGB in 0..1, of a fixed size or of any, and one
            output: either (batch, 4 + classes, candidates) with centre, size and class scores, or, exported with its
            own suppression, (batch, candidates, 6) with corners, score and class. Class names are read from the
            metadata ``names``.
        device: As for `curate.nets.onnx_session.providers`.
        threads: Threads of one forward pass on CPU.

    Raises:
        CurateError: The file cannot be loaded or is no such model.
    """

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self._session = open_session(path, "detector", device=device, threads=threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4 or len(outputs[0].shape) != 3:
            raise CurateError(
                f"{path} is not a YOLO detector: it must take one image batch and give one table of boxes"
            )
        self._input = inputs[0].name
        rows, columns = inputs[0].shape[2:]
        self._size = (rows, columns) if isinstance(rows, int) and isinstance(columns, int) else None
        self._kinds = _class_kinds(self._session.get_modelmeta().custom_metadata_map.get("names", ""), path)
        self._suppressed = outputs[0].shape[2] == 6
        self._model = path.stem

    def detect(self, image: Image, confidence: float = CONFIDENCE) -> list[Region]:
        """Find objects in one image.

        Args:
            image: RGB, uint8, shape (height, width, 3).
            confidence: Boxes below this score are dropped.

        Returns:
            Boxes clipped to the image, thinned within each class as the library does, best first.
        """
        height, width = image.shape[:2]
        batch, scale, left, top = letterbox(image, *(self._size or input_size(height, width)))
        (output,) = self._session.run(None, {self._input: batch})
        corners, scores, classes = _table(output[0], self._suppressed)
        confident = np.flatnonzero(scores > confidence)
        if not self._suppressed:
            confident = confident[
                boxes.suppress(corners[confident], scores[confident], IOU, classes=classes[confident], most=MOST)
            ]
        placed = (corners[confident] - [left, top, left, top]) / scale
        return detections(placed, scores[confident], classes[confident], self._kinds, self._model, width, height)


def detections(
    corners: npt.NDArray[np.floating],
    scores: npt.NDArray[np.floating],
    classes: npt.NDArray[np.intp],
    kinds: Mapping[int, str],
    model: str,
    width: int,
    height: int,
) -> list[Region]:
    """Detections out of arrays, clipped to the image and in whole pixels, rounded outwards.

    Args:
        corners: In pixels of the image, shape (n, 4).
        scores: Shape (n,).
        classes: Index of each class, shape (n,).
        kinds: Kind of each class index; others are ``other``.
        model: Name of the model.
        width: Image width in pixels.
        height: Image height in pixels.

    Returns:
        Those with area, best first.
    """
    found = []
    clipped = np.clip(corners, 0, [width, height, width, height])
    for box, score, index in zip(clipped, scores, classes, strict=True):
        x1, y1 = (int(v) for v in np.floor(box[:2]))
        x2, y2 = (int(v) for v in np.ceil(box[2:]))
        if x2 > x1 and y2 > y1:
            kind = kinds.get(int(index), "other")
            found.append(Region(x1, y1, x2, y2, kind, min(float(score), 1.0), model))
    return sorted(found, key=_rank)


def input_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the input of a network that takes any size: as small as the letterboxed image allows."""
    scale = DEFAULT_SIDE / max(height, width)
    return -(-round(height * scale) // STRIDE) * STRIDE, -(-round(width * scale) // STRIDE) * STRIDE


def letterbox(image: Image, rows: int, columns: int) -> tuple[npt.NDArray[np.float32], float, int, int]:
    """An image fitted into a network's input with grey bars.

    Returns:
        float32 batch of one in 0..1, shape (1, 3, rows, columns); the scale; and the left and top bar in pixels.
    """
    import cv2

    height, width = image.shape[:2]
    scale = min(rows / height, columns / width)
    across, down = round(width * scale), round(height * scale)
    left, top = round((columns - across) / 2 - 0.1), round((rows - down) / 2 - 0.1)
    canvas = np.full((rows, columns, 3), GREY, dtype=np.uint8)
    canvas[top : top + down, left : left + across] = cv2.resize(image, (across, down), interpolation=cv2.INTER_LINEAR)
    return canvas.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255), scale, left, top


def suppress(detections: Sequence[Region], iou: float = IOU) -> list[Region]:
    """Non-maximum suppression without regard to class: of boxes that overlap more than ``iou`` the best stays.

    Returns:
        What stays, best first.
    """
    ranked = sorted(detections, key=_rank)
    corners = np.array([one.box for one in ranked], np.int64).reshape(-1, 4)
    return [ranked[i] for i in boxes.suppress(corners, np.array([one.score for one in ranked]), iou)]


def _rank(detection: Region) -> tuple[object, ...]:
    return (-detection.score, *detection)


def _table(
    output: npt.NDArray[np.float32], suppressed: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """Corners in network pixels, scores and class indices, out of either kind of output."""
    if suppressed:
        return output[:, :4], output[:, 4], output[:, 5].astype(np.intp)
    centres, sizes, scores = output[:2].T, output[2:4].T, output[4:].T
    return np.hstack([centres - sizes / 2, centres + sizes / 2]), scores.max(axis=1), scores.argmax(axis=1)


def kind_names(names: Mapping[int, str]) -> dict[int, str]:
    """Kind of each class index: its name where that is one of `REGION_KINDS`, ``other`` where it is not."""
    known = {int(index): str(name).strip().lower() for index, name in names.items()}
    return {index: name if name in REGION_KINDS else "other" for index, name in known.items()}


def _class_kinds(text: str, path: Path) -> dict[int, str]:
    if not text:
        return {}
    try:
        return kind_names(dict(ast.literal_eval(text)))
    except (ValueError, SyntaxError, TypeError) as error:
        raise CurateError(f"{path}: the metadata 'names' is no table of class names: {text[:80]!r}") from error
