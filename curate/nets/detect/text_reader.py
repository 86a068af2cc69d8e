"""The PP-OCR text recogniser that the ``rapidocr`` package ships, run by ONNX Runtime on lines of text.

The network (PaddleOCR's PP-OCRv6, Apache-2.0) gives a character or a blank for every eighth of the line's height; the
text is what is left when repeats and blanks are taken out (A. Graves et al., "Connectionist Temporal Classification",
ICML 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.errors import CurateError
from curate.nets.detect.text_detector import one_packaged
from curate.nets.onnx_session import open_session

Image = npt.NDArray[np.uint8]

MODEL_PATTERN = "*_rec_*.onnx"

HEIGHT = 48
"""Rows of the network's input."""

NARROWEST, WIDEST = 48, 2400
"""Columns of the network's input: shorter lines are padded, longer ones squeezed."""

BATCH = 8
"""Lines read in one forward pass."""

BLANK = 0
"""Index of the class that is no character; the alphabet follows, and a space comes last."""


class Reading(NamedTuple):
    """What stands on a line, and the mean probability of its characters (0..1; 0 for an empty line)."""

    text: str
    score: float


def packaged_model() -> Path:
    """Path of the recogniser inside the installed ``rapidocr`` package.

    Raises:
        CurateError: The package is missing, or does not hold exactly one recogniser.
    """
    return one_packaged(MODEL_PATTERN, "text recogniser")


class TextReader:
    """Reads lines of text.

    Args:
        model: ONNX file of a PP-OCR recogniser: input float32 (batch, 3, 48, width), output (batch, steps, classes)
            with probabilities; the alphabet is in its metadata, one character a line.
        device: As for `curate.nets.onnx_session.providers`.
        threads: Threads of one forward pass on CPU.

    Raises:
        CurateError: The model cannot be loaded or carries no alphabet, or the device is not there.
    """

    def __init__(self, model: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self._session = open_session(model, "text recogniser", device=device, threads=threads)
        alphabet = self._session.get_modelmeta().custom_metadata_map.get("character", "").split("\n")
        self._characters = ["", *(c.strip("\r") for c in alphabet), " "]
        self._input = self._session.get_inputs()[0].name
        classes = self._session.get_outputs()[0].shape[-1]
        if isinstance(classes, int) and classes != len(self._characters):
            raise CurateError(
                f"the text recogniser {model} has {classes} classes, but {len(self._characters)} characters in its "
                "metadata; reinstall rapidocr"
            )

    def read(self, lines: Sequence[Image]) -> list[Reading]:
        """Read lines of text.

        Args:
            lines: RGB, uint8, each of shape (height, width, 3), cut out around one upright line.
        """
        widths = [_columns(line) for line in lines]
        order = sorted(range(len(lines)), key=lambda i: (widths[i], i))
        readings: dict[int, Reading] = {}
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            found = self._pass([lines[i] for i in chosen], max(widths[i] for i in chosen))
            readings.update(zip(chosen, found, strict=True))
        return [readings[i] for i in range(len(lines))]

    def _pass(self, lines: Sequence[Image], columns: int) -> list[Reading]:
        import cv2

        batch = np.zeros((len(lines), 3, HEIGHT, columns), dtype=np.float32)
        for place, line in zip(batch, lines, strict=True):
            across = _columns(line)
            scaled = cv2.resize(line, (across, HEIGHT), interpolation=cv2.INTER_LINEAR)
            # PP-OCR is trained on BGR scaled to -1..1, padded with 0 on the right.
            place[:, :, :across] = scaled[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 127.5 - 1.0
        (output,) = self._session.run(None, {self._input: batch})
        return [self._decode(steps) for steps in output]

    def _decode(self, steps: npt.NDArray[np.float32]) -> Reading:
        best = steps.argmax(axis=1)
        new = (best != BLANK) & np.concatenate(([True], best[1:] != best[:-1]))
        if not new.any():
            return Reading("", 0.0)
        text = "".join(self._characters[k] for k in best[new])
        return Reading(text, min(float(steps.max(axis=1)[new].mean()), 1.0))


def _columns(line: Image) -> int:
    height, width = line.shape[:2]
    return min(max(round(HEIGHT * width / height), NARROWEST), WIDEST)
