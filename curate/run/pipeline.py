"""Which stage follows which, what is left to do for each video, and running it.

The unit of work and of resume is (video, stage). A stage's fingerprint covers its options, its weights and the
fingerprints of what it reads; the ledger is compared with it, so that a change redoes that stage and those below it
and nothing above.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, NamedTuple

from curate.acquire.estimate import Estimate, estimate
from curate.config import Config, fingerprint_fields
from curate.engine.protocol import Answer, Engine, Halt, Task
from curate.files.ahead import map_ahead
from curate.files.atomic import clear
from curate.files.bounded import parse_json, read_bounded
from curate.files.collector import collector_paused
from curate.files.digest import DigestOfMany, digest
from curate.manifests.unstated import as_site_says
from curate.records import Reason, Video, VideoDecisions
from curate.run.stage_work import StageAnswer, StageSpec, StageTask, StageWork, record
from curate.stage import Files, Stage, temporaries
from curate.verdicts import journal
from curate.verdicts.settle import Settled, settle
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerReader, LedgerWriter, Record
from curate.workspace.locks import Shard, shard_of
from curate.workspace.retry_policy import may_retry
from curate.workspace.seals import Seal, have_sizes, have_sizes_at_once
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
    "embed": "curate.stages.embed:EmbedStage",
    "signature": "curate.stages.signature:SignatureStage",
}
"""Stages that work video by video, in order, with where their classes are."""

HEALINGS = 2
"""How often in one run a stage sends its inputs back for being damaged, before it is a failure like any other."""

State = Literal["done", "dropped", "failed", "pending"]

_LARGEST_METADATA = 4_000_000
"""Bytes of the JSON beside a video, at most; what ``download`` writes has some thousands."""

_LOOKERS = 8
"""Threads that look for files: a disk that is asked over a network answers many at a time."""

_BLOCK = 500
"""Videos whose files a thread looks for in one go."""

log = logging.getLogger(__name__)


def stage_class(name: str) -> type[Stage[Any]]:
    """Import a stage's class by its name."""
    module, attribute = STAGES[name].split(":")
    found: type[Stage[Any]] = getattr(importlib.import_module(module), attribute)
    return found


