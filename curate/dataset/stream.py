"""`FrameStream`: the frames of a `FrameDataset` in an order that ranks and workers share, and the place in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch.utils.data import IterableDataset, get_worker_info

from curate.dataset.orders import InOrder, Order, Shuffled, Weighted
from curate.dataset.position import SharedPosition
from curate.dataset.shares import Share, Uneven
from curate.errors import CurateError
from curate.exports.reading.stores import FrameStore

_STATE = 1
"""Raised when the order of an epoch or the state changes."""


_MOST = 2**53
"""Above every epoch and every place."""

_MISMATCH = {
    "version": "it is none, or of another version of curate",
    "export": "it is of another export, or of this one before it was written again",
    "split": "it is of another split",
    "frames": "it is of another number of frames",
    "order": "it is of another seed, shuffle or weights",
}


class Frames(Protocol):
    """What is streamed: a `curate.FrameDataset`."""

    path: Path
    split: str
    fingerprint: str
    store: FrameStore

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]: ...


class FrameStream(IterableDataset[dict[str, Any]]):
    """Frames of a `FrameDataset` for training: made by `FrameDataset.stream`.

    Every rank gets the same number of frames and of batches, whatever its number of workers. The order depends on the
    seed, the epoch, the number of ranks and the size of a batch, not on the workers. `state_dict` tells the place; it
    may be gone on from with other numbers of workers and ranks.

    Args:
        dataset: The frames.
        shuffle: Frames of a window that is shuffled, after blocks were put in random order; 0 keeps the order.
        weights: float64, shape (frames,): frames are drawn with replacement in proportion.
        seed: Of the order, from 0.
        rank: Number of this process in distributed training.
        world: Number of processes.
        batch_size: That of the ``DataLoader``; 1 if ``None``.
        uneven: ``drop`` leaves out the last frames of the order, fewer than ``world``, ``pad`` gives some twice.

    Raises:
        CurateError: There is no frame for each rank.
        ValueError: An argument is out of its range, or weights are shuffled.
    """

    def __init__(
        self,
        dataset: Frames,
        *,
        shuffle: int = 0,
        weights: npt.ArrayLike | None = None,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        batch_size: int | None = None,
        uneven: Uneven = "drop",
    ) -> None:
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} is not below world {world}")
        if shuffle < 0 or seed < 0 or (batch_size is not None and batch_size < 1):
            raise ValueError(f"shuffle ({shuffle}), seed ({seed}) or batch_size ({batch_size}) is too small")
        if uneven not in ("drop", "pad"):
            raise ValueError(f"uneven is 'drop' or 'pad', not {uneven!r}")
        if weights is not None and shuffle:
            raise ValueError("weights draw frames at random: leave out shuffle")
        self._dataset, self._shuffle, self._seed = dataset, shuffle, seed
        self._rank, self._world, self._batch_size, self._uneven = rank, world, batch_size, uneven
        self._weights = None if weights is None else _checked(weights, len(dataset))
        digest = "" if self._weights is None else hashlib.sha256(self._weights.tobytes()).hexdigest()
        self._key = [seed, shuffle, digest]
        blocks = dataset.store.blocks() if shuffle else []
        self._starts = np.array([*(block.start for block in blocks), len(dataset)], np.int64)
        self._position = SharedPosition()
        self._awaited: int | None = None
        self._resumed: tuple[int, int, int] | None = None
        self._reading: tuple[int, int, int] | None = None
        if not self._share(0).length:
            hint = "; uneven='pad' gives some of them several times" if len(dataset) else ""
            raise CurateError(
                f"split {dataset.split!r} of {dataset.path} has {len(dataset)} frames for {world} processes{hint}"
            )

    def __len__(self) -> int:
        """Frames that this rank gets in what is left of the epoch, the same number on all ranks."""
        return self._share(self._position.begin).length

    @property
    def epoch(self) -> int:
        """Number of the epoch."""
        return self._position.epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose an epoch before it is iterated, from its beginning; persistent workers hear of it.

        The first call after `load_state_dict` that names the epoch of the state leaves its place as it is.

        Args:
            epoch: Its number, from 0.
        """
        if epoch < 0:
            raise ValueError(f"epoch {epoch} is below 0")
        if epoch != self._awaited:
            self._position.move(epoch, 0)
            self._reading = None
        self._awaited = None

    def state_dict(self, steps: int | None = None) -> dict[str, Any]:
        """The place in the epoch, as numbers and texts, the same on all ranks.

        Args:
            steps: Batches that each rank has taken since the epoch began, or since it went on from a state. Needed
                where a ``DataLoader`` has workers: they read ahead, and this process does not see how far training is.
                torchdata's ``StatefulDataLoader`` does, and asks the workers without it.

        Raises:
            CurateError: ``steps`` is needed; or the stream does not know the size of a batch, or stands within one.
        """
        epoch, begin, taken = self._reading or (self._position.epoch, self._position.begin, 0)
        worker = get_worker_info()
        if worker is not None:
            place = {"epoch": epoch, "begin": begin, "taken": taken}
            return self._facts() | place | {"lane": self._lane(worker.id, worker.num_workers)}
        share = self._share(begin)
        if steps is not None:
            if self._batch_size is None:
                raise CurateError("steps cannot be counted: give the stream the batch_size of the DataLoader")
        elif workers := self._position.workers:
            raise CurateError(
                f"{workers} workers read this stream: say how many batches were taken, state_dict(steps=...), or use "
                "torchdata's StatefulDataLoader"
            )
        elif taken % share.batch and taken < share.length:
            raise CurateError(f"{taken} frames were taken, which are no whole batches of {share.batch}")
        else:
            steps = -(-taken // share.batch)
        return self._facts() | {"epoch": epoch, "begin": share.after(steps)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state at the next iteration: what is left of its epoch, and nothing else.

        Raises:
            CurateError: It is no state, or one of other frames or another order.
        """
        for name, value in self._facts().items():
            if state.get(name) != value:
                raise CurateError(f"the state does not fit the stream: {_MISMATCH[name]}; begin the epoch anew")
        worker = get_worker_info()
        names = ("epoch", "begin") if worker is None else ("epoch", "begin", "taken")
        if not all(type(state.get(name)) is int and 0 <= state[name] < _MOST for name in names):
            raise CurateError("the state names no epoch and no place in it that this stream can go on from")
        if state.get("lane") != (None if worker is None else self._lane(worker.id, worker.num_workers)):
            raise CurateError(
                "the state is that of a worker of a StatefulDataLoader: only one with the same workers, batches and "
                "ranks goes on from it"
            )
        if worker is not None:
            self._resumed = (state["epoch"], state["begin"], state["taken"])
        else:
            self._position.move(state["epoch"], state["begin"])
            self._awaited, self._reading = state["epoch"], None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        lane, lanes = (worker.id, worker.num_workers) if worker else (0, 1)
        epoch, begin, taken = self._resumed or (self._position.epoch, self._position.begin, 0)
        self._resumed = None
        if worker:
            self._position.read_by(lanes)
        self._reading = (epoch, begin, taken)
        return self._read(epoch, begin, taken, lane, lanes)

    def _read(self, epoch: int, begin: int, taken: int, lane: int, lanes: int) -> Iterator[dict[str, Any]]:
        order = self._order(epoch)
        for first, number in self._share(begin).places(lane, lanes, taken):
            for index in order.indices(first, number).tolist():
                sample = self._dataset[index]
                taken += 1
                self._reading = (epoch, begin, taken)
                yield sample

    def _order(self, epoch: int) -> Order:
        key = (self._seed, epoch)
        if self._weights is not None:
            return Weighted(self._weights, key)
        if not self._shuffle:
            return InOrder(len(self._dataset))
        return Shuffled(self._starts, self._shuffle, key)

    def _facts(self) -> dict[str, Any]:
        """What a state and the stream that goes on from it have in common."""
        return {
            "version": _STATE,
            "export": self._dataset.fingerprint,
            "split": self._dataset.split,
            "frames": len(self._dataset),
            "order": self._key,
        }

    def _lane(self, number: int, count: int) -> list[Any]:
        """What the frames of a worker depend on beside the order."""
        return [number, count, self._rank, self._world, self._batch_size, self._uneven]

    def _share(self, begin: int) -> Share:
        return Share(len(self._dataset), begin, self._rank, self._world, self._batch_size or 1, self._uneven)


def _checked(weights: npt.ArrayLike, count: int) -> npt.NDArray[np.float64]:
    """Weights as an array.

    Raises:
        ValueError: They are not one a frame, not finite, negative, or all 0.
    """
    array = np.asarray(weights, np.float64)
    if array.shape != (count,):
        raise ValueError(f"weights have the shape {array.shape}, not ({count},)")
    if not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise ValueError("weights must be finite, not negative, and some above 0")
    return array
