"""An engine at work on small stages, and everything it answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from curate.config import EngineOptions
from curate.engine import Answer, Halt, Task, make_engine
from curate.records import Video
from curate.run.stage_work import StageAnswer, StageSpec, StageTask, StageWork, record
from curate.stage import Files, Stage
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter, read_ledger
from tests.engine.stages import After, Behave, Nothing

OPTIONS = EngineOptions(workers=1, worker_memory=2048, silence=60.0, reserve=0.0)


class Bench:
    """An engine over a folder, and everything it answered."""

    def __init__(
        self, root: Path, *, stage: type[Stage] = Behave, after: type[Stage] = After, trace: str = "", **options: Any
    ) -> None:
        self.root = root
        self.answers: dict[tuple[str, str], StageAnswer] = {}
        self.order: list[tuple[str, str]] = []
        for name in ("ledger", "behaved", "after"):
            (root / name).mkdir(exist_ok=True)
        self.works = {
            "behave": StageWork(StageSpec(stage, Nothing(trace=trace))),
            "after": StageWork(StageSpec(after, Nothing())),
        }
        self.engine = make_engine(dataclasses.replace(OPTIONS, **options), root, lock=root / ".workers")

    def task(self, stage: str, video: Video, rank: int) -> Task:
        inputs = {"behave": self.root / "behaved" / f"{video.id}.txt"} if stage == "after" else {}
        folder = self.root / ("after" if stage == "after" else "behaved")
        depth = -1 if stage == "after" else 0
        payload = StageTask(stage, video, Files(inputs, folder, video.id), "print")
        return Task(stage, video.id, payload, (depth, rank))

    def run(self, *titles: str) -> Bench:
        ledger = LedgerWriter(self.root / "ledger")

        def observe(task: Task, answer: Answer) -> Iterable[Task]:
            told = answer if isinstance(answer, Halt) else record(task.payload, answer, ledger)
            assert (task.id, task.kind) not in self.answers
            self.answers[task.id, task.kind] = told
            self.order.append((task.id, task.kind))
            if isinstance(told, Event) and told.outcome == "done" and task.kind == "behave":
                yield self.task("after", task.payload.video, task.rank[-1])

        videos = [Video(id=f"v{i}", source=f"/{i}", title=title) for i, title in enumerate(titles)]
        self.engine.run(self.works, [self.task("behave", video, i) for i, video in enumerate(videos)], observe)
        ledger.close()
        return self

    def halts(self) -> list[Halt]:
        """Every word of a stage that stopped."""
        return [answer for answer in self.answers.values() if isinstance(answer, Halt)]

    def event(self, video: str, stage: str = "behave") -> Event:
        """The event of a video, the same in the answer and in the ledger."""
        answer = self.answers[video, stage]
        assert isinstance(answer, Event)
        assert read_ledger(self.root / "ledger")[video, stage].last == answer
        return answer
