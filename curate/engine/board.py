"""What is left to do, in what order, and what becomes of each reply: the part that all engines share."""

from __future__ import annotations

import heapq
import secrets
import shutil
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from curate.engine.breaker import Breaker
from curate.engine.protocol import Answer, Fault, Finished, Halt, Observer, Task
from curate.engine.worker import Mend, Reply, Stop, Trouble
from curate.errors import CurateError

PoolT = TypeVar("PoolT", bound=Hashable)

LAST = 1 << 30
"""First rank of a task that is tried again when the others are done."""


@dataclass(frozen=True)
class Pressure:
    """How far the paced lane may run ahead of the others.

    Attributes:
        waiting: Tasks of other pools that may wait; with more, the paced lane waits for them.
        folder: On the disk that fills.
        free: Bytes that must be free there while others are at work.
    """

    waiting: int
    folder: Path
    free: int


class Board(Generic[PoolT]):
    """Tasks by pool of workers, best rank first.

    Args:
        pools: Pool of each kind.
        paced: The pool that is held back by the others, if there is one.
        pressure: How far it may run ahead.
        observe: Told of every answer.
    """

    def __init__(
        self, pools: Mapping[str, PoolT], paced: PoolT | None, pressure: Pressure | None, observe: Observer
    ) -> None:
        self._pools = pools
        self._paced = paced
        self._pressure = pressure
        self._observe = observe
        self._queues: dict[PoolT, list[tuple[tuple[int, ...], int, Task]]] = {pool: [] for pool in pools.values()}
        self._waiting: Counter[str] = Counter()
        self._breakers = {kind: Breaker() for kind in pools}
        self._halted: set[str] = set()
        self._serial = 0
        self._out = 0
        self._attempts = 0
        self._run = secrets.token_hex(4)

    @property
    def out(self) -> int:
        """Tasks that are given out and not answered."""
        return self._out

    @property
    def left(self) -> int:
        """Tasks that wait to be given out."""
        return self._waiting.total()

    def waits_for(self, pool: PoolT) -> bool:
        """Whether a task waits for a worker of a pool."""
        return any(self._waiting[kind] for kind, own in self._pools.items() if own == pool)

    def pool(self, task: Task) -> PoolT:
        """The pool whose workers do a task."""
        return self._pools[task.kind]

    def add(self, tasks: Iterable[Task]) -> None:
        """Take tasks in."""
        for task in tasks:
            if task.kind in self._halted:
                continue
            self._serial += 1
            heapq.heappush(self._queues[self._pools[task.kind]], (task.rank, self._serial, task))
            self._waiting[task.kind] += 1

    def token(self) -> str:
        """A name for one attempt, never used before."""
        self._attempts += 1
        return f"{self._run}-{self._attempts}"

    def take(self, pool: PoolT) -> Task | None:
        """The next task for a worker of a pool, if there is one and it may be done now."""
        queue = self._queues[pool]
        while queue and queue[0][2].kind in self._halted:
            heapq.heappop(queue)
        if not queue or (pool == self._paced and self._is_held()):
            return None
        task = heapq.heappop(queue)[2]
        self._waiting[task.kind] -= 1
        self._out += 1
        return task

    def give_back(self, task: Task) -> None:
        """A task that was taken could not be begun, through no fault of its own."""
        self._out -= 1
        self.add([task])

    def settle(self, task: Task, reply: Reply) -> None:
        """Work out what a reply means, tell the observer, and take in what follows.

        Raises:
            CurateError: The run must end.
        """
        self._out -= 1
        breaker = self._breakers[task.kind]
        match reply:
            case Finished():
                breaker.done()
                self._tell(task, reply)
            case Fault() if breaker.fault():
                self._halt(task, f"{breaker.faults} in a row failed, last {task.id}: {reply.detail}")
            case Fault():
                self._tell(task, reply)
            case Trouble():
                if breaker.trouble():
                    self._halt(task, f"{reply.message}; met {breaker.troubles} times in a row")
                elif breaker.may_try_again(task.id):
                    self.add([replace(task, rank=(LAST, *task.rank))])
                elif reply.in_setup:
                    self._halt(task, reply.message)
                else:
                    self._tell(task, Fault(reply.reason, reply.message, reply.seconds))
            case Stop():
                self._halt(task, reply.message)
            case Mend():
                raise CurateError(reply.message)

    def _halt(self, task: Task, message: str) -> None:
        if task.kind not in self._halted:
            self._halted.add(task.kind)
            self._waiting[task.kind] = 0
            self._tell(task, Halt(task.kind, message))

    def _tell(self, task: Task, answer: Answer) -> None:
        self.add(self._observe(task, answer))

    def _is_held(self) -> bool:
        """Whether the paced lane has run far enough ahead for now."""
        if self._pressure is None:
            return False
        waiting = sum(count for kind, count in self._waiting.items() if self._pools[kind] != self._paced)
        if waiting >= self._pressure.waiting:
            return True
        others_at_work = waiting > 0 or self._out > 0
        return others_at_work and shutil.disk_usage(self._pressure.folder).free < self._pressure.free
