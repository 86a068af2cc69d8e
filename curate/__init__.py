"""curate: turn a list of surgical videos into clean pretraining shards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.dataset import FrameDataset

from curate.version import __version__

__all__ = ["FrameDataset", "__version__"]


def __getattr__(name: str) -> Any:
    """Import `FrameDataset` when it is asked for: it brings PyTorch."""
    if name == "FrameDataset":
        from curate.dataset import FrameDataset

        return FrameDataset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
