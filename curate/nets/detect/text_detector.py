"""The PP-OCR text detector that the ``rapidocr`` package ships, run by ONNX Runtime.

Only detection is done, no recognition. The network is PaddleOCR's PP-OCRv6 detector (Apache-2.0), which gives a
probability of text for every pixel; the boxes are made as in M. Liao et al., "Real-time Scene Text Detection with
Differentiable Binarization" (AAAI 2020), section 3.4, on upright rectangles, for upright rectangles are what is stored
and painted.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.errors import CurateError
from curate.nets.onnx_session import open_session
from curate.vision.boxes import Box, ScoredBox, Size, scale
from curate.vision.resizing import resized

Image = npt.NDArray[np.uint8]

PACKAGE = "rapidocr"
MODEL_PATTERN = "*_det_*.onnx"

STRIDE = 32
"""The network halves its input five times, so both sides must be a multiple of this."""

BINARIZE = 0.3
"""Pixels at or above this probability are text (PaddleOCR's ``thresh``)."""

UNCLIP = 1.6
"""The network is trained on shrunk text; boxes grow by ``area * UNCLIP / perimeter`` (rapidocr's ``unclip_ratio``)."""

SMALLEST = 3
"""Components thinner than this many network pixels are dropped (PaddleOCR's ``min_size``)."""

TALLEST = 0.12
"""Components taller than this share of the image are dropped: the network takes organs, eyes and whole fields of view
for huge letters. Measured on the development frames: without it 9 % of surgical pixels are lost, with it 0.02 %."""

ELONGATION = 1.5
"""Smallest width of a line of text in heights; glints on tissue are taken for single round letters."""

RECTANGULARITY = 0.7
"""Smallest share of its upright or tilted rectangle that a component fills; tissue and glints give ragged blobs."""


def packaged_model() -> Path:
    """Path of the detector inside the installed ``rapidocr`` package, found without importing the package.

    Raises:
        CurateError: The package is missing, or does not hold exactly one detector.
    """
    return one_packaged(MODEL_PATTERN, "text detector")


def one_packaged(pattern: str, what: str) -> Path:
    """Path of the one model inside the installed ``rapidocr`` package whose name matches a pattern.

    Raises:
        CurateError: The package is missing, or does not hold exactly one.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise CurateError(f"the {what} comes with the package {PACKAGE}, which is not installed; install it")
    folder = Path(spec.submodule_search_locations[0]) / "models"
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise CurateError(f"expected one {what} {pattern} in {folder}, found {names}; reinstall {PACKAGE}")
    return found[0]


class TextDetector:
    """Finds lines of text in images.

    Args:
        model: ONNX file of a PP-OCR detector: input float32 (batch, 3, height, width), output (batch, 1, height,
            width) with probabilities in 0..1.
        side: Images are scaled so that their short side has about this many pixels; never enlarged more than twofold.
            448 finds as much as 736 at 60 ms instead of 190 ms a frame, and with fewer false boxes on tissue.
        threshold: Boxes below this score are dropped, 0..1.
        device: As for `curate.nets.onnx_session.providers`.
        threads: Threads of one forward pass on CPU.

    Raises:
        CurateError: The model cannot be loaded, or the device is not there.
    """

    def __init__(
        self,
        model: Path,
        *,
        side: int = 448,
        threshold: float = 0.7,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self._session = open_session(model, "text detector", device=device, threads=threads)
        self._input = self._session.get_inputs()[0].name
        self._side = side
        self._threshold = threshold

    def detect(self, images: Sequence[Image]) -> list[list[ScoredBox]]:
        """Find text in images of one size.

        Args:
            images: RGB, uint8, each of shape (height, width, 3), all of the same shape.

        Returns:
            For each image its boxes in pixels of that image, clipped to it, top to bottom.
        """
        if not images:
            return []
        height, width = images[0].shape[:2]
        probabilities = self.probabilities(images)
        return [boxes_of(p, width, height, self._threshold) for p in probabilities]

    def detect_in(self, image: Image, parts: Sequence[Box]) -> list[ScoredBox]:
        """Find text in parts of an image, at the scale at which the whole would be looked at.

        Args:
            image: RGB, uint8, shape (height, width, 3).
            parts: Boxes with area in pixels of the image. Text that reaches beyond them may be cut off.

        Returns:
            Boxes in pixels of the image, clipped to it, top to bottom.
        """
        height, width = image.shape[:2]
        rows, columns = network_size(width, height, self._side)
        small = resized(image, (columns, rows))
        found: list[ScoredBox] = []
        for part in parts:
            x1, y1, x2, y2 = scale(part, (width, height), (columns, rows))
            across, across_end = _whole_steps(x1, x2, columns)
            down, down_end = _whole_steps(y1, y2, rows)
            (seen,) = self._run([small[down:down_end, across:across_end]])
            found += boxes_of(seen, width, height, self._threshold, whole=(columns, rows), at=(across, down))
        return sorted(found, key=downwards)

    def probabilities(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Probability of text at network resolution.

        Returns:
            float32 in 0..1, shape (number of images, network height, network width).
        """
        height, width = images[0].shape[:2]
        rows, columns = network_size(width, height, self._side)
        return self._run([resized(image, (columns, rows)) for image in images])

    def _run(self, pictures: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Probability of text in pictures of one size, which is a multiple of `STRIDE`."""
        batch = np.empty((len(pictures), 3, *pictures[0].shape[:2]), dtype=np.float32)
        for place, picture in zip(batch, pictures, strict=True):
            # PP-OCR is trained on BGR scaled to -1..1.
            place[:] = picture[:, :, ::-1].transpose(2, 0, 1)
        batch /= 127.5
        batch -= 1.0
        (output,) = self._session.run(None, {self._input: batch})
        return output[:, 0]


def _whole_steps(low: int, high: int, side: int) -> tuple[int, int]:
    """A stretch of a side grown to multiples of `STRIDE`."""
    return low // STRIDE * STRIDE, min(-(-high // STRIDE) * STRIDE, side)


def network_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Rows and columns of the network's input for an image: multiples of `STRIDE`, short side about ``side``."""
    scale = min(side / min(width, height), 2.0)
    return (
        max(round(height * scale / STRIDE), 1) * STRIDE,
        max(round(width * scale / STRIDE), 1) * STRIDE,
    )


def boxes_of(
    probability: npt.NDArray[np.float32],
    width: int,
    height: int,
    threshold: float,
    *,
    whole: Size | None = None,
    at: tuple[int, int] = (0, 0),
) -> list[ScoredBox]:
    """Upright boxes of the connected components of a probability map that look like lines of text.

    Args:
        probability: float32 in 0..1, shape (network height, network width).
        width: Image width in pixels to scale the boxes to.
        height: Image height in pixels.
        threshold: Components whose mean probability is below it are dropped.
        whole: Width and height of the map of the whole image, where this is that of a part of it.
        at: Left and upper corner of the part in the map of the whole.

    Returns:
        Boxes with area, clipped to the image, top to bottom.
    """
    import cv2

    columns, rows = whole or probability.shape[::-1]
    text = (probability >= BINARIZE).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(text, connectivity=8)
    boxes = []
    for label in range(1, count):
        left, top, across, down, area = (int(v) for v in stats[label])
        if min(across, down) < SMALLEST or down > TALLEST * rows or across < ELONGATION * down:
            continue
        window = (slice(top, top + down), slice(left, left + across))
        inside = labels[window] == label
        score = min(float(probability[window][inside].mean()), 1.0)
        if score < threshold or area < RECTANGULARITY * _smallest_rectangle(inside):
            continue
        grow = across * down * UNCLIP / (2 * (across + down))
        left, top = left + at[0], top + at[1]
        x1 = max(int(np.floor((left - grow) * width / columns)), 0)
        y1 = max(int(np.floor((top - grow) * height / rows)), 0)
        x2 = min(int(np.ceil((left + across + grow) * width / columns)), width)
        y2 = min(int(np.ceil((top + down + grow) * height / rows)), height)
        boxes.append(ScoredBox(x1, y1, x2, y2, score))
    return sorted(boxes, key=downwards)


def downwards(box: ScoredBox) -> tuple[int, ...]:
    """Sorts boxes top to bottom."""
    return box.y1, box.x1, box.y2, box.x2


def _smallest_rectangle(inside: npt.NDArray[np.bool_]) -> float:
    """Area in pixels of the smallest rectangle, upright or tilted, around the true pixels."""
    import cv2

    points = np.argwhere(inside).astype(np.float32)
    _, (a, b), _ = cv2.minAreaRect(points)
    return (a + 1) * (b + 1)
