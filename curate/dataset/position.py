"""Where a stream is, in memory that its workers share with the process that made it."""

from __future__ import annotations

import torch


class SharedPosition:
    """Epoch, places behind in it, and how many workers read the stream, for all processes that it was handed to.

    A ``DataLoader`` forks or spawns its workers, and hands shared tensors on; a pickle made otherwise has a copy.
    """

    def __init__(self) -> None:
        self._values = torch.zeros(3, dtype=torch.int64).share_memory_()

    def move(self, epoch: int, begin: int) -> None:
        """Go to a place of an epoch; nobody reads there yet."""
        self._values.copy_(torch.tensor([epoch, begin, 0]))

    @property
    def epoch(self) -> int:
        """Number of the epoch."""
        return int(self._values[0])

    @property
    def begin(self) -> int:
        """Places of the epoch that are behind when reading begins."""
        return int(self._values[1])

    @property
    def workers(self) -> int:
        """Workers that began to read since the last move; 0 if none did."""
        return int(self._values[2])

    def read_by(self, workers: int) -> None:
        """Note that reading begins."""
        self._values[2] = workers
