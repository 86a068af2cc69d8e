"""Which file of a detector is read by what: ONNX here, checkpoints by Ultralytics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curate.errors import CurateError
from curate.nets.detect.yolo import Detector, Yolo


def load(path: Path, *, device: str, threads: int) -> Detector:
    """The detector in a file: ONNX, or a checkpoint for Ultralytics if its name ends in ``.pt``.

    Raises:
        CurateError: The file cannot be loaded, or it is a checkpoint and Ultralytics is not installed.
    """
    if path.suffix == ".pt":
        from curate.nets.detect.yolo_checkpoint import YoloCheckpoint

        return YoloCheckpoint(path, device=device, threads=threads)
    return Yolo(path, device=device, threads=threads)


def model_files(paths: Sequence[Path]) -> list[Path]:
    """Models named one by one or as the folder that holds them, in a fixed order.

    Of a folder, all ``*.onnx`` and those checkpoints ``*.pt`` that have not been converted to ONNX beside them.

    Raises:
        CurateError: A path does not exist, or a folder holds no model.
    """
    files: list[Path] = []
    for path in paths:
        found = [path]
        if path.is_dir():
            checkpoints = [file for file in path.glob("*.pt") if not file.with_suffix(".onnx").exists()]
            found = sorted([*path.glob("*.onnx"), *checkpoints])
        if not found or not found[0].is_file():
            raise CurateError(f"{path}: no YOLO model there; name an ONNX file or a *.pt, or a folder of such files")
        files += found
    return files
