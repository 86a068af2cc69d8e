"""How tasks are run: the `Engine` protocol, and engines."""

from __future__ import annotations

import logging
from pathlib import Path

from curate.config import EngineOptions
from curate.engine.protocol import (
    Answer,
    Attempt,
    Engine,
    Fault,
    Finished,
    Halt,
    Observer,
    Task,
    Work,
)

log = logging.getLogger(__name__)

__all__ = [
    "Answer",
    "Attempt",
    "Engine",
    "Fault",
    "Finished",
    "Halt",
    "Observer",
    "Task",
    "Work",
    "make_engine",
]


def make_engine(options: EngineOptions, folder: Path, *, lock: Path | None = None) -> Engine:
    """The engine that the options ask for.

    Args:
        options: Use of the machine, or of the cluster.
        folder: A folder on the disk that the tasks fill, which all workers see under this path.
        lock: File that workers on this machine hold shared while they live, if any.

    Raises:
        CurateError: The engine is not installed, or does not answer.
    """
    if options.engine == "ray":
        from curate.engine.ray import RayEngine

        return RayEngine(options, folder)
    if options.address:
        log.warning("address %s is not used: that is for --engine ray", options.address)
    from curate.engine.local import LocalEngine

    return LocalEngine(options, folder, lock=lock)
