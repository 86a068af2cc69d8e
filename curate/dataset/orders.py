"""The order of the frames in an epoch, as a function: which frame is at a place.

So an epoch may be entered anywhere, and every process finds the same order without hearing of the others. What is held
does not grow with the export but for the list of its blocks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]

_DRAWS = 8192
"""Draws that are made at a time."""


class Order(ABC):
    """The order of one epoch of ``count`` places."""

    def __init__(self, count: int) -> None:
        self.count = count

    def indices(self, first: int, number: int) -> Indices:
        """Frames at ``number`` places from ``first`` on; after the last place comes the first again."""
        parts = [np.zeros(0, np.int64)]
        while number:
            part = self._run(first % self.count, number)
            parts.append(part)
            first, number = first + len(part), number - len(part)
        return np.concatenate(parts)

    @abstractmethod
    def _run(self, first: int, most: int) -> Indices:
        """Frames at one to ``most`` places from ``first`` on, none of them at or above ``count``."""


class InOrder(Order):
    """The order of the export."""

    def _run(self, first: int, most: int) -> Indices:
        return np.arange(first, min(first + most, self.count), dtype=np.int64)


class _Windowed(Order):
    """An order that is found a window of places at a time; the last window is held.

    Args:
        count: Places.
        window: Places of a window.
        key: What the order depends on, numbers from 0.
    """

    def __init__(self, count: int, window: int, key: Sequence[int]) -> None:
        super().__init__(count)
        self._size, self._key = window, tuple(key)
        self._number, self._window = -1, np.zeros(0, np.int64)

    def _run(self, first: int, most: int) -> Indices:
        number, skipped = divmod(first, self._size)
        if number != self._number:
            size = min(self._size, self.count - number * self._size)
            self._window = self._make(number * self._size, size, np.random.default_rng([*self._key, 1, number]))
            self._number = number
        return self._window[skipped : skipped + most]

    @abstractmethod
    def _make(self, first: int, size: int, draw: np.random.Generator) -> Indices:
        """Frames of the window that begins at ``first``."""


class Shuffled(_Windowed):
    """Each frame once: blocks in random order one after the other, then shuffled within windows.

    Args:
        starts: First frame of each block, and the number of frames last.
        window: Frames of a window; all of them for an order that knows no blocks.
        key: What the order depends on, numbers from 0.
    """

    def __init__(self, starts: Indices, window: int, key: Sequence[int]) -> None:
        super().__init__(int(starts[-1]), window, key)
        blocks = np.random.default_rng([*key, 0]).permutation(len(starts) - 1)
        self._first = starts[blocks]
        self._ends = np.cumsum(starts[blocks + 1] - self._first)

    def _make(self, first: int, size: int, draw: np.random.Generator) -> Indices:
        places = np.arange(first, first + size)
        blocks = np.searchsorted(self._ends, places, side="right")
        begins = np.where(blocks > 0, self._ends[blocks - 1], 0)
        return draw.permutation(self._first[blocks] + places - begins)


class Weighted(_Windowed):
    """Frames drawn with replacement, as many as there are.

    Args:
        weights: float64 (frames,), not negative, some above 0; in proportion to the probabilities.
        key: What the order depends on, numbers from 0.
    """

    def __init__(self, weights: npt.NDArray[np.float64], key: Sequence[int]) -> None:
        super().__init__(len(weights), _DRAWS, key)
        starts = np.concatenate([[0], np.flatnonzero(np.diff(weights)) + 1])
        lengths = np.diff(starts, append=len(weights))
        some = weights[starts] > 0
        self._starts, self._lengths, self._each = starts[some], lengths[some], weights[starts][some]
        self._ends = np.cumsum(self._lengths * self._each)

    def _make(self, first: int, size: int, draw: np.random.Generator) -> Indices:
        drawn = draw.random(size) * self._ends[-1]
        runs = np.minimum(np.searchsorted(self._ends, drawn, side="right"), len(self._ends) - 1)
        inside = (drawn - np.where(runs > 0, self._ends[runs - 1], 0.0)) / self._each[runs]
        return self._starts[runs] + np.clip(inside.astype(np.int64), 0, self._lengths[runs] - 1)
