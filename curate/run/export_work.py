"""The shards of an export as work of an engine: all cores and machines, and a crash costs its shard a second try."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable

from curate.engine.protocol import Answer, Engine, Finished, Halt, Task
from curate.errors import CurateError
from curate.exports.exporter import Settle, Trouble
from curate.exports.formats.making import Job
from curate.exports.formats.registry import FORMATS
from curate.run.shard_work import ShardWork

TRIES = 2
"""Times that a shard is written, if its worker crashes or meets something that nobody foresaw; taking it over, which is
tried once, does not count."""

log = logging.getLogger(__name__)


class EngineCrew:
    """A `curate.exports.exporter.Crew` of the workers of an engine.

    Args:
        engine: Makes the engine, once there is something to do.
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine

    def work(self, jobs: Iterable[Job], settle: Settle) -> None:
        """See `Crew.work`.

        Raises:
            CurateError: The disk is full or fails, or the engine does not answer.
        """
        halts: list[str] = []
        tried: dict[tuple[str, str], int] = {}
        order = {name: rank for rank, name in enumerate(FORMATS)}
        count = 0

        def tasks(some: Iterable[Job]) -> Iterable[Task]:
            nonlocal count
            for job in some:
                count += 1
                yield Task(job.format, job.key, job, (order[job.format], count))

        def observe(task: Task, answer: Answer) -> Iterable[Task]:
            job: Job = task.payload
            if isinstance(answer, Halt):
                halts.append(f"{answer.kind}: {answer.message}")
                return ()
            if isinstance(answer, Finished):
                return tasks(settle(job, answer.result))
            offered = job.offer is not None and not job.anew
            tried[job.format, job.key] = tries = tried.get((job.format, job.key), 0) + (not offered)
            if tries < TRIES:
                log.warning(
                    "a shard of %s is written again, and nothing of it taken over: %s", job.format, answer.detail
                )
                return (dataclasses.replace(task, payload=dataclasses.replace(job, anew=True)),)
            why = f"a shard of {job.shard.frames} frames could not be written ({answer.reason}: {answer.detail})"
            return tasks(settle(job, Trouble(f"{why}; what is finished is kept, run the same command again")))

        planned = list(jobs)
        works = {name: ShardWork() for name in dict.fromkeys(job.format for job in planned)}
        self._engine().run(works, tasks(planned), observe)
        if halts:
            raise CurateError(
                f"cannot write the export: {halts[0]}. What is finished is kept: run the same command again to go on"
            )
