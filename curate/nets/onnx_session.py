"""ONNX graphs made ready to run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import CurateError

if TYPE_CHECKING:
    import onnxruntime

_FATAL = 3
"""Of ONNX Runtime's log levels: errors and worse."""


def open_session(
    path: Path | bytes, what: str, *, device: str = "cpu", threads: int = 1
) -> onnxruntime.InferenceSession:
    """Load an ONNX graph.

    Args:
        path: File of the graph, or the graph itself.
        what: What it is, for the error.
        device: As for `providers`.
        threads: CPU threads of one forward pass.

    Raises:
        CurateError: The graph cannot be loaded, or the device is not there.
    """
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = _FATAL
    # Threads that wait would spin and take the cores from those that decode: on two busy cores that cost a third.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    chosen = providers(device)
    try:
        return onnxruntime.InferenceSession(path, settings, providers=chosen)
    except Exception as error:  # ONNX Runtime has an exception class for every way a file can be bad.
        where = "" if isinstance(path, bytes) else f" {path}"
        raise CurateError(f"cannot load the {what}{where}: {error}") from error


def providers(device: str) -> list[tuple[str, dict[str, int]]]:
    """ONNX Runtime's execution providers for a device, best first.

    Args:
        device: ``auto`` (CUDA where ONNX Runtime offers it), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        CurateError: Not a device, or CUDA is asked for and this ONNX Runtime has none.
    """
    cpu: list[tuple[str, dict[str, int]]] = [("CPUExecutionProvider", {})]
    if device == "cpu":
        return cpu
    kind, _, index = device.partition(":")
    if kind not in ("auto", "cuda") or (index and not index.isdecimal()) or (kind == "auto" and ":" in device):
        raise CurateError(f"unknown device {device!r}; use auto, cpu, cuda or cuda:N")
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return [("CUDAExecutionProvider", {"device_id": int(index or 0)}), *cpu]
    if kind == "auto":
        return cpu
    raise CurateError(f"device {device} is asked for, but ONNX Runtime has no CUDA here; install onnxruntime-gpu")
