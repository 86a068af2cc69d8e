"""Runs stages on one machine: a pool of worker processes for each lane.

A crash, a hang or a memory blow-up in one video costs that video: its worker is replaced and the video is recorded as
failed. Nothing outside this package knows how stages are run.
"""

from __future__ import annotations

import heapq
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from curate.engine.task import Answer, Halt, StageSpec, Task, WorkerSetup
from curate.engine.worker import worker_main
from curate.errors import CurateError
from curate.records import Failed, Reason
from curate.stage import Lane
from curate.workspace.ledger import Event, LedgerWriter, event_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """How much of the machine a run may use.

    Attributes:
        lanes: Worker processes for each lane.
        threads: CPU threads of each worker.
        devices: CUDA devices, one worker of the ``gpu`` lane each; as many as ``lanes["gpu"]``.
        video_seconds: A worker that takes longer over one (video, stage) outside the download lane is ended.
        worker_bytes: A worker whose resident memory grows beyond this is ended.
    """

    lanes: Mapping[Lane, int]
    threads: int
    devices: tuple[str, ...]
    video_seconds: float
    worker_bytes: int


@dataclass(eq=False)
class _Worker:
    lane: Lane
    process: BaseProcess
    connection: Connection
    device: str | None
    task: Task | None = None
    started: float = 0.0


@dataclass
class _Lane:
    queue: list[tuple[tuple[int, int], int, Task]] = field(default_factory=list)
    workers: list[_Worker] = field(default_factory=list)


Observer = Callable[[Task, Answer], Iterable[Task]]
"""Called in the parent for every answer; returns the tasks that it makes possible."""


