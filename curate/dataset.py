"""`FrameDataset`: an export of any format as a PyTorch dataset."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import simplejpeg
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from curate.errors import CurateError
from curate.exports.formats.tables import FRAME_SCHEMA, read_videos
from curate.exports.reading.stores import open_store

COLUMNS = ("key", "video_id", "n", "timestamp")
"""Metadata columns that a sample carries unless others are asked for; all of them survive the default collation."""


class FrameDataset(Dataset[dict[str, Any]]):
    """Frames of one split of an export, map-style.

    A sample is a dict of ``image`` and the metadata columns. Files are opened on first use in each process, so the
    dataset may be handed to workers that are forked or spawned.

    Formats differ in what they are good at: LMDB, WebDataset, folders and DINOv2 tars give single frames fast; Parquet
    is read a row group at a time, so shuffle it with `stream`.

    Example::

        import torch
        from curate import FrameDataset
        from torch.utils.data import DataLoader, WeightedRandomSampler
        from torchvision.transforms import v2

        transform = v2.Compose([v2.RandomResizedCrop(224), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
        dataset = FrameDataset("workspace/exports/lmdb", transform=transform)
        sampler = WeightedRandomSampler(dataset.sampling_weights(), num_samples=len(dataset))
        for batch in DataLoader(dataset, batch_size=256, sampler=sampler, num_workers=8):
            loss = model(batch["image"])

    Args:
        path: Folder of the export, e.g. ``workspace/exports/lmdb``.
        split: Name of the split.
        transform: Called with the PIL image (RGB); its result is the sample's ``image``.
        columns: Metadata columns of a sample; see ``curate.exports.formats.tables.FRAME_SCHEMA``.

    Raises:
        CurateError: The folder is not an export, or has no such split or column.
    """

    def __init__(
        self,
        path: str | Path,
        split: str = "train",
        *,
        transform: Callable[[Image.Image], Any] | None = None,
        columns: Sequence[str] = COLUMNS,
    ) -> None:
        if unknown := sorted(set(columns) - set(FRAME_SCHEMA.names)):
            raise CurateError(f"unknown column {unknown[0]!r}; known: {', '.join(FRAME_SCHEMA.names)}")
        self.path = Path(path).absolute()
        self.split = split
        self.transform = transform
        self.columns = tuple(columns)
        self.store = open_store(self.path, split)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_table"}

    def __len__(self) -> int:
        return len(self.store)

    @cached_property
    def _table(self) -> pa.Table:
        return self.store.table(self.columns)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} frames")
        index = int(index) % len(self)
        return self.sample(index, self.store.jpeg(index))

    def sample(self, index: int, jpeg: bytes) -> dict[str, Any]:
        """The sample of a frame whose stored JPEG has been read."""
        order = "RGB" if self.store.channel_order == "rgb" else "BGR"
        image: Any = Image.fromarray(simplejpeg.decode_jpeg(jpeg, colorspace=order))
        if self.transform is not None:
            image = self.transform(image)
        metadata = {name: self._table.column(name)[index].as_py() for name in self.columns}
        return {"image": image, **metadata}

    def sampling_weights(self) -> torch.Tensor:
        """Probability of each frame under sampling that balances the procedures.

        Procedures are drawn in proportion to frames^alpha, ``export.balance_alpha``.

        Returns:
            float64, shape (len(self),), with sum 1: for ``torch.utils.data.WeightedRandomSampler``, which takes up to
            2^24 frames.
        """
        by_video = dict(read_videos(self.path, "video_id", "frame_weight"))
        encoded = self.store.table(["video_id"]).column(0).combine_chunks().dictionary_encode()
        weights = torch.tensor([by_video[video] for video in encoded.dictionary.to_pylist()], dtype=torch.float64)
        return weights[torch.from_numpy(encoded.indices.to_numpy().astype("int64"))]

    def stream(self, *, shuffle: int = 0, seed: int = 0, rank: int = 0, world: int = 1) -> FrameStream:
        """The same frames as an iterable dataset that reads neighbours together.

        Args:
            shuffle: Frames (still encoded) to hold and draw from; 0 keeps the order.
            seed: Of the order; use `FrameStream.set_epoch` for another one each epoch.
            rank: Number of this process in distributed training.
            world: Number of processes.
        """
        return FrameStream(self, shuffle=shuffle, seed=seed, rank=rank, world=world)


class FrameStream(IterableDataset[dict[str, Any]]):
    """Frames of a `FrameDataset` one after the other, each once, shared out over workers and ranks by blocks.

    Args:
        dataset: The frames.
        shuffle: Size of the shuffle buffer in frames; 0 keeps the order. Blocks are then drawn in random order too.
        seed: Of the order.
        rank: Number of this process in distributed training.
        world: Number of processes.
    """

    def __init__(self, dataset: FrameDataset, *, shuffle: int, seed: int, rank: int, world: int) -> None:
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} is not below world {world}")
        self._dataset, self._shuffle, self._seed, self._rank, self._world = dataset, shuffle, seed, rank, world
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; call it before iterating, in the main process."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        workers, number = (worker.num_workers, worker.id) if worker else (1, 0)
        blocks = self._dataset.store.blocks()
        if self._shuffle:
            random.Random(f"{self._seed}:{self._epoch}").shuffle(blocks)
        own = blocks[self._rank * workers + number :: self._world * workers]
        read: Iterator[tuple[int, bytes]] = ((i, self._dataset.store.jpeg(i)) for block in own for i in block)
        if self._shuffle:
            read = _shuffled(read, self._shuffle, random.Random(f"{self._seed}:{self._epoch}:{self._rank}:{number}"))
        for index, jpeg in read:
            yield self._dataset.sample(index, jpeg)


def _shuffled(items: Iterator[tuple[int, bytes]], size: int, draw: random.Random) -> Iterator[tuple[int, bytes]]:
    """Hold ``size`` items and give out a random one whenever another comes."""
    held: list[tuple[int, bytes]] = []
    for item in items:
        if len(held) < size:
            held.append(item)
            continue
        i = draw.randrange(size)
        held[i], item = item, held[i]
        yield item
    draw.shuffle(held)
    yield from held
