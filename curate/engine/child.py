"""One worker process as its parent sees it: given tasks, watched, ended.

The local engine has many; an actor of the Ray engine has one. What a task may cost is held here, so that it is the same
code under both.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path

from curate.engine.protocol import Fault, Finished, Task, Work
from curate.engine.worker import FOR_THE_PARENT, Reply, SetUp, Trouble, WorkerSetup, worker_main
from curate.records import Reason

PATIENCE = 10.0
"""Seconds that a worker gets to end by itself."""


@dataclass(frozen=True)
class ChildLimits:
    """What a worker may use.

    Attributes:
        threads: CPU threads.
        memory: Resident bytes after which it is ended.
        silence: Seconds without progress after which it is ended.
        tasks: Tasks after which it is replaced, so that what libraries leak does not add up.
        device: Value for ``CUDA_VISIBLE_DEVICES``; ``None`` leaves it alone.
    """

    threads: int
    memory: int
    silence: float
    tasks: int
    device: str | None = None


class Child:
    """A worker process.

    Attributes:
        limits: What it may use.
        connection: Readable when `receive` has something to say, the process's death included.
        task: What it is doing, if anything.
        token: Of the attempt in hand.
        spent: Whether it must not get another task.
    """

    def __init__(self, works: Mapping[str, Work], limits: ChildLimits, *, lock: Path | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self.limits = limits
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        self.task: Task | None = None
        self.token = ""
        self.spent = False
        self._beats = context.RawValue(ctypes.c_uint64, 0)
        self._ready: set[str] = set()
        self._given = 0
        self._started = self._heard = 0.0
        self._last_beat = 0
        level = logging.getLogger("curate").getEffectiveLevel()
        setup = WorkerSetup(works, lock, limits.threads, limits.device, level)
        self._process = context.Process(
            target=worker_main, args=(theirs, setup, self._beats), daemon=True, name="curate-worker"
        )
        with _signals_held_back():
            self._process.start()
        theirs.close()

    def give(self, task: Task, token: str) -> bool:
        """Hand it a task; false if it died while idle, which is not the task's doing."""
        try:
            self.connection.send((task, token))
        except OSError:
            return False
        self.task, self.token = task, token
        self._given += 1
        self._started = self._heard = time.monotonic()
        return True

    def receive(self) -> Reply | None:
        """What the readable connection says of the task in hand; ``None`` if that is not its end."""
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            self._process.join(PATIENCE)
            return self._ended(Reason.CRASHED, describe_exit(self._process.exitcode))
        if isinstance(message, SetUp):
            self._ready.add(message.kind)
            self._heard = time.monotonic()
            return None
        self.task = None
        self.spent = not isinstance(message, Finished) or self._given >= self.limits.tasks
        reply: Reply = message
        return reply

    def check(self) -> Reply | None:
        """End it if it takes too much; the answer to its task in that case."""
        now = time.monotonic()
        if self._beats.value != self._last_beat:
            self._last_beat, self._heard = self._beats.value, now
        if now - self._heard > self.limits.silence:
            self.kill()
            return self._ended(Reason.TIMED_OUT, f"made no progress for {self.limits.silence:g} s and was ended")
        used = resident_bytes(self._process.pid)
        if used > self.limits.memory:
            self.kill()
            return self._ended(Reason.OUT_OF_MEMORY, f"used {used >> 20} MiB of memory and was ended")
        return None

    def _ended(self, reason: Reason, detail: str) -> Reply:
        task, self.task, self.spent = self.task, None, True
        seconds = time.monotonic() - self._started
        if task is not None and task.kind not in self._ready:
            return Trouble(f"{detail}, while it was set up", reason, seconds, in_setup=True)
        return Fault(reason, detail, seconds)

    def let_go(self) -> None:
        """Tell it to end: at once if it is at work, in its own time if it is idle."""
        self.connection.close()
        if self.task is not None:
            self._process.kill()

    def retire(self) -> None:
        """Tell it to end, wait for that, and end it if it does not."""
        self.let_go()
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join(PATIENCE)


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Hold back what is meant for the parent from a process that starts, until it is there to ignore it.

    A process takes over what is held back. What came for the parent meanwhile reaches it at the end of the block.
    """
    resource_tracker.ensure_running()  # made now, since making it lets the signals through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_PARENT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
