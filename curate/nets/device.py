"""Which device and how many threads a network gets; answers without importing torch where it can."""

from __future__ import annotations

import os
from pathlib import Path

from curate.errors import CurateError
from curate.files.machine import usable_cores


def available_threads() -> int:
    """CPU threads a network may use: the engine's share for this worker, else the cores of this process.

    The engine states it as ``CURATE_THREADS``; ``OMP_NUM_THREADS`` is heeded where that is not set.
    """
    for name in ("CURATE_THREADS", "OMP_NUM_THREADS"):
        stated = os.environ.get(name, "")
        if stated.isdigit() and int(stated):
            return int(stated)
    return usable_cores()


def may_have_cuda() -> bool:
    """Whether an NVIDIA driver is on this machine, without importing torch."""
    return any(Path(p).exists() for p in ("/dev/nvidiactl", "/dev/dxg"))


def wants_gpu(device: str) -> bool:
    """Whether a network on this device needs a CUDA worker; torch is imported only where that is likely.

    Raises:
        CurateError: As `resolve_device`.
    """
    if device == "cpu" or (device == "auto" and not may_have_cuda()):
        return False
    return resolve_device(device) != "cpu"


def resolve_device(device: str) -> str:
    """Turn ``auto`` into ``cuda`` or ``cpu``, and check the others.

    Raises:
        CurateError: An unknown name, or a CUDA device that is not there.
    """
    if device == "cpu" or (device == "auto" and not may_have_cuda()):
        return "cpu"
    kind, _, index = device.partition(":")
    if device != "auto" and not (kind == "cuda" and (index.isdigit() or device == "cuda")):
        raise CurateError(f"unknown device {device!r}: give auto, cpu, cuda or cuda:N")
    import torch

    count = torch.cuda.device_count()
    if device == "auto":
        return "cuda" if count else "cpu"
    if int(index or 0) >= count:
        raise CurateError(f"device {device!r} is not there: PyTorch sees {count} CUDA devices; --device cpu works")
    return device
