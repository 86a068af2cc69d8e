"""Progress of a run: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Never

from tqdm import tqdm

from curate.cli.exits import say
from curate.cli.terminal import unwrapped
from curate.engine.protocol import Halt
from curate.files.clock import clock
from curate.files.text import printable
from curate.run.stage_work import StageAnswer, StageTask

LOG_SECONDS = 10.0
"""Time between two progress lines of one stage when standard error is not a terminal."""


class Progress:
    """Shows how far each stage is, with rate and time left, and names every failure as it happens.

    Args:
        stages: Names of the stages, in order.
        quiet: Show nothing but failures.
    """

    def __init__(self, stages: Sequence[str], *, quiet: bool) -> None:
        self._totals = dict.fromkeys(stages, 0)
        self._order = list(stages)
        self._finished: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}
        self._quiet = quiet
        self._terminal = sys.stderr.isatty() and not quiet
        self._bars: dict[str, tqdm[Never]] = {}
        self._said: dict[str, float] = {}
        self.halts: list[str] = []

    def expect(self, pending: Mapping[str, int]) -> None:
        """Take note of how many videos will reach each stage if none is dropped on the way."""
        self._totals.update(pending)

    def __call__(self, task: StageTask, answer: StageAnswer) -> None:
        """Take note of an answer."""
        if isinstance(answer, Halt):
            self.halts.append(f"{answer.kind} stopped: {answer.message}")
            return
        self._finished[task.stage] += 1
        self._seconds.setdefault(task.stage, time.monotonic() - answer.seconds)
        if answer.outcome in ("failed", "dropped"):
            for name in self._order[self._order.index(task.stage) + 1 :]:
                self._totals[name] -= 1
                if name in self._bars:
                    self._bars[name].total = self._totals[name]
        if answer.outcome == "failed":
            self._say(f"failed: {task.video.id} {task.stage}: {answer.reason}: {' '.join(answer.detail.split())[:200]}")
        elif not self._quiet and answer.outcome == "done" and answer.detail:
            self._say(f"note: {task.video.id} {task.stage}: {answer.detail}")
        if self._terminal:
            self._bar(task.stage).update()
        elif not self._quiet:
            self._line(task.stage)

    def _bar(self, stage: str) -> tqdm[Never]:
        if stage not in self._bars:
            position = self._order.index(stage)
            self._bars[stage] = tqdm(
                total=self._totals[stage],
                desc=stage.ljust(9),
                unit="video",
                position=position,
                file=unwrapped(sys.stderr),
            )
        return self._bars[stage]

    def _line(self, stage: str) -> None:
        now, finished, total = time.monotonic(), self._finished[stage], self._totals[stage]
        if now - self._said.get(stage, 0.0) < LOG_SECONDS and finished < total:
            return
        self._said[stage] = now
        elapsed = max(now - self._seconds[stage], 1e-9)
        rate = finished / elapsed
        left = max(total - finished, 0) / rate
        say(f"{stage}: {finished}/{total} videos, {rate * 60:.1f}/min, {clock(round(left))} left")

    def _say(self, text: str) -> None:
        if self._terminal:
            tqdm.write(printable(text), file=unwrapped(sys.stderr))
        else:
            say(text)

    def close(self) -> None:
        """Leave the bars as they stand."""
        for bar in self._bars.values():
            bar.close()


class FrameCounter:
    """Shows how many frames have been written, format by format or split by split; a context manager."""

    def __init__(self, *, quiet: bool, what: str = "export") -> None:
        self._what = what
        self._quiet = quiet
        self._terminal = sys.stderr.isatty() and not quiet
        self._bar: tqdm[Never] | None = None
        self._format = ""
        self._started = self._said = self._heard = time.monotonic()

    def __enter__(self) -> FrameCounter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, name: str, frames: int) -> None:
        """Take note that ``frames`` frames of the format or split ``name`` are done so far."""
        now = time.monotonic()
        if name != self._format:
            self.__exit__()
            self._format, self._started = name, self._heard
            self._bar = (
                tqdm(desc=f"{self._what} {name}", unit="frame", file=unwrapped(sys.stderr)) if self._terminal else None
            )
        if self._bar is not None:
            self._bar.update(frames - self._bar.n)
        elif not self._quiet and now - self._said >= LOG_SECONDS:
            self._said = now
            rate = frames / max(now - self._started, 1e-9)
            say(f"{self._what} {name}: {frames} frames, {rate:.0f}/s")
        self._heard = now
