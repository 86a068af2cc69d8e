"""YOLO detectors as Ultralytics checkpoints (``*.pt``), which is how LEMON publishes its own.

This module alone imports Ultralytics, and only when a checkpoint is named: the package is AGPL-3.0 and comes with the
optional extra ``curate[ultralytics]``. A checkpoint turned into ONNX once, with `convert`, runs without it.

Checkpoints are pickles. They are loaded in Ultralytics' restricted mode (``ULTRALYTICS_SAFE_LOAD``), which rebuilds
known layers and nothing else; its usage reports and its installing of packages are off.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.errors import CurateError
from curate.nets.detect.yolo import CONFIDENCE, IOU, detections, kind_names
from curate.nets.torchvision_repair import ensure_torchvision
from curate.records import Region

Image = npt.NDArray[np.uint8]

ENVIRONMENT = {"ULTRALYTICS_SAFE_LOAD": "true", "YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true"}
"""What Ultralytics reads while it is imported."""

OPSET = 17


class YoloCheckpoint:
    """One YOLO model, run by Ultralytics as LEMON does.

    Args:
        path: Checkpoint of a detector.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: Threads of torch on CPU.

    Raises:
        CurateError: Ultralytics is not installed, the file is no such checkpoint, or the device is not there.
    """

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        import torch

        from curate.nets.device import resolve_device

        self._device = resolve_device(device)
        torch.set_num_threads(threads)
        self._network = _loaded(path)
        self._kinds = kind_names(self._network.names)
        self._model = path.stem

    def detect(self, image: Image, confidence: float = CONFIDENCE) -> list[Region]:
        """Find objects in one image; as `curate.nets.detect.yolo.Yolo.detect`."""
        height, width = image.shape[:2]
        (result,) = self._network.predict(
            np.ascontiguousarray(image[:, :, ::-1]), conf=confidence, iou=IOU, device=self._device, verbose=False
        )
        table = result.boxes.cpu().numpy()
        return detections(table.xyxy, table.conf, table.cls.astype(np.intp), self._kinds, self._model, width, height)


def convert(path: Path, output: Path) -> None:
    """Write a checkpoint as ONNX, of any batch and image size, as `curate.nets.detect.yolo.Yolo` reads it.

    Args:
        path: Checkpoint of a detector.
        output: ONNX file to write; replaced if it is there.

    Raises:
        CurateError: Ultralytics or onnx is not installed, or the file is no such checkpoint.
    """
    _required("onnx")
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".convert-") as scratch:
        # Ultralytics writes beside the checkpoint, under its name.
        copy = Path(scratch) / f"{output.stem}.pt"
        shutil.copyfile(path, copy)
        network = _loaded(path, copy)
        written = network.export(format="onnx", dynamic=True, simplify=False, opset=OPSET, device="cpu", verbose=False)
        os.replace(written, output)


def _loaded(path: Path, copy: Path | None = None) -> Any:
    ultralytics = _ultralytics()
    try:
        network = ultralytics.YOLO(str(copy or path))
    except Exception as error:  # Ultralytics and pickle have exceptions of their own for every way a file can be bad.
        raise CurateError(f"cannot load the YOLO checkpoint {path}: {' '.join(str(error).split())[:300]}") from error
    if network.task != "detect":
        raise CurateError(f"{path} is a YOLO checkpoint for the task {network.task!r}, not for detection")
    return network


def _ultralytics() -> Any:
    _required("ultralytics")
    ensure_torchvision()
    with _environment(ENVIRONMENT):
        ultralytics = importlib.import_module("ultralytics")
        tasks = importlib.import_module("ultralytics.nn.tasks")
    # Its own answer to whether it loads checkpoints in restricted mode; missing before that mode was made.
    restricted = getattr(tasks, "_SafeLoad", None)
    if restricted is None or not restricted.restricted():
        raise CurateError(
            "this Ultralytics or torch cannot load checkpoints in restricted mode, or was imported without it; upgrade "
            "both, or convert the checkpoint to ONNX where you trust it: yolo export format=onnx dynamic=True"
        )
    ultralytics.utils.LOGGER.setLevel(logging.ERROR)
    return ultralytics


def _required(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise CurateError(
            f"YOLO checkpoints (*.pt) need the package {package}, which is not installed: install the extra "
            "'ultralytics' (AGPL-3.0). ONNX files of the same models do without; where it is installed, "
            "curate models convert FILE.pt makes them"
        )


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
