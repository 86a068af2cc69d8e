"""ONNX graphs made ready to run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import CurateError
from curate.nets.device import may_have_cuda

if TYPE_CHECKING:
    import onnxruntime

CUDA = "CUDAExecutionProvider"
"""ONNX Runtime's name of the GPU."""

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
        CurateError: The graph cannot be loaded, or the device is not there or cannot be used.
    """
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = _FATAL
    # Threads that wait would spin and take the cores from those that decode: on two busy cores that cost a third.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    chosen = providers(device)
    on_gpu = chosen[0][0] == CUDA
    if on_gpu:
        onnxruntime.preload_dlls()  # those of pip's packages, which PyTorch brings, stand on no search path
    try:
        session = onnxruntime.InferenceSession(path, settings, providers=chosen, enable_fallback=0)
    except Exception as error:  # ONNX Runtime has an exception class for every way a file can be bad.
        where = "" if isinstance(path, bytes) else f" {path}"
        raise CurateError(f"cannot load the {what}{where}: {error}") from error
    if on_gpu and CUDA not in session.get_providers():  # ONNX Runtime goes on without it, on the CPU
        raise CurateError(
            f"ONNX Runtime {onnxruntime.__version__} cannot use CUDA for the {what}: the libraries of CUDA and cuDNN "
            "are not there or do not fit the driver ('curate doctor' tells what PyTorch sees); on the CPU it works"
        )
    return session


def runs_on_gpu(device: str) -> bool:
    """Whether a graph on this device runs on a GPU; raises as `providers`."""
    return providers(device)[0][0] == CUDA


def providers(device: str) -> list[tuple[str, dict[str, int]]]:
    """ONNX Runtime's execution providers for a device, best first.

    Args:
        device: ``auto`` (CUDA where there is an NVIDIA driver and ONNX Runtime offers it), ``cpu``, ``cuda`` or
            ``cuda:N``.

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

    if CUDA in onnxruntime.get_available_providers() and (kind == "cuda" or may_have_cuda()):
        return [(CUDA, {"device_id": int(index or 0)}), *cpu]
    if kind == "auto":
        return cpu
    raise CurateError(f"device {device} is asked for, but ONNX Runtime has no CUDA here; install onnxruntime-gpu")
