"""Runs tasks on one machine, in a pool of worker processes for each kind of resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from multiprocessing.connection import wait
from pathlib import Path

from curate.config import EngineOptions
from curate.engine.board import Board, Pressure
from curate.engine.child import Child, ChildLimits
from curate.engine.protocol import Observer, Task, Work
from curate.engine.share import PoolKey, group, share_machine

WATCH_SECONDS = 1.0
"""How often workers are looked at for silence and memory."""


class LocalEngine:
    """An `Engine` of worker processes on this machine.

    A worker is started when there is a task for it, replaced after a number of tasks and after any trouble, and ended
    with the run.

    Args:
        options: Use of the machine.
        folder: A folder on the disk that the tasks fill.
        lock: File that workers hold shared while they live, if any.
    """

    def __init__(self, options: EngineOptions, folder: Path, *, lock: Path | None = None) -> None:
        self._options = options
        self._folder = folder
        self._lock = lock

    def run(self, works: Mapping[str, Work], tasks: Iterable[Task], observe: Observer) -> None:
        """See `Engine.run`."""
        pools, needs = group(works)
        paced = next((key for key in needs if key.paced), None)
        pressure = Pressure(self._options.ahead, self._folder, int(self._options.reserve * 1e9))
        board = Board(pools, paced, pressure, observe)
        crew = _Crew(works, share_machine(needs, self._options), self._lock)
        try:
            board.add(tasks)
            while True:
                crew.give_out(board)
                if not board.out:
                    break
                crew.collect(board)
        finally:
            crew.dismiss()


class _Crew:
    """The workers of a run: for each pool, as many places as it may have workers."""

    def __init__(
        self, works: Mapping[str, Work], shares: Mapping[PoolKey, tuple[ChildLimits, ...]], lock: Path | None
    ) -> None:
        self._works = works
        self._lock = lock
        self._places: dict[PoolKey, list[Child | ChildLimits]] = {key: list(share) for key, share in shares.items()}

    def _children(self) -> list[Child]:
        return [child for places in self._places.values() for child in places if isinstance(child, Child)]

    def give_out(self, board: Board[PoolKey]) -> None:
        """Give a task to every worker that may have one; workers that run are asked first."""
        for key, places in self._places.items():
            for index in sorted(range(len(places)), key=lambda i: isinstance(places[i], ChildLimits)):
                place = places[index]
                if isinstance(place, Child) and place.task is not None:
                    continue
                task = board.take(key)
                if task is None:
                    break
                if isinstance(place, ChildLimits):
                    place = places[index] = Child(self._works, place, lock=self._lock)
                if not place.give(task, board.token()):
                    places[index] = place.limits
                    board.give_back(task)

    def collect(self, board: Board[PoolKey]) -> None:
        """Wait for replies, for dead workers, and for those that take too much."""
        busy = {child.connection: child for child in self._children() if child.task is not None}
        ready = set(wait(list(busy), timeout=WATCH_SECONDS))
        for connection, child in busy.items():
            task = child.task
            assert task is not None
            reply = child.receive() if connection in ready or connection.poll() else child.check()
            if reply is None:
                continue
            if child.spent:
                self._replace(child)
            board.settle(task, reply)

    def _replace(self, child: Child) -> None:
        child.retire()
        for places in self._places.values():
            if child in places:
                places[places.index(child)] = child.limits

    def dismiss(self) -> None:
        """End all workers: those at work at once, the others in peace."""
        children = self._children()
        for child in children:
            child.let_go()
        for child in children:
            child.retire()
