"""The stages as work of an engine: a stage run on one video in a worker, and its outcome recorded here.

A worker writes under temporary names that no other attempt has and makes them durable. What it answers is committed by
the process that runs the pipeline: final names first, then the line in the ledger, so that a worker that comes late
changes nothing. Inputs are held against their seals before they are read, and what is made is sealed.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.engine.protocol import Attempt, Fault, Finished, Halt, Task
from curate.files.atomic import commit, unique_tag
from curate.records import Done, Dropped, Failed, Outcome, Reason, Video
from curate.stage import Files, Stage
from curate.workspace.events import Event, event_of
from curate.workspace.ledger import LedgerWriter
from curate.workspace.seals import Seal


@dataclass(frozen=True)
class StageSpec:
    """How to make a stage."""

    stage: type[Stage[Any]]
    options: Any

    def make(self) -> Stage[Any]:
        """A new instance, not yet set up."""
        return self.stage(self.options)


@dataclass(frozen=True)
class StageTask:
    """One (video, stage) to do: the payload of a task.

    Attributes:
        stage: Stage name.
        video: The video.
        files: Its inputs and where to write.
        fingerprint: Written to the ledger with the outcome.
        attempt: Number of this attempt at the (video, stage), written to the ledger with the outcome.
        seals: What the inputs are known by, by stage; none for those of which the ledger has no seal.
        voids: Whether this replaces a file without a seal, so that the ledger must be told before it does: nothing but
            the ledger's last line would tell the new file from the old one.
        made: The success whose artefact, if it is left again byte by byte, later stages need not look at again;
            ``None`` if there is none, or what they do does not depend on those bytes alone.
    """

    stage: str
    video: Video
    files: Files
    fingerprint: str
    attempt: int = 1
    seals: Mapping[str, Seal] = field(default_factory=dict)
    voids: bool = False
    made: Event | None = None


@dataclass(frozen=True)
class StageResult:
    """What a worker answers.

    Attributes:
        outcome: Of the stage.
        files: Seals of the files of the outcome, by final name.
    """

    outcome: Outcome
    files: Mapping[str, Seal] = field(default_factory=dict)


StageAnswer = Event | Halt
"""What became of a `StageTask`: its line in the ledger, or that the stage stopped."""


class StageWork:
    """A `curate.engine.Work` that runs one stage; its results are `StageResult`s.

    Attributes:
        resources: As the stage states them.
    """

    def __init__(self, spec: StageSpec) -> None:
        self.resources = spec.make().resources
        if self.resources.gpus:  # a worker with a GPU sees no other, so ``cuda:3`` is plain ``cuda`` to it
            spec = StageSpec(spec.stage, dataclasses.replace(spec.options, device="cuda"))
        self._spec = spec
        self._stage: Stage[Any] | None = None

    def setup(self) -> None:
        """Make the stage and set it up."""
        stage = self._spec.make()
        stage.setup()
        self._stage = stage

    def do(self, task: Task, attempt: Attempt) -> StageResult:
        """Check the inputs, run the stage on one video, and make what it wrote durable."""
        assert self._stage is not None, "setup() makes the stage"
        payload: StageTask = task.payload
        for name, seal in payload.seals.items():
            attempt.progress()
            if not seal.holds(path := payload.files.inputs[name]):
                return StageResult(Failed(Reason.BAD_ARTEFACT, f"{path} is not as {name} left it", retryable=True))
        mark = f"{payload.fingerprint[:8]}-{payload.attempt}-{attempt.token}-{unique_tag()}"
        files = dataclasses.replace(payload.files, progress=attempt.progress, attempt=mark)
        outcome: Outcome = self._stage.process(payload.video, files)
        seals = {}
        for path in _temporaries(outcome):
            _make_durable(path)
            attempt.progress()
            seals[files.final(path).name] = _seal(outcome, path)
        return StageResult(outcome, seals)

    def close(self) -> None:
        """Close the stage."""
        if self._stage is not None:
            self._stage.close()


def record(task: StageTask, answer: Finished | Fault, ledger: LedgerWriter) -> Event:
    """Give the files of an outcome their final names, and write its line in the ledger.

    Where they replace files without a seal, a line one attempt earlier voids those first.

    What cannot get its name, because somebody put a folder there, is a failure of its video.

    Raises:
        OSError: The disk is full or gone.
    """
    result: StageResult = (
        answer.result
        if isinstance(answer, Finished)
        else StageResult(Failed(answer.reason, answer.detail, retryable=True))
    )
    outcome, seals, artefact = result.outcome, result.files, ""
    if task.voids and _temporaries(outcome):
        ledger.append(
            Event(time.time(), task.video.id, task.stage, "reset", task.fingerprint, attempt=task.attempt - 1)
        )
    try:
        commit({temporary: task.files.final(temporary) for temporary in _temporaries(outcome)})
        if isinstance(outcome, Done | Dropped) and outcome.artefact is not None:
            artefact = task.files.final(outcome.artefact).name
    except FileNotFoundError as error:
        outcome = Failed(Reason.ERROR, f"{error.filename}, which a worker wrote, is not there", retryable=True)
        seals = {}
    except IsADirectoryError as error:
        for temporary in _temporaries(outcome):
            temporary.unlink(missing_ok=True)
        outcome = Failed(
            Reason.ERROR, f"there is a folder in the place of {error.filename2}: remove it", retryable=True
        )
        seals = {}
    event = event_of(
        outcome,
        time=time.time(),
        video=task.video.id,
        stage=task.stage,
        fingerprint=task.fingerprint,
        seconds=answer.seconds,
        artefact=artefact,
        attempt=task.attempt,
        files=seals,
        same_as=_same_as(task, artefact, seals),
    )
    ledger.append(event)
    return event


def _same_as(task: StageTask, artefact: str, seals: Mapping[str, Seal]) -> str:
    """Fingerprint of the event that left an artefact first, if that is another one."""
    made = task.made
    if made is None or artefact not in seals or made.files.get(artefact) != seals[artefact]:
        return ""
    return made.identity if made.identity != task.fingerprint else ""


def _temporaries(outcome: Outcome) -> tuple[Path, ...]:
    """The files of an outcome in the order in which they are committed: the artefact last."""
    if isinstance(outcome, Failed):
        return ()
    return (*outcome.sidecars, *(() if outcome.artefact is None else (outcome.artefact,)))


def _seal(outcome: Outcome, path: Path) -> Seal:
    if isinstance(outcome, Done) and outcome.sha256 and path == outcome.artefact:
        return Seal(path.stat().st_size, outcome.sha256)
    return Seal.of(path)


def _make_durable(path: Path) -> None:
    if not path.is_symlink():
        with open(path, "rb") as stream:
            os.fsync(stream.fileno())
