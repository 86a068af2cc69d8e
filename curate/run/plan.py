"""What the next run would do and why, before it does it; roughly how long it would take and what it would write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from curate.acquire.estimate import Estimate, estimate
from curate.files.machine import usable_cores
from curate.records import Video
from curate.run.pipeline import Pipeline, StageStatus
from curate.workspace.ledger import Record

Why = Literal["new", "changed", "elsewhere", "missing", "retry", "asked"]

WORDS: dict[Why, str] = {
    "new": "never done",
    "changed": "options, weights, the source or a stage above changed",
    "elsewhere": "the video has another path or time: it is read, and done again only if its bytes are others",
    "missing": "what was made is not there any more",
    "retry": "failed before, worth another try",
    "asked": "another try was asked for",
}
"""What each reason means."""

_LOOKED_AT = 200
"""Artefacts of a stage whose size is looked at."""


@dataclass
class StagePlan:
    """What waits for one stage.

    Attributes:
        first: Videos whose next step this is, by why.
        later: Videos that come to it if nothing is dropped or fails on the way.
        seconds: Mean seconds of work a video took so far, ``None`` where none was done.
        size: Mean bytes of what it made of a video so far, likewise.
    """

    first: Counter[Why] = field(default_factory=Counter)
    later: int = 0
    seconds: float | None = None
    size: float | None = None

    @property
    def videos(self) -> int:
        """All that wait for it."""
        return self.first.total() + self.later


@dataclass(frozen=True)
class RunPlan:
    """What the next run would do.

    Attributes:
        stages: By name, in order.
        download: Cost of the downloads.
        workers: Processes among which work is shared.
    """

    stages: dict[str, StagePlan]
    download: Estimate
    workers: int

    @property
    def hours(self) -> float | None:
        """Wall time of the stages after the download, ``None`` where a stage with work was never done here."""
        parts = [(s.seconds, s.videos) for name, s in self.stages.items() if name != "download" and s.videos]
        if any(seconds is None for seconds, _ in parts):
            return None
        return sum((seconds or 0) * videos for seconds, videos in parts) / self.workers / 3600

    @property
    def size(self) -> float | None:
        """Bytes that the stages after the download would write, ``None`` likewise."""
        parts = [(s.size, s.videos) for name, s in self.stages.items() if name != "download" and s.videos]
        return None if any(size is None for size, _ in parts) else sum((size or 0) * videos for size, videos in parts)


def plan_run(pipeline: Pipeline) -> RunPlan:
    """Find out what is to be done; nothing is written."""
    stages = {name: StagePlan() for name in pipeline.specs}
    names = list(stages)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    made: dict[str, list[Path]] = {name: [] for name in names}
    wanted: list[Video] = []
    for video, statuses in pipeline.statuses_of(pipeline.videos):
        for status in statuses:
            if status.state == "done" and status.event is not None:
                seconds[status.stage].append(status.event.seconds)
                if len(made[status.stage]) < _LOOKED_AT and status.event.artefact:
                    made[status.stage].append(pipeline.artefact(video, status.stage))
            elif status.state == "pending":
                stages[status.stage].first[why := _why(video, status)] += 1
                if status.stage == names[0]:
                    wanted.append(video)
                for name in () if why == "elsewhere" else names[names.index(status.stage) + 1 :]:
                    stages[name].later += 1
    for name, stage in stages.items():
        stage.seconds = sum(seconds[name]) / len(seconds[name]) if seconds[name] else None
        stage.size = _mean_size(made[name])
    download = estimate(wanted, pipeline.config.download)
    return RunPlan(stages, download, pipeline.config.engine.workers or usable_cores())


def pending_videos(pipeline: Pipeline, stage: str) -> list[tuple[Video, Why]]:
    """The videos whose next step is a stage, with why, in manifest order."""
    found = []
    for video, statuses in pipeline.statuses_of(pipeline.videos):
        *_, status = statuses
        if status.stage == stage and status.state == "pending":
            found.append((video, _why(video, status)))
    return found


def _why(video: Video, status: StageStatus) -> Why:
    if status.record is None:
        return "new"
    if status.record.last.outcome == "reset":
        return "asked"
    if status.event is None:
        return "elsewhere" if _seems_moved(video, status.record) else "changed"
    return "retry" if status.event.outcome == "failed" else "missing"


def _seems_moved(video: Video, record: Record) -> bool:
    """Whether a local file is as large as the one that was read, which later stages know."""
    made = record.made
    if not video.is_local or record.last.stage != "download" or made is None or made.artefact not in made.files:
        return False
    return made.files[made.artefact].has_size(video.source)


def _mean_size(paths: Sequence[Path]) -> float | None:
    sizes = []
    for path in paths:
        try:
            sizes.append(0 if path.is_symlink() else path.stat().st_size)
        except OSError:
            continue
    return sum(sizes) / len(sizes) if sizes else None
