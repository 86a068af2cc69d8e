"""Writing a trained classifier: weights, ONNX graph and config."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from curate.files.digest import sha256_of
from curate.nets.checkpoint import read_state
from curate.nets.torch_network import NormalisedEnsemble, build_network
from curate.nets.weights.model_config import FILE_NAME, ModelConfig, WeightsFile, write_config
from curate.training.fit import export_onnx
from curate.version import __version__


def save_model(network: torch.nn.Module, base: ModelConfig, folder: Path, **values: Any) -> ModelConfig:
    """Write ``model.safetensors``, ``model.onnx`` and ``config.json``.

    Matrices are kept in half precision and vectors in single; the graph is made from the rounded weights, so both
    files hold the same network.

    Args:
        network: Trained timm network.
        base: Its config so far.
        folder: Made if missing.
        **values: Fields of the config to set: temperature, threshold, uncertain, training_command.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights, graph = folder / "model.safetensors", folder / "model.onnx"
    save_file({n: (v.half() if v.ndim > 1 else v).contiguous() for n, v in network.state_dict().items()}, weights)
    weights.chmod(0o644)
    member = build_network(base, read_state(weights))
    example = torch.zeros(2, base.height, base.width, 3, dtype=torch.uint8)
    export_onnx(NormalisedEnsemble([member], base).eval(), example, graph)
    halve_onnx(graph)
    config = dataclasses.replace(
        base,
        weights=(WeightsFile(weights.name, sha256_of(weights)),),
        onnx=WeightsFile(graph.name, sha256_of(graph)),
        curate_version=__version__,
        **values,
    )
    write_config(config, folder / FILE_NAME)
    return config


def halve_onnx(path: Path) -> None:
    """Store the matrices of an ONNX graph in half precision, cast back when it is loaded.

    Exact for weights that were rounded to half precision before the export.
    """
    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1 and np.prod(tensor.dims) > 256:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values, f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)
    onnx.checker.check_model(model)
    onnx.save(model, path)
