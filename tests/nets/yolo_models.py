"""YOLO files for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


def make_model(path: Path, table: np.ndarray, names: str = "{0: 'logo', 1: 'Text', 2: 'doctor'}") -> Path:
    """An ONNX file whose output is ``table``, with the input of a YOLO of 320 by 640."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 320, 640])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, *table.shape])
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["table", "nothing"], ["output0"]),
    ]
    constants = [
        numpy_helper.from_array(np.float32(0), "zero"),
        numpy_helper.from_array(table[None].astype(np.float32), "table"),
    ]
    graph = helper.make_graph(nodes, "yolo", [image], [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"names": names} if names else {})
    onnx.save(model, path)
    return path


def columns(*boxes: tuple[float, float, float, float, float, float, float]) -> np.ndarray:
    """The layout without suppression: centre, size, and three class scores down the rows."""
    return np.array(boxes, np.float32).T
