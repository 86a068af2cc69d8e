"""Which stage follows which, what is left to do for each video, and running it.

The unit of work and of resume is (video, stage). A stage's fingerprint covers its options, its weights and the
fingerprints of what it reads; the ledger is compared with it, so that a change redoes that stage and those below it
and nothing above.
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curate.acquire.estimate import Estimate, estimate
from curate.config import Config, fingerprint_fields
from curate.engine.protocol import Answer, Engine, Halt, Task
from curate.files.bounded import parse_json, read_bounded
from curate.files.digest import digest
from curate.records import Video
from curate.run.stage_work import StageAnswer, StageSpec, StageTask, StageWork, record
from curate.stage import Files, Stage
from curate.workspace.ledger import Event, LedgerWriter, Record, read_ledger
from curate.workspace.retry_policy import may_retry
from curate.workspace.tree import Workspace

STAGES: Mapping[str, str] = {
    "download": "curate.stages.download:DownloadStage",
    "screen": "curate.stages.screen:ScreenStage",
    "sample": "curate.stages.sample:SampleStage",
    "classify": "curate.stages.classify:ClassifyStage",
    "trim": "curate.stages.trim:TrimStage",
    "mask": "curate.stages.mask:MaskStage",
    "field": "curate.stages.field:FieldStage",
    "audit": "curate.stages.audit:AuditStage",
}
"""Stages that work video by video, in order, with where their classes are."""

State = Literal["done", "dropped", "failed", "pending"]

_LARGEST_METADATA = 4_000_000
"""Bytes of the JSON beside a video, at most; what ``download`` writes has some thousands."""

log = logging.getLogger(__name__)


def stage_class(name: str) -> type[Stage[Any]]:
    """Import a stage's class by its name."""
    module, attribute = STAGES[name].split(":")
    found: type[Stage[Any]] = getattr(importlib.import_module(module), attribute)
    return found


@dataclass(frozen=True)
class StageStatus:
    """Where one video stands at one stage.

    Attributes:
        stage: Stage name.
        state: ``done`` and ``dropped`` are final for the present options; ``failed`` waits for a change, for time to
            pass or for ``curate retry``; ``pending`` is for the next run.
        fingerprint: What the stage's output must have been made with.
        record: What the ledger knows, whatever it was made with; ``None`` if nothing.
    """

    stage: str
    state: State
    fingerprint: str
    record: Record | None

    @property
    def event(self) -> Event | None:
        """The event behind a ``done``, ``dropped`` or ``failed`` state, or behind the last failed try."""
        if self.record is None or self.record.last.fingerprint != self.fingerprint:
            return None
        return self.record.last


