"""curate: turn a list of surgical videos into clean pretraining shards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError
from curate.version import __version__

if TYPE_CHECKING:
    from curate.api import classify, export, open_workspace, process, sample, verify
    from curate.dataset import FrameDataset, FrameStream, Neighbours

__all__ = [
    "CurateError",
    "FrameDataset",
    "FrameStream",
    "Neighbours",
    "__version__",
    "classify",
    "export",
    "open_workspace",
    "process",
    "sample",
    "verify",
]

# ONNX Runtime (1.32) tells its maker of its sessions, from a queue below ~/.cache/Microsoft that it opens when it is
# imported. What is done with patients' videos is nobody else's business.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for, so that ``import curate`` brings neither PyTorch nor codecs."""
    if name in ("FrameDataset", "FrameStream", "Neighbours"):
        from curate import dataset

        return getattr(dataset, name)
    if name in __all__:
        from curate import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
