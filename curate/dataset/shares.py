"""Which places of an epoch's order belong to which rank and to which worker: arithmetic alone.

The places of an epoch are 0 to ``count`` - 1. A step takes a batch for each rank, one after the other from the order;
the workers of a rank take its batches in turn, as a ``DataLoader`` asks them. So the frames of a step do not depend on
the number of workers, and those of the steps that were taken are the first of the order, for any number of ranks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Uneven = Literal["drop", "pad"]
"""What is done where the ranks do not divide the frames: the last few are left out, or the first are given again."""


@dataclass(frozen=True)
class Share:
    """The part of one rank in an epoch, or in what is left of it.

    Attributes:
        count: Places of the whole epoch.
        begin: Places that are behind, from the front; above ``count`` if all are, with some given again.
        rank: Number of the process, 0 to ``world`` - 1.
        world: Number of processes.
        batch: Frames that a rank takes in a step; the last step may have fewer, the same number on all ranks.
        uneven: Leave out at most ``world`` - 1 frames, or give as many again.
    """

    count: int
    begin: int
    rank: int
    world: int
    batch: int = 1
    uneven: Uneven = "drop"

    @property
    def length(self) -> int:
        """Frames of the rank, the same on all."""
        left = max(0, self.count - self.begin)
        return left // self.world if self.uneven == "drop" else -(-left // self.world)

    @property
    def steps(self) -> int:
        """Batches of the rank, the same on all."""
        return -(-self.length // self.batch)

    def after(self, steps: int) -> int:
        """Places that are behind when all ranks have taken so many steps of this share."""
        return self.begin + self.world * min(steps * self.batch, self.length)

    def places(self, lane: int = 0, lanes: int = 1, taken: int = 0) -> Iterator[tuple[int, int]]:
        """First place and number of places of each batch of a worker, in order.

        A place at or above ``count`` stands for that place less ``count``, as often as needed.

        Args:
            lane: Number of the worker, 0 to ``lanes`` - 1.
            lanes: Number of workers of the rank.
            taken: Frames of the worker that are left out, from the front.
        """
        for step in range(lane, self.steps, lanes):
            size = min(self.batch, self.length - step * self.batch)
            first = self.begin + step * self.batch * self.world + self.rank * size
            skipped = min(taken, size)
            taken -= skipped
            if skipped < size:
                yield first + skipped, size - skipped
