"""The worker process: takes tasks from a pipe, does them, answers."""

from __future__ import annotations

import errno
import logging
import os
import re
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from curate.engine.protocol import Attempt, Fault, Finished, Task, Work
from curate.errors import CurateError, StageHalted, why_of
from curate.files.disk import DISK_ERRORS
from curate.files.machine import MACHINE_ERRORS
from curate.files.text import PrintableFormatter
from curate.records import Reason

TRANSIENT = MACHINE_ERRORS | {errno.ENOMEM}
"""System errors with which another worker may do better."""

NO_THREAD = "can't start new thread"
"""What Python says where the system gives no more threads."""

CUDA_FAULT = re.compile(r"\bCU(DA|BLAS|DNN)", re.IGNORECASE)
"""In what PyTorch and ONNX Runtime say when the device, its memory or its libraries are the trouble."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SetUp:
    """The worker set a kind up, so that what happens from here on is the task's."""

    kind: str


@dataclass(frozen=True)
class Trouble:
    """The machine kept the task from being done, or something that looks like it.

    Attributes:
        message: What was met.
        reason: Of the task's `Fault`, if it meets it again.
        seconds: Wall time until then.
        in_setup: Whether the worker ended while it set the kind up, which no task is to blame for.
    """

    message: str
    reason: Reason = Reason.ERROR
    seconds: float = 0.0
    in_setup: bool = False


@dataclass(frozen=True)
class Stop:
    """The kind must stop, for `StageHalted`, a full disk, or a set-up that failed."""

    message: str


@dataclass(frozen=True)
class Mend:
    """The run must end, for a `CurateError`."""

    message: str


Reply = Finished | Fault | Trouble | Stop | Mend


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker process needs to know once.

    Attributes:
        works: Every kind that it may be asked for.
        lock: File it holds shared while it lives, if any.
        threads: CPU threads its native libraries may use.
        device: Value for ``CUDA_VISIBLE_DEVICES``; ``None`` leaves it alone.
        log_level: Level of the ``curate`` logger.
    """

    works: Mapping[str, Work]
    lock: Path | None
    threads: int
    device: str | None
    log_level: int


FOR_THE_PARENT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that reach workers with their group; the parent ends its workers itself."""


def worker_main(connection: Connection, setup: WorkerSetup, beats: Any) -> None:
    """Body of a worker process: serve tasks until the pipe closes or the parent is gone.

    Args:
        connection: Brings ``(task, token)``; takes `SetUp` and one `Reply` each.
        setup: What to know.
        beats: Shared counter, one up for every sign of progress.
    """
    for ignored in FOR_THE_PARENT:
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_THE_PARENT)
    _limit_threads(setup.threads)
    if setup.device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = setup.device
    _log_to_standard_error(setup.log_level)
    _die_with_parent()
    if setup.lock is not None:
        from curate.workspace.locks import hold_shared

        hold_shared(setup.lock)

    def progress() -> None:
        beats.value += 1

    server = Server(setup.works, connection.send, progress)
    try:
        while True:
            connection.send(server.reply(*connection.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):  # the parent let this worker go, or is gone itself
        pass
    finally:
        server.close()


class Server:
    """Does tasks in this process, keeping every kind set up between them.

    Args:
        works: By kind.
        tell: Called with a `SetUp` once a kind is ready.
        progress: Called for every sign of progress.
    """

    def __init__(self, works: Mapping[str, Work], tell: Callable[[SetUp], None], progress: Callable[[], None]) -> None:
        self._works = works
        self._tell = tell
        self._progress = progress
        self._ready: set[str] = set()

    def reply(self, task: Task, token: str) -> Reply:
        """Do one task, whatever comes of it."""
        started = time.monotonic()
        work = self._works[task.kind]
        try:
            if task.kind not in self._ready and (stop := self._set_up(task.kind, work)):
                return stop
            return Finished(work.do(task, Attempt(token, self._progress)), time.monotonic() - started)
        except StageHalted as halted:
            return Stop(str(halted))
        except CurateError as error:
            return Mend(str(error))
        except MemoryError as error:
            return Fault(Reason.OUT_OF_MEMORY, str(error) or "MemoryError", time.monotonic() - started)
        except Exception as error:
            log.debug("%s %s: %s", task.kind, task.id, traceback.format_exc())
            return _judge(error, time.monotonic() - started)

    def _set_up(self, kind: str, work: Work) -> Stop | None:
        try:
            work.setup()
        except (StageHalted, CurateError):
            raise
        except Exception as error:
            log.debug("%s: %s", kind, traceback.format_exc())
            return Stop(f"it cannot be set up: {in_words(error)}")
        self._ready.add(kind)
        self._tell(SetUp(kind))
        return None

    def close(self) -> None:
        """Close every kind that was set up."""
        for kind in self._ready:
            self._works[kind].close()


def _judge(error: Exception, seconds: float) -> Reply:
    """Whether an exception speaks of the disk, of the machine, or of the task."""
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        where = f" while writing {error.filename}" if error.filename else ""
        return Stop(f"{why_of(error)}{where}: free space, then run the same command again")
    text = in_words(error)
    transient = isinstance(error, OSError) and error.errno in TRANSIENT
    if isinstance(error, ImportError) or transient or str(error) == NO_THREAD:
        return Trouble(text, seconds=seconds)
    if CUDA_FAULT.search(str(error)):
        memory = "out of memory" in str(error).lower()
        return Trouble(text, Reason.OUT_OF_MEMORY if memory else Reason.ERROR, seconds)
    return Fault(Reason.ERROR, text, seconds)


def in_words(error: Exception) -> str:
    """An exception in one line, with the line of code that raised it."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{text} ({Path(where.filename).name}:{where.lineno})"


def _limit_threads(threads: int) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[name] = str(threads)
    os.environ["CURATE_THREADS"] = str(threads)


def _log_to_standard_error(level: int) -> None:
    logger = logging.getLogger("curate")
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter())
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False


def _die_with_parent() -> None:
    """End this process soon after its parent is gone, even in the middle of a task."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watch-parent").start()
