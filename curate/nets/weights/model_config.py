"""What travels with the weights of a frame classifier: ``config.json``."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from curate.errors import CurateError
from curate.records import NON_SURGICAL, SURGICAL

FILE_NAME = "config.json"

LEVELS = "levels"
"""Architecture of `curate.nets.levels`, in place of a timm name."""

Interpolation = Literal["area", "linear", "nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
"""``area`` and ``linear`` are OpenCV's; the others are Pillow's, which timm and torchvision use on pictures."""

CropMode = Literal["squash", "center", "border"]

FORMAT = 1
"""Raised when a reader of the old form would misread the new one."""


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights beside its config.

    Attributes:
        file: File name in the folder of the config.
        sha256: Hex digest of its content.
    """

    file: str
    sha256: str


@dataclass(frozen=True)
class Branch:
    """One backbone of a network of levels (`curate.nets.levels`), and what the head sees of it.

    Attributes:
        architecture: timm name of a network of the EfficientNet family (stem, ``blocks``, last convolution).
        mean: Per RGB channel, of values in 0..1, subtracted.
        std: Per RGB channel, of values in 0..1, divided by.
        blocks: Indices of the stages of blocks whose channel means and deviations the head sees.
    """

    architecture: str
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    blocks: tuple[int, ...] = (1, 2, 3, 4, 5, 6)

    def __post_init__(self) -> None:
        for name in ("mean", "std", "blocks"):  # as lists in JSON
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(f"branch {self.architecture}: mean and std need three values, std above 0")
        if any(index < 0 for index in self.blocks):
            raise ValueError(f"branch {self.architecture}: blocks are counted from 0")


@dataclass(frozen=True)
class ModelConfig:
    """How to run a frame classifier, and how to read its answer.

    Attributes:
        name: Written into every table the model makes.
        architecture: timm name of the network; its head has ``len(classes)`` outputs. ``levels`` with ``branches``.
        arguments: Further arguments of timm's network; plain values.
        branches: Backbones of a network of levels; each normalises its input itself, after ``mean`` and ``std``.
        classes: Names in the order of the outputs; ``surgical`` is one of them.
        width: Input width in pixels.
        height: Input height in pixels.
        interpolation: See `curate.nets.preprocess.to_input`.
        crop_mode: ``squash``, ``center`` or ``border``, see `curate.nets.preprocess.Framing`.
        crop_pct: Share of the resized picture's sides that the network sees.
        mean: Per RGB channel, of values in 0..1, subtracted.
        std: Per RGB channel, of values in 0..1, divided by.
        weights: One safetensors or PyTorch state dict a member; the logits of several are averaged.
        onnx: The same network as an ONNX graph from uint8 (N, H, W, 3) to logits, used on CPUs; ``None`` without one.
        temperature: Logits are divided by it before the softmax (Guo et al., ICML 2017).
        threshold: Operating point: frames with ``p_surgical`` at or above it are surgical.
        uncertain: ``(low, high)``: frames with ``low <= p_surgical < high`` are marked for review.
        training_command: The command that made the weights.
        curate_version: Version of this package that made them.
        format: `FORMAT`.
    """

    name: str
    architecture: str
    weights: tuple[WeightsFile, ...]
    width: int = 224
    height: int = 224
    interpolation: Interpolation = "area"
    crop_mode: CropMode = "squash"
    crop_pct: float = 1.0
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    classes: tuple[str, ...] = (SURGICAL, NON_SURGICAL)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    branches: tuple[Branch, ...] = ()
    onnx: WeightsFile | None = None
    temperature: float = 1.0
    threshold: float = 0.5
    uncertain: tuple[float, float] = (0.5, 0.5)
    training_command: str = ""
    curate_version: str = ""
    format: int = field(default=FORMAT)

    def __post_init__(self) -> None:
        checks = {
            f"format {self.format} is not {FORMAT}": self.format != FORMAT,
            "classes have no 'surgical'": SURGICAL not in self.classes,
            "weights are missing": not self.weights,
            "width and height must be 8 to 4096": not (8 <= self.width <= 4096 and 8 <= self.height <= 4096),
            "'levels' goes with branches, and other architectures without": bool(self.branches)
            != (self.architecture == LEVELS),
            f"interpolation is not one of {', '.join(get_args(Interpolation))}": self.interpolation
            not in get_args(Interpolation),
            f"crop_mode is not one of {', '.join(get_args(CropMode))}": self.crop_mode not in get_args(CropMode),
            "crop_pct must be above 0, up to 1": not 0 < self.crop_pct <= 1,
            "'area' and 'linear' go with the whole picture: crop_mode 'squash', crop_pct 1": self.interpolation
            in ("area", "linear")
            and (self.crop_mode, self.crop_pct) != ("squash", 1.0),
            "arguments must be a table": not isinstance(self.arguments, Mapping),
            "mean and std need three values": len(self.mean) != 3 or len(self.std) != 3,
            "std must be above 0": min(self.std, default=0) <= 0,
            "temperature must be above 0": not (0 < self.temperature < math.inf),
            "threshold must be in 0..1": not 0 <= self.threshold <= 1,
            "uncertain must be two values, low <= high, in 0..1": len(self.uncertain) != 2
            or not 0 <= self.uncertain[0] <= self.uncertain[-1] <= 1,
        }
        for said, wrong in checks.items():
            if wrong:
                raise ValueError(said)
        for part in (*self.weights, *([self.onnx] if self.onnx else [])):
            if Path(part.file).name != part.file or part.file in ("", ".", ".."):
                raise ValueError(f"weights file {part.file!r} is not a plain file name")

    @property
    def surgical_index(self) -> int:
        """Index of the surgical class in the outputs."""
        return self.classes.index(SURGICAL)

    def fingerprint(self) -> dict[str, Any]:
        """What of this config goes into score tables, weights by their digest; ready for JSON.

        The operating point is among it: `curate.stages.trim` reads it from the score table.
        """
        kept = {"architecture", "arguments", "branches", "classes", "width", "height", "interpolation", "crop_mode"}
        kept |= {"crop_pct", "mean", "std", "temperature"}
        kept |= {"threshold", "uncertain"}
        plain = json.loads(json.dumps(dataclasses.asdict(self)))
        return {k: v for k, v in plain.items() if k in kept} | {"sha256": [w.sha256 for w in self.weights]}


def read_config(path: Path) -> ModelConfig:
    """Read a ``config.json``.

    Raises:
        CurateError: Missing, not JSON, or with values that cannot be used.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        data["weights"] = tuple(WeightsFile(**part) for part in data["weights"])
        data["branches"] = tuple(Branch(**part) for part in data.get("branches", ()))
        data["onnx"] = WeightsFile(**data["onnx"]) if data.get("onnx") else None
        for name in ("mean", "std", "classes", "uncertain"):
            if name in data:
                data[name] = tuple(data[name])
        return ModelConfig(**data)
    except OSError as error:
        raise CurateError(f"cannot read the model's config {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CurateError(f"{path} is not a usable model config: {error}") from error


def write_config(config: ModelConfig, path: Path) -> None:
    """Write a ``config.json`` that `read_config` reads."""
    path.write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n", encoding="utf-8")
