"""What an engine is, and what it and its callers hand each other.

An engine runs tasks. A task is plain data and names its kind; the kind's `Work` says what a worker needs and does the
task there. Nothing here knows of videos, ledgers or exports: a stage's work on one video and an export's work on one
shard are tasks alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from curate.records import Reason
from curate.stage import Resources


@dataclass(frozen=True)
class Task:
    """One thing to do.

    Attributes:
        kind: Which `Work` does it.
        id: What it is about, for messages: a video's id, a shard's name. Unique within its kind.
        payload: What the work is told; plain data that can be pickled, small.
        rank: Tasks with smaller ranks go first.
    """

    kind: str
    id: str
    payload: Any
    rank: tuple[int, ...] = (0, 0)


@dataclass(frozen=True)
class Attempt:
    """One try at a task, as the work sees it in its worker.

    Attributes:
        token: Letters, digits and ``-``; another one for every try of every task of every run, so that what a late
            writer leaves is told from what counts. Part of the names of temporary files.
        progress: Call it whenever the work got on: a frame, a block of bytes. It costs nothing. A worker that does not
            call it for long is ended.
    """

    token: str
    progress: Callable[[], None]


class Work(Protocol):
    """How the tasks of one kind are done.

    It is pickled to every worker that meets such a task. There it is set up once, does many tasks one after the other,
    and is closed. It writes only under names of its own (`Attempt.token`): its result is what counts, and what is to
    become of the files is the observer's to do, in the process that called `Engine.run`.
    """

    @property
    def resources(self) -> Resources:
        """What one worker needs; asked in the process that calls `Engine.run`."""
        ...

    def setup(self) -> None:
        """Load what is needed for many tasks.

        Raises:
            CurateError: The user can mend what is missing; the run ends. Any other exception stops this kind.
        """
        ...

    def do(self, task: Task, attempt: Attempt) -> Any:
        """Do one task and return its result, which can be pickled and is small.

        Raises:
            StageHalted: Going on would be wrong for every task of this kind.
            CurateError: The user can mend it; the run ends.
            Exception: Anything else fails the task (`Fault`), or stops the kind where it speaks of the machine: a full
                disk, a missing library, CUDA.
        """
        ...

    def close(self) -> None:
        """Release what `setup` took."""
        ...


@dataclass(frozen=True)
class Finished:
    """The task was done.

    Attributes:
        result: What `Work.do` returned.
        seconds: Wall time of the work.
    """

    result: Any
    seconds: float


@dataclass(frozen=True)
class Fault:
    """The task failed in a way its work did not foresee.

    Attributes:
        reason: ``crashed``, ``timed_out``, ``out_of_memory`` or ``error``.
        detail: The cause, for people.
        seconds: Wall time until then.
    """

    reason: Reason
    detail: str
    seconds: float


@dataclass(frozen=True)
class Halt:
    """A kind of task stops, once a run: the task in hand stays undone, and no further one is given out.

    Attributes:
        kind: Which.
        message: One sentence for the user.
    """

    kind: str
    message: str


Answer = Finished | Fault | Halt

Observer = Callable[[Task, Answer], Iterable[Task]]
"""Called in the process that runs the engine, one call at a time; returns the tasks that an answer makes possible."""


class Engine(Protocol):
    """Turns the resources that works declare into workers, and runs tasks in them."""

    def run(self, works: Mapping[str, Work], tasks: Iterable[Task], observe: Observer) -> None:
        """Run ``tasks`` and all that follow from them.

        A crash, a hang or a memory blow-up in one task costs that task: it ends as a `Fault`.

        Args:
            works: How the tasks of each kind are done.
            tasks: What can be done at once.
            observe: Told of every answer; every task given out gets exactly one, but for those of a kind that stopped.

        Raises:
            CurateError: Something that the user can mend keeps the run from going on.
        """
        ...
