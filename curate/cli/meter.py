"""How far one long step is: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from typing import Never

from tqdm import tqdm

from curate.cli.exits import say
from curate.cli.terminal import unwrapped

LOG_SECONDS = 10.0
"""Time between two lines where standard error is not a terminal."""


class Meter:
    """Counts up to a total, with rate and time left; a context manager.

    Args:
        name: What is going on.
        total: How many there will be.
        unit: What is counted, in the singular.
        quiet: Show nothing.
    """

    def __init__(self, name: str, total: int, unit: str, *, quiet: bool) -> None:
        self._name, self._total, self._unit, self._quiet = name, total, unit, quiet
        self._done = 0
        self._started = self._said = time.monotonic()
        terminal = sys.stderr.isatty() and not quiet
        self._bar: tqdm[Never] | None = (
            tqdm(total=total, desc=name, unit=unit, file=unwrapped(sys.stderr)) if terminal else None
        )

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, count: int) -> None:
        """Take note that ``count`` more are done."""
        self._done += count
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(count)
        elif not self._quiet and (now - self._said >= LOG_SECONDS or self._done == self._total):
            self._said = now
            rate = self._done / max(now - self._started, 1e-9)
            left = round((self._total - self._done) / rate)
            counts = f"{self._done}/{self._total} {self._unit}s, {rate:.1f}/s"
            say(f"{self._name}: {counts}, {left // 60}:{left % 60:02d} left")


def byte_bar(name: str, *, quiet: bool) -> tqdm[Never]:
    """A bar of bytes whose total is not known, on a terminal; a context manager.

    Args:
        name: What is going on.
        quiet: Show nothing.
    """
    hidden = quiet or not sys.stderr.isatty()
    return tqdm(desc=name, unit="B", unit_scale=True, file=unwrapped(sys.stderr), disable=hidden)
