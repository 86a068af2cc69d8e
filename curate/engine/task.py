"""What the engine and its workers hand each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.records import Video
from curate.stage import Files, Stage
from curate.workspace.ledger import Event


@dataclass(frozen=True)
class StageSpec:
    """How to make a stage in a worker process."""

    stage: type[Stage[Any]]
    options: Any

    def make(self) -> Stage[Any]:
        """A new instance, not yet set up."""
        return self.stage(self.options)


@dataclass(frozen=True)
class Task:
    """One (video, stage) to do.

    Attributes:
        stage: Stage name.
        video: The video.
        files: Its inputs and where to write.
        fingerprint: Written to the ledger with the outcome.
        rank: Tasks with smaller ranks go first within a lane.
    """

    stage: str
    video: Video
    files: Files
    fingerprint: str
    rank: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Halt:
    """A worker's answer when a stage must stop for every video: the video in hand stays pending."""

    stage: str
    message: str
    fatal: bool = False
    """Whether the cause is the user's to mend (`CurateError`), so that the whole run stops."""


Answer = Event | Halt


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker process needs to know once.

    Attributes:
        specs: Every stage it may be asked to run.
        ledger: Folder for its event file.
        lock: File it holds shared while it lives.
        threads: CPU threads its native libraries may use.
        device: Value for ``CUDA_VISIBLE_DEVICES``; ``None`` leaves it alone.
        log_level: Level of the ``curate`` logger.
    """

    specs: dict[str, StageSpec]
    ledger: Path
    lock: Path
    threads: int
    device: str | None
    log_level: int
