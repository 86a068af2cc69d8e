"""When a kind of task is stopped because the machine, and not the tasks, is the trouble."""

from __future__ import annotations

from dataclasses import dataclass, field

TROUBLES = 3
"""Troubles with the machine in a row, no task done in between, after which a kind stops."""

FAULTS = 10
"""Tasks in a row that crash or meet something unforeseen, none done in between, after which a kind stops."""


@dataclass
class Breaker:
    """What has happened to one kind since a task of it was last done."""

    troubles: int = 0
    faults: int = 0
    tried: set[str] = field(default_factory=set)

    def done(self) -> None:
        """A task was done: the machine can do it."""
        self.troubles = self.faults = 0

    def fault(self) -> bool:
        """A task failed; whether the kind must stop."""
        self.faults += 1
        return self.faults >= FAULTS

    def trouble(self) -> bool:
        """The machine was in the way; whether the kind must stop."""
        self.troubles += 1
        return self.troubles >= TROUBLES

    def may_try_again(self, task: str) -> bool:
        """Whether a task that met trouble is given out once more; true once for each."""
        first = task not in self.tried
        self.tried.add(task)
        return first
