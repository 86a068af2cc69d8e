"""A classifier as an ONNX graph on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.nets.onnx_session import open_session


class OnnxNetwork:
    """An ONNX graph from uint8 RGB (N, H, W, 3) to logits (N, classes), on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        self._session = open_session(path, "frame classifier", threads=threads)
        self._input = self._session.get_inputs()[0].name

    def logits(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Answer float32 (N, classes) to uint8 RGB (N, H, W, 3)."""
        return self._session.run(None, {self._input: pixels})[0]
