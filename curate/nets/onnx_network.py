"""A classifier as an ONNX graph on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.errors import CurateError, why_of
from curate.nets.onnx_session import open_session


class OnnxNetwork:
    """An ONNX graph from uint8 RGB (N, H, W, 3) to logits (N, classes), on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        self._session = open_session(path, "frame classifier", threads=threads)
        self._input = self._session.get_inputs()[0].name

    def logits(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Answer float32 (N, classes) to uint8 RGB (N, H, W, 3)."""
        return self._session.run(None, {self._input: pixels})[0]


def open_inside(path: Path, weights: str, threads: int) -> Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]:
    """A function from uint8 RGB (N, H, W, 3) to what one layer of a graph sees, float32 (N, columns), on the CPU.

    Args:
        path: File of the graph.
        weights: How the name of the layer's weights ends.
        threads: CPU threads of one forward pass.

    Raises:
        CurateError: The graph cannot be loaded, or has no such layer.
    """
    import onnx

    try:
        graph = onnx.load(str(path))
    except Exception as error:  # the reader lets through whatever a damaged file sets off
        raise CurateError(f"cannot read the graph {path}: {why_of(error)}") from error
    layers = [node for node in graph.graph.node if any(name.endswith(weights) for name in node.input)]
    if len(layers) != 1:
        raise CurateError(f"{path} has {len(layers)} layers with {weights}, one is needed")
    inside = layers[0].input[0]
    graph.graph.output.append(onnx.helper.make_tensor_value_info(inside, onnx.TensorProto.FLOAT, None))
    session = open_session(graph.SerializeToString(), "features of the classifier", threads=threads)
    first = session.get_inputs()[0].name

    def run(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return session.run([inside], {first: pixels})[0]

    return run
