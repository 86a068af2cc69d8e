"""Runs the main script of a trainer, unchanged, where it would not start: no GPU, and newer libraries than its own.

What is put in place of what is missing stands in the functions here, and nothing else is: the script's data sets,
loaders, augmentations, losses and loops are its own.
"""

from __future__ import annotations

import runpy
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn


def start(script: Path, arguments: list[str]) -> None:
    """Run a script as ``python script arguments``, in this process."""
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.parent))
    torch.set_num_threads(1)
    runpy.run_path(str(script), run_name="__main__")


def cpu_for_cuda() -> None:
    """What is asked of CUDA and NCCL is done by the CPU and gloo: the scripts ask for them by name."""

    def same(thing: Any, *arguments: Any, **options: Any) -> Any:
        return thing

    def nothing(*arguments: Any, **options: Any) -> None:
        pass

    torch.Tensor.cuda = nn.Module.cuda = same
    torch.cuda.synchronize = torch.cuda.set_device = torch.cuda.empty_cache = nothing
    torch.tensor = _with(torch.tensor, lambda options: options | ({"device": "cpu"} if "device" in options else {}))
    torch.distributed.init_process_group = _with(
        torch.distributed.init_process_group, lambda options: options | {"backend": "gloo"}
    )
    nn.parallel.DistributedDataParallel = _with(
        nn.parallel.DistributedDataParallel, lambda options: {k: v for k, v in options.items() if k != "device_ids"}
    )


def names_that_are_gone() -> None:
    """Names of PyTorch before 1.13 and numpy before 1.24 that some scripts import or use."""
    sys.modules["torch._six"] = types.ModuleType("torch._six")
    sys.modules["torch._six"].inf = float("inf")
    gone = types.ModuleType("numpy.lib.function_base")
    gone.disp = print
    sys.modules["numpy.lib.function_base"] = gone
    np.int, np.float, np.bool = int, float, bool


def _with(function: Callable[..., Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, **change(options))

    return call