class LocalEngine:
    """Runs tasks until there are none left.

    Args:
        specs: Stages by name.
        limits: Use of the machine.
        ledger: Folder of the ledger.
        lock: File that workers hold while they live.
    """

    def __init__(self, specs: Mapping[str, StageSpec], limits: Limits, *, ledger: Path, lock: Path) -> None:
        self._specs = dict(specs)
        self._lane_of: dict[str, Lane] = {name: spec.make().lane for name, spec in specs.items()}
        self._limits = limits
        self._ledger_folder = ledger
        self._lock = lock
        self._context = multiprocessing.get_context("spawn")
        self._lanes: dict[Lane, _Lane] = {lane: _Lane() for lane in ("download", "cpu", "gpu")}
        self._halted: set[str] = set()
        self._serial = 0

    def run(self, tasks: Iterable[Task], observe: Observer) -> None:
        """Run ``tasks`` and all that follow from them.

        Args:
            tasks: What can be done at once.
            observe: Told of every outcome, gives the tasks that follow.

        Raises:
            CurateError: A stage could not be set up for a reason the user can mend.
        """
        ledger = LedgerWriter(self._ledger_folder)
        try:
            for task in tasks:
                self._add(task)
            while True:
                self._dispatch()
                busy = [w for lane in self._lanes.values() for w in lane.workers if w.task is not None]
                if not busy:
                    break
                for worker, answer in self._collect(busy, ledger):
                    finished = worker.task
                    assert finished is not None
                    worker.task = None
                    if isinstance(answer, Halt):
                        if answer.fatal:
                            raise CurateError(answer.message)
                        self._halted.add(answer.stage)
                    for following in observe(finished, answer):
                        self._add(following)
        finally:
            self._shut_down()
            ledger.close()

    def _add(self, task: Task) -> None:
        self._serial += 1
        heapq.heappush(self._lanes[self._lane_of[task.stage]].queue, (task.rank, self._serial, task))

    def _next(self, lane: _Lane) -> Task | None:
        while lane.queue:
            task = heapq.heappop(lane.queue)[2]
            if task.stage not in self._halted:
                return task
        return None

    def _dispatch(self) -> None:
        for name, lane in self._lanes.items():
            idle = [w for w in lane.workers if w.task is None]
            room = self._limits.lanes[name] - len(lane.workers)
            while idle or room > 0:
                task = self._next(lane)
                if task is None:
                    break
                if idle:
                    worker = idle.pop()
                else:
                    worker = self._start_worker(name)
                    room -= 1
                try:
                    worker.connection.send(task)
                except OSError:  # it died while idle: not this video's doing
                    self._forget(worker)
                    self._add(task)
                    room += 1
                    continue
                worker.task, worker.started = task, time.monotonic()

    def _start_worker(self, lane: Lane) -> _Worker:
        taken = {w.device for w in self._lanes[lane].workers}
        device = None
        if lane == "gpu":
            device = next(d for d in self._limits.devices if d not in taken)
        ours, theirs = self._context.Pipe()
        setup = WorkerSetup(
            specs=self._specs,
            ledger=self._ledger_folder,
            lock=self._lock,
            threads=self._limits.threads,
            device=device,
            log_level=logging.getLogger("curate").getEffectiveLevel(),
        )
        process = self._context.Process(target=worker_main, args=(theirs, setup), daemon=True, name=f"curate-{lane}")
        process.start()
        theirs.close()
        worker = _Worker(lane, process, ours, device)
        self._lanes[lane].workers.append(worker)
        return worker

    def _collect(self, busy: list[_Worker], ledger: LedgerWriter) -> list[tuple[_Worker, Answer]]:
        """Wait for answers, for dead workers, and for those that take too much."""
        answers: list[tuple[_Worker, Answer]] = []
        by_handle: dict[object, _Worker] = {w.connection: w for w in busy}
        ready = wait(list(by_handle), timeout=1.0)  # type: ignore[arg-type]
        for handle in ready:
            worker = by_handle[handle]
            try:
                answers.append((worker, worker.connection.recv()))
            except (EOFError, OSError):
                worker.process.join(timeout=10)
                detail = describe_exit(worker.process.exitcode)
                answers.append((worker, self._bury(worker, Reason.CRASHED, detail, ledger)))
        for worker in busy:
            if worker.connection in ready or worker.connection.poll():
                continue
            trouble = self._trouble(worker)
            if trouble is not None:
                worker.process.kill()
                worker.process.join(timeout=10)
                answers.append((worker, self._bury(worker, *trouble, ledger)))
        return answers

    def _trouble(self, worker: _Worker) -> tuple[Reason, str] | None:
        seconds = time.monotonic() - worker.started
        if worker.lane != "download" and seconds > self._limits.video_seconds:
            return Reason.TIMED_OUT, f"took more than {self._limits.video_seconds:g} s and was ended"
        used = resident_bytes(worker.process.pid)
        if used > self._limits.worker_bytes:
            return Reason.OUT_OF_MEMORY, f"used {used >> 20} MiB of memory and was ended"
        return None

    def _bury(self, worker: _Worker, reason: Reason, detail: str, ledger: LedgerWriter) -> Event:
        """Record the failure of a dead worker's video and forget the worker."""
        task = worker.task
        assert task is not None
        self._forget(worker)
        event = event_of(
            Failed(reason, detail, retryable=True),
            time=time.time(),
            video=task.video.id,
            stage=task.stage,
            fingerprint=task.fingerprint,
            seconds=time.monotonic() - worker.started,
            artefact="",
        )
        ledger.append(event)
        return event

    def _forget(self, worker: _Worker) -> None:
        worker.connection.close()
        self._lanes[worker.lane].workers.remove(worker)

    def _shut_down(self) -> None:
        workers = [w for lane in self._lanes.values() for w in lane.workers]
        for worker in workers:
            worker.connection.close()
            if worker.task is not None:
                worker.process.kill()
        for worker in workers:
            worker.process.join(timeout=10)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def describe_exit(code: int | None) -> str:
    """Say in words how a process ended."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = " (often the system, out of memory)" if -code == signal.SIGKILL else ""
        return f"the worker process was killed by {name}{hint}"
    return f"the worker process ended with code {code}"


def resident_bytes(pid: int | None) -> int:
    """Resident memory of a process in bytes; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
