"""The worker process: takes tasks from a pipe, runs stages, commits artefacts, writes its own ledger file."""

from __future__ import annotations

import errno
import logging
import os
import signal
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from curate.engine.task import Answer, Halt, StageSpec, Task, WorkerSetup
from curate.errors import CurateError, StageHalted
from curate.files.atomic import commit
from curate.records import Done, Dropped, Failed, Outcome, Reason
from curate.stage import Files, Stage
from curate.workspace.ledger import LedgerWriter, event_of
from curate.workspace.tree import hold_shared

DISK_ERRORS = frozenset({errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO})
"""System errors that speak of the disk and not of the video."""

log = logging.getLogger(__name__)


def worker_main(connection: Connection, setup: WorkerSetup) -> None:
    """Body of a worker process: serve tasks until the pipe closes or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_threads(setup.threads)
    if setup.device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = setup.device
    _log_to_standard_error(setup.log_level)
    _die_with_parent()
    hold_shared(setup.lock)
    runner = Runner(setup.specs, LedgerWriter(setup.ledger))
    try:
        while True:
            try:
                task = connection.recv()
            except EOFError:
                break
            connection.send(runner.run(task))
    finally:
        runner.close()


class Runner:
    """Runs tasks in this process, keeping every stage set up between videos."""

    def __init__(self, specs: dict[str, StageSpec], ledger: LedgerWriter) -> None:
        self._specs = specs
        self._ledger = ledger
        self._stages: dict[str, Stage[Any]] = {}

    def run(self, task: Task) -> Answer:
        """Run one task to its outcome, make its files durable, and record it."""
        started = time.time()
        try:
            stage = self._stage(task.stage)
            outcome = self._process(stage, task)
            artefact = _commit_outcome(outcome, task.files)
            event = event_of(
                outcome,
                time=time.time(),
                video=task.video.id,
                stage=task.stage,
                fingerprint=task.fingerprint,
                seconds=time.time() - started,
                artefact=artefact,
            )
            self._ledger.append(event)
            return event
        except StageHalted as halted:
            return Halt(task.stage, str(halted))
        except CurateError as error:
            return Halt(task.stage, str(error), fatal=True)
        except OSError as error:
            if error.errno not in DISK_ERRORS:
                raise
            return Halt(task.stage, f"{error.strerror} while writing under {task.files.folder}: free space, then rerun")

    def _stage(self, name: str) -> Stage[Any]:
        if name not in self._stages:
            stage = self._specs[name].make()
            stage.setup()
            self._stages[name] = stage
        return self._stages[name]

    def _process(self, stage: Stage[Any], task: Task) -> Outcome:
        try:
            return stage.process(task.video, task.files)
        except (StageHalted, CurateError):
            raise
        except MemoryError as error:
            return Failed(Reason.OUT_OF_MEMORY, str(error), retryable=True)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                raise
            log.debug("video %s, stage %s: %s", task.video.id, task.stage, traceback.format_exc())
            where = traceback.extract_tb(error.__traceback__)[-1]
            detail = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
            return Failed(Reason.ERROR, detail, retryable=True)

    def close(self) -> None:
        """Close every stage and the ledger file."""
        for stage in self._stages.values():
            stage.close()
        self._ledger.close()


def _commit_outcome(outcome: Outcome, files: Files) -> str:
    """Give the outcome's temporary files their final names; returns the artefact's name or ''."""
    if isinstance(outcome, Failed):
        return ""
    assert isinstance(outcome, Done | Dropped)
    artefact = () if outcome.artefact is None else (outcome.artefact,)
    commit({temporary: files.final(temporary) for temporary in (*outcome.sidecars, *artefact)})
    return files.final(outcome.artefact).name if outcome.artefact is not None else ""


def _limit_threads(threads: int) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[name] = str(threads)
    os.environ["CURATE_THREADS"] = str(threads)


def _log_to_standard_error(level: int) -> None:
    logger = logging.getLogger("curate")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False


def _die_with_parent() -> None:
    """End this process soon after its parent is gone, even in the middle of a video."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watch-parent").start()