class Pipeline:
    """The stages with their options over the videos of one workspace.

    Attributes:
        specs: Stages that are switched on, in order.

    Args:
        workspace: Where artefacts live.
        config: Options of all stages.
        videos: The manifest, in order.

    Raises:
        CurateError: An option names something that is not there, such as weights.
    """

    def __init__(self, workspace: Workspace, config: Config, videos: Sequence[Video]) -> None:
        self.workspace = workspace
        self.config = config
        self.videos = list(videos)
        every = {name: StageSpec(stage_class(name), getattr(config, name)) for name in STAGES}
        self.specs = {name: spec for name, spec in every.items() if spec.make().enabled}
        self._stages = {name: spec.make() for name, spec in self.specs.items()}
        self._base = {name: self._stage_fingerprint(name) for name in self.specs}
        self._rank = {video.id: i for i, video in enumerate(self.videos)}
        self._depth = {name: i for i, name in enumerate(self.specs)}
        self._records = read_ledger(workspace.ledger_folder)

    def _stage_fingerprint(self, name: str) -> dict[str, Any]:
        spec = self.specs[name]
        return {
            "stage": name,
            "version": spec.stage.version,
            "options": fingerprint_fields(spec.options),
            "extra": self._stages[name].fingerprint_extra(),
        }

    def fingerprints(self, video: Video) -> dict[str, str]:
        """Fingerprint of every stage for one video."""
        found: dict[str, str] = {}
        for name, base in self._base.items():
            inputs = [found[upstream] for upstream in self.specs[name].stage.inputs]
            own = self._stages[name].video_extra(video)
            found[name] = digest(
                {**base, "inputs": inputs or _source_identity(video), **({"video": own} if own else {})}
            )
        return found

    def statuses(self, video: Video) -> Iterator[StageStatus]:
        """Walk a video down the stages, as far as the first that is not done."""
        fingerprints = self.fingerprints(video)
        for name in self.specs:
            record = self._records.get((video.id, name))
            state = self._state(name, record, fingerprints[name])
            yield StageStatus(name, state, fingerprints[name], record)
            if state != "done":
                return

    def _state(self, stage: str, record: Record | None, fingerprint: str) -> State:
        if record is None or record.last.fingerprint != fingerprint:
            return "pending"
        last = record.last
        if last.outcome == "done":
            return "done" if not last.artefact or self._artefact(stage, last).exists() else "pending"
        if last.outcome == "dropped":
            return "dropped"
        if last.outcome == "failed":
            assert last.reason is not None
            again = last.retryable and may_retry(last.reason, tries=record.tries, last=last.time, now=time.time())
            return "pending" if again else "failed"
        return "pending"

    def _artefact(self, stage: str, event: Event) -> Path:
        return self.workspace.root / self.specs[stage].stage.folder / event.artefact

    def artefact(self, video: Video, stage: str) -> Path:
        """Path of a stage's artefact for a video that is done there."""
        return self._artefact(stage, self._records[video.id, stage].last)

    def made(self, video: Video, stage: str) -> Path | None:
        """Path of a stage's artefact; ``None`` if the stage is switched off or has not made one."""
        record = self._records.get((video.id, stage))
        if stage not in self.specs or record is None or record.last.outcome != "done":
            return None
        path = self._artefact(stage, record.last)
        return path if path.exists() else None

    def source_file(self, video: Video) -> Path | None:
        """Path of a video's file; ``None`` if it was never downloaded here."""
        return self.artefact(video, "download") if (video.id, "download") in self._records else None

    def run(
        self,
        stages: Sequence[str],
        shard: tuple[int, int],
        engine: Engine,
        observe: Callable[[StageTask, StageAnswer], None],
    ) -> None:
        """Do all that is pending in some stages.

        Args:
            stages: Names of stages to run; videos pending at another stage are left alone.
            shard: ``(i, n)``: only every n-th video of the manifest, from the i-th, counted from 0.
            engine: Runs the tasks.
            observe: Told of every answer.

        Raises:
            CurateError: Something that the user can mend keeps the run from going on.
        """
        index, count = shard
        wanted = set(stages)
        ledger = LedgerWriter(self.workspace.ledger_folder)

        def ready(video: Video) -> Iterator[Task]:
            for status in self.statuses(video):
                if status.state == "pending" and status.stage in wanted:
                    yield self._task(video, status)

        def on_answer(task: Task, answer: Answer) -> Iterable[Task]:
            payload: StageTask = task.payload
            if isinstance(answer, Halt):
                observe(payload, answer)
                return ()
            event = record(payload, answer, ledger)
            self._note(event)
            observe(payload, event)
            return ready(payload.video) if event.outcome == "done" else ()

        works = {name: StageWork(spec) for name, spec in self.specs.items() if name in wanted}
        tasks = (task for video in self.videos[index::count] for task in ready(video))
        try:
            engine.run(works, tasks, on_answer)
        finally:
            ledger.close()

    def pending(self, stages: Sequence[str], shard: tuple[int, int]) -> dict[str, int]:
        """How many videos will reach each stage if nothing is dropped or fails on the way."""
        index, count = shard
        counts = dict.fromkeys(stages, 0)
        for video in self.videos[index::count]:
            status = list(self.statuses(video))[-1]
            if status.state == "pending" and status.stage in counts:
                for name in list(counts)[list(counts).index(status.stage) :]:
                    counts[name] += 1
        return counts

    def _note(self, event: Event) -> None:
        key = (event.video, event.stage)
        if key in self._records:
            self._records[key].add(event)
        else:
            self._records[key] = Record.first(event)

    def _task(self, video: Video, status: StageStatus) -> Task:
        stage = self.specs[status.stage].stage
        files = Files(
            inputs={upstream: self.artefact(video, upstream) for upstream in stage.inputs},
            folder=self.workspace.folder(stage.folder),
            stem=video.id,
        )
        rank = (-self._depth[status.stage], self._rank[video.id])
        return Task(status.stage, video.id, StageTask(status.stage, video, files, status.fingerprint), rank)

    def complete(self) -> list[Video]:
        """Videos that are done at every stage, in manifest order."""
        return [video for video in self.videos if all(s.state == "done" for s in self.statuses(video))]

    def export_fingerprint(self, videos: Sequence[Video]) -> str:
        """Fingerprint of what is exported of these videos: the manifest's words about them and their last stages."""
        return digest([(dataclasses.asdict(video), self.fingerprints(video)) for video in videos])

    def source_metadata(self, video: Video) -> dict[str, Any]:
        """The JSON that ``download`` left beside a video; empty where there is none or it cannot be read."""
        path = self.workspace.root / self.specs["download"].stage.folder / f"{video.id}.json"
        try:
            data = parse_json(read_bounded(path, _LARGEST_METADATA))
            if not isinstance(data, dict):
                raise ValueError("is not an object")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            why = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else error
            log.warning("%s %s; what the source said about the video is not used", path, why)
            return {}
        return data


def _source_identity(video: Video) -> list[Any]:
    """What tells one source from another: the URL, or a local file's path, size and time of change."""
    if not video.is_local:
        return [video.source]
    try:
        status = Path(video.source).stat()
    except OSError:
        return [video.source, "missing"]
    return [video.source, status.st_size, status.st_mtime_ns]


def estimate_pending(pipeline: Pipeline) -> Estimate:
    """Estimate disk and time for the videos of a workspace that the next run would try to download."""
    pending = (video for video in pipeline.videos if next(pipeline.statuses(video)).state == "pending")
    return estimate(pending, pipeline.config.download)