class StageStatus(NamedTuple):
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
        journal: What people decided in the workspace, line by line.
        settled: What holds of it.

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
        self._upstream = {name: self._inputs(name) for name in self.specs}
        self._digests = {name: DigestOfMany(base, "inputs") for name, base in self._base.items()}
        self._rank = {video.id: i for i, video in enumerate(self.videos)}
        self._folders = {name: f"{workspace.root}/{spec.stage.folder}/" for name, spec in self.specs.items()}
        self._depth = {name: i for i, name in enumerate(self.specs)}
        self._ledger = LedgerReader(workspace.ledger_folder)
        self._records: dict[tuple[str, str], Record] = {}
        self._decided: dict[str, int] = {}
        self.journal, self.settled = journal.Journal(), Settled()
        self._standing: dict[str, list[journal.Decision]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read ledger and decisions again, if anything was written since; to be called once the videos are held."""
        self._records = self._ledger.records()
        found = _sizes(self.workspace.decisions_folder)
        if found != self._decided:
            self._decided, self.journal = found, journal.read_journal(self.workspace.decisions_folder)
            self.settled = settle(self.journal)
            self._standing = {}
            for decision in self.journal.standing():
                self._standing.setdefault(decision.video, []).append(decision)
            _warn(self.journal.problems, "lines of decisions are passed over")
            _warn(self.settled.dissents, "decisions of reviewers contradict one another")

    def _stage_fingerprint(self, name: str) -> dict[str, Any]:
        spec = self.specs[name]
        return {
            "stage": name,
            "version": spec.stage.version,
            "options": fingerprint_fields(spec.options),
            "extra": self._stages[name].fingerprint_extra(),
        }

    def _inputs(self, name: str) -> list[str]:
        """Upstream stages of a stage, but those that it can do without and that are switched off."""
        stage = self.specs[name].stage
        return [upstream for upstream in stage.inputs if upstream in self.specs or upstream not in stage.optional]

    def fingerprints(self, video: Video) -> dict[str, str]:
        """Fingerprint of every stage for one video."""
        return {name: after for name, _, after in self._fingerprints(video)}

    def check(self, stages: Sequence[str]) -> None:
        """Read whatever files the options of some stages, and of those before them, name.

        Raises:
            CurateError: One cannot be read, such as ``trim.decisions``.
        """
        for video in self.videos[:1]:
            for name, _, _ in self._fingerprints(video):
                if name == stages[-1]:
                    return

    def undecided_fingerprint(self, video: Video, stage: str) -> str:
        """Fingerprint of a stage for one video, had nobody decided anything about this stage's output."""
        return next(before for name, before, _ in self._fingerprints(video) if name == stage)

    def decisions(self, video: Video) -> list[journal.Decision]:
        """What people decided about a video and did not take back, by reviewer and number."""
        return list(self._standing.get(video.id, ()))

    def made_before(self, video: Video, stage: str) -> Event | None:
        """The last event of a stage, if it made what the present options make, be it with fewer decisions.

        What people decide makes their video pending at the stage that heeds it; until the next run its artefact is
        what they looked at.
        """
        record = self._records.get((video.id, stage))
        if record is None or record.last.outcome not in ("done", "dropped") or not self._is_there(stage, record.last):
            return None
        before, after = next((before, after) for name, before, after in self._fingerprints(video) if name == stage)
        made = record.last.fingerprint
        if made in (before, after):
            return record.last
        said = sorted((d for d in self.journal.decisions if d.video == video.id), key=lambda d: d.time)
        for count in range(len(said) - 1, 0, -1):
            then = settle(journal.Journal(tuple(sorted(said[:count], key=lambda d: (d.who, d.seq))))).of.get(video.id)
            heeded = self._stages[stage].heeded(then, before) if then else []
            if made == (digest([before, heeded]) if heeded else before):
                return record.last
        return None

    def _fingerprints(self, video: Video) -> Iterator[tuple[str, str, str]]:
        """Each stage with its fingerprint for one video, without decisions about the stage's output and with them."""
        found: dict[str, str] = {}
        decided = self.settled.of.get(video.id)
        for name, base in self._base.items():
            inputs = [found[upstream] for upstream in self._upstream[name]]
            own = self._stages[name].video_extra(video)
            if own:
                before = digest({**base, "inputs": inputs or _source_identity(video), "video": own})
            elif inputs:
                before = self._digests[name].of(inputs)
            else:
                before = self._digests[name].of_any(_source_identity(video))
            heeded = self._stages[name].heeded(decided, before) if decided else []
            found[name] = digest([before, heeded]) if heeded else before
            yield name, before, found[name]
            if not inputs:
                found[name] = self._identity(video, name, found[name])

    def _identity(self, video: Video, stage: str, fingerprint: str) -> str:
        """The fingerprint by which later stages know what a stage makes: another one for a file that was moved."""
        record = self._records.get((video.id, stage))
        return record.last.identity if record is not None and record.last.fingerprint == fingerprint else fingerprint

    def statuses(self, video: Video) -> Iterator[StageStatus]:
        """Walk a video down the stages, as far as the first that is not done."""
        return self._statuses(video, self._known(video), sound=False)

    def statuses_of(self, videos: Iterable[Video]) -> Iterator[tuple[Video, Iterator[StageStatus]]]:
        """Some videos, in their order, each with its `statuses`; files are looked for ahead, in threads.

        For a walk over many videos, each of whose statuses are asked for at once; the collector of cycles waits.
        """
        videos = list(videos)
        blocks = (videos[at : at + _BLOCK] for at in range(0, len(videos), _BLOCK))
        with collector_paused():
            for walked, sound in map_ahead(self._look, blocks, threads=_LOOKERS, most=_LOOKERS):
                for video, known in walked:
                    yield video, self._statuses(video, known, sound)

    def _known(self, video: Video) -> list[Record | None]:
        """What the ledger knows of a video at each stage."""
        return [self._records.get((video.id, name)) for name in self.specs]

    def _look(self, videos: Sequence[Video]) -> tuple[list[tuple[Video, list[Record | None]]], bool]:
        """What is known of some videos, and whether all files whose seals are among it are there in their sizes."""
        found = [(video, self._known(video)) for video in videos]
        files = [
            (folder + name, seal.size)
            for _, known in found
            for folder, record in zip(self._folders.values(), known, strict=True)
            if record is not None
            for name, seal in record.last.files.items()
        ]
        return found, have_sizes_at_once(files)

    def _statuses(self, video: Video, known: Iterable[Record | None], sound: bool) -> Iterator[StageStatus]:
        for (name, _, fingerprint), found in zip(self._fingerprints(video), known, strict=True):
            state = self._state(name, found, fingerprint, sound)
            yield StageStatus(name, state, fingerprint, found)
            if state != "done":
                return

    def _state(self, stage: str, record: Record | None, fingerprint: str, sound: bool) -> State:
        if record is None or record.last.fingerprint != fingerprint:
            return "pending"
        last = record.last
        if last.outcome in ("done", "dropped"):
            return last.outcome if (sound and last.files) or self._is_there(stage, last) else "pending"
        if last.outcome == "failed":
            assert last.reason is not None
            again = last.retryable and may_retry(last.reason, tries=record.tries, last=last.time, now=time.time())
            return "pending" if again else "failed"
        return "pending"

    def _is_there(self, stage: str, event: Event) -> bool:
        """Whether the files that an event speaks of are there, in the size that they had; of unsealed ones, whether."""
        if event.files:
            return have_sizes(self._folders[stage], event.files)
        return event.outcome == "dropped" or not event.artefact or self._artefact(stage, event).exists()

    def _artefact(self, stage: str, event: Event) -> Path:
        return self.workspace.root / self.specs[stage].stage.folder / event.artefact

    def seals(self, video: Video, stages: Iterable[str] | None = None) -> dict[str, dict[Path, Seal]]:
        """What the files of a video are known by, for each stage that is done; empty for files without a seal.

        Args:
            video: The video.
            stages: Only of these; all that are switched on if not given.
        """
        found: dict[str, dict[Path, Seal]] = {}
        for stage in self.specs if stages is None else stages:
            record = self._records.get((video.id, stage))
            if stage in self.specs and record is not None and record.last.outcome == "done":
                folder = self.workspace.root / self.specs[stage].stage.folder
                found[stage] = {folder / name: seal for name, seal in record.last.files.items()}
        return found

    def _send_back(self, ledger: LedgerWriter, video: Video, stages: Iterable[str], why: str) -> None:
        """Void what is known of a video at some stages, in the ledger too, so that they are done again."""
        for stage in stages:
            last = self._records[video.id, stage].last
            event = Event(time.time(), video.id, stage, "reset", last.fingerprint, detail=why, attempt=last.attempt + 1)
            ledger.append(event)
            self._note(event)

    def send_back_damaged(self, videos: Iterable[Video]) -> list[Path]:
        """Read every file of some videos whole, and send back the stages whose files are not as they left them.

        Returns:
            The files that are to be made again.
        """
        damaged: list[Path] = []
        with contextlib.closing(LedgerWriter(self.workspace.ledger_folder)) as ledger:
            for video in videos:
                for stage, seals in self.seals(video).items():
                    if bad := [path for path, seal in seals.items() if not seal.holds(path)]:
                        self._send_back(ledger, video, [stage], f"{bad[0].name} is damaged")
                        damaged += bad
        return damaged

    def send_back_unsealed(self, videos: Iterable[Video]) -> None:
        """Send back the stages of some videos whose files have no seal, since one of them is known to be damaged."""
        with contextlib.closing(LedgerWriter(self.workspace.ledger_folder)) as ledger:
            for video in videos:
                for stage, seals in self.seals(video).items():
                    if not seals and self._records[video.id, stage].last.artefact:
                        why = "its file has no seal, and the video cannot be exported"
                        self._send_back(ledger, video, [stage], why)

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
        shard: Shard,
        engine: Engine,
        observe: Callable[[StageTask, StageAnswer], None],
        expect: Callable[[Mapping[str, int]], None] | None = None,
    ) -> None:
        """Do all that is pending in some stages; the caller holds the shard.

        A stage that finds an input damaged is not blamed: the stage that made it is done again, and then this one.
        What earlier runs left half written is removed, and what this one leaves.

        Args:
            stages: Names of stages to run; videos pending at another stage are left alone.
            shard: ``(i, n)``: only videos whose id falls into the i-th of n parts, from 0.
            engine: Runs the tasks.
            observe: Told of every answer.
            expect: Told once how many videos will reach each stage if nothing is dropped or fails on the way.

        Raises:
            CurateError: Something that the user can mend keeps the run from going on.
        """
        wanted = set(stages)
        sent_back: Counter[tuple[str, str]] = Counter()
        ledger = LedgerWriter(self.workspace.ledger_folder)

        def ready(video: Video, statuses: Iterable[StageStatus]) -> Iterator[Task]:
            for status in statuses:
                if status.state == "pending" and status.stage in wanted:
                    yield self._task(video, status)

        def on_answer(task: Task, answer: Answer) -> Iterable[Task]:
            payload: StageTask = task.payload
            if isinstance(answer, Halt):
                observe(payload, answer)
                return ()
            event = record(payload, answer, ledger)
            self._note(event)
            if event.reason is Reason.BAD_ARTEFACT and (suspects := self._suspects(payload)):
                sent_back[event.video, event.stage] += 1
                if sent_back[event.video, event.stage] <= HEALINGS:
                    log.warning("video %s: %s; made again: %s", event.video, event.detail, ", ".join(suspects))
                    self._send_back(ledger, payload.video, (*suspects, event.stage), event.detail)
                    return ready(payload.video, self.statuses(payload.video))
            observe(payload, event)
            return ready(payload.video, self.statuses(payload.video)) if event.outcome == "done" else ()

        works = {name: StageWork(spec) for name, spec in self.specs.items() if name in wanted}
        self._sweep(shard)
        tasks = [task for walked in self.statuses_of(self.of_shard(shard)) for task in ready(*walked)]
        if expect is not None:
            expect(_expected(stages, tasks))
        try:
            engine.run(works, tasks, on_answer)
        finally:
            ledger.close()
            self._sweep(shard)

    def of_shard(self, shard: Shard) -> Iterator[Video]:
        """Videos of a shard, in manifest order."""
        index, count = shard
        return (video for video in self.videos if shard_of(video.id, count) == index)

    def _suspects(self, task: StageTask) -> list[str]:
        """Stages that made the inputs which are damaged; if none can be told so, those whose files have no seal."""
        inputs = task.files.inputs
        if damaged := [name for name, seal in task.seals.items() if not seal.holds(inputs[name])]:
            return damaged
        return [name for name in inputs if name not in task.seals]

    def _sweep(self, shard: Shard) -> None:
        """Remove temporary files of a shard's videos, which nobody writes any more, but those a download resumes."""
        index, count = shard
        for name in STAGES:
            stage = stage_class(name)
            for path, video, _, _ in temporaries(self.workspace.root / stage.folder):
                if shard_of(video, count) != index or (stage.resumes and self._may_resume(video, name)):
                    continue
                with contextlib.suppress(OSError):
                    clear(path)

    def _may_resume(self, video: str, stage: str) -> bool:
        record = self._records.get((video, stage))
        return record is None or record.last.outcome == "reset" or record.last.retryable

    def _note(self, event: Event) -> None:
        self._ledger.start_over()
        key = (event.video, event.stage)
        if key in self._records:
            self._records[key].add(event)
        else:
            self._records[key] = Record.first(event)

    def _task(self, video: Video, status: StageStatus) -> Task:
        stage, inputs = self.specs[status.stage].stage, self._inputs(status.stage)
        files = Files(
            inputs={upstream: self.artefact(video, upstream) for upstream in inputs},
            folder=self.workspace.folder(stage.folder),
            stem=video.id,
            decided=self.settled.of.get(video.id, VideoDecisions()),
        )
        rank = (-self._depth[status.stage], self._rank[video.id])
        last = status.record.last if status.record is not None else None
        voids = last is not None and last.outcome in ("done", "dropped") and not last.files
        seals = self.seals(video, inputs)
        payload = StageTask(
            status.stage,
            video,
            files,
            status.fingerprint,
            attempt=(last.attempt if last else 0) + 1 + voids,
            seals={name: seals[name][path] for name, path in files.inputs.items() if path in seals[name]},
            voids=voids,
            made=status.record.made if status.record is not None and video.is_local and not inputs else None,
        )
        return Task(status.stage, video.id, payload, rank)

    def complete(self) -> list[Video]:
        """Videos that are done at every stage, in manifest order."""
        walk = self.statuses_of(self.videos)
        return [video for video, statuses in walk if all(status.state == "done" for status in statuses)]

    def described(self, video: Video) -> Video:
        """A video with what its site said of it where the manifest is silent: title, licence, channel, public."""
        return as_site_says(video, self.source_metadata(video))

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


def _expected(stages: Sequence[str], tasks: Iterable[Task]) -> dict[str, int]:
    """How many videos will reach each of some stages, given what is to be done first of each."""
    first = Counter(task.kind for task in tasks)
    return dict(zip(stages, accumulate(first[stage] for stage in stages), strict=True))


def _sizes(folder: Path) -> dict[str, int]:
    """Sizes of the event files in a folder, by name."""
    return {path.name: path.stat().st_size for path in folder.glob("*.jsonl")}


def _warn(said: Sequence[str], what: str) -> None:
    if said:
        log.warning("%d %s: see 'curate review check'. The first: %s", len(said), what, said[0])


def _source_identity(video: Video) -> list[Any]:
    """What tells one source from another: the URL, or a local file's path, size and time of change.

    A file of another path or time is read again, by ``download``; if its bytes are the same, later stages know it by
    the identity that it had (`Event.identity`).
    """
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
