"""A classifier as an ONNX graph on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from curate.errors import CurateError


class OnnxNetwork:
    """An ONNX graph from uint8 RGB (N, H, W, 3) to logits (N, classes), on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises classes of its own that share no base but Exception
            raise CurateError(f"{path} is not a usable ONNX graph: {error}") from error
        self._input = self._session.get_inputs()[0].name

    def logits(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Answer float32 (N, classes) to uint8 RGB (N, H, W, 3)."""
        return self._session.run(None, {self._input: pixels})[0]
