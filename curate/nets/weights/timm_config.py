"""Classifiers as timm publishes them: weights, and a ``config.json`` with ``architecture`` and ``pretrained_cfg``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.files.digest import sha256_of
from curate.nets.weights.model_config import ModelConfig, WeightsFile
from curate.records import SURGICAL

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Names timm gives to weights (``timm.models._hub``), the safer first."""

ARCHITECTURE = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?")
"""What a network may be called (``fullmatch``): a plain name, never a place to fetch one from."""

RESERVED = frozenset(
    {
        "pretrained",
        "pretrained_cfg",
        "pretrained_cfg_overlay",
        "checkpoint_path",
        "cache_dir",
        "num_classes",
        "in_chans",
    }
)
"""Arguments of ``timm.create_model`` that a config must not set: they reach outside the network, or are set already."""


def is_timm_config(path: Path) -> bool:
    """Whether a ``config.json`` is of timm's form and not of curate's."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and "architecture" in data and "weights" not in data


def read_timm_config(path: Path) -> ModelConfig:
    """Read timm's config: preprocessing, classes and arguments of the network; not calibrated, threshold 0.5.

    What is missing is filled in as ``timm.data.resolve_data_config`` does it. One of ``label_names`` must be
    ``surgical`` (in any case), which the error explains.

    Raises:
        CurateError: Unreadable, values that cannot be used, no weights beside it, or no class called surgical.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        given = data.get("pretrained_cfg", data)
        size = given.get("input_size") or (3, 224, 224)
        architecture, arguments = str(data["architecture"]), dict(data.get("model_args") or {})
        if not ARCHITECTURE.fullmatch(architecture):
            raise ValueError(f"architecture {architecture!r} is not a plain name")
        channels = {int(size[0]), int(arguments.pop("in_chans", 3))}
        arguments.pop("num_classes", None)
        if channels != {3}:
            raise ValueError(f"it takes {min(channels - {3})} channels, frames have 3")
        if wrong := sorted(RESERVED & arguments.keys()):
            raise ValueError(f"model_args must not set {', '.join(wrong)}")
        return ModelConfig(
            name=path.parent.name,
            architecture=architecture,
            arguments=arguments,
            weights=(_weights(path.parent),),
            width=int(size[2]),
            height=int(size[1]),
            interpolation=given.get("interpolation") or "bicubic",
            crop_mode=given.get("crop_mode") or "center",
            crop_pct=float(given.get("crop_pct") or 0.875),
            mean=tuple(given.get("mean") or (0.485, 0.456, 0.406)),
            std=tuple(given.get("std") or (0.229, 0.224, 0.225)),
            classes=_classes(path, data, given),
        )
    except OSError as error:
        raise CurateError(f"cannot read the model's config {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise CurateError(f"{path} is not a usable timm config: {error}") from error


def _weights(folder: Path) -> WeightsFile:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return WeightsFile(name, sha256_of(folder / name))
    raise CurateError(f"{folder} has a timm config, but no weights: {' or '.join(WEIGHTS)}")


def _classes(path: Path, data: dict[str, Any], given: dict[str, Any]) -> tuple[str, ...]:
    """Names of the outputs, the surgical one by the name this package uses."""
    count = int(data.get("num_classes") or given.get("num_classes") or 0)
    listed = data.get("label_names") or given.get("label_names") or []
    if isinstance(listed, dict):
        listed = [listed[str(index)] for index in range(len(listed))]
    names = [str(name).strip() for name in listed]
    surgical = [index for index, name in enumerate(names) if name.lower() == SURGICAL]
    if count < 2 or len(names) != count or len(surgical) != 1:
        found = f"label_names are {', '.join(names)}" if names else "there are no label_names"
        raise CurateError(
            f"{path} does not say which of its {count} classes is surgical ({found}): write the names of all classes "
            f'in the order of the outputs into it, one of them "surgical", e.g. "label_names": '
            f'["surgical", "non-surgical"]; a classifier needs at least two classes'
        )
    names[surgical[0]] = SURGICAL
    return tuple(names)
