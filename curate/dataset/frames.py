"""`FrameDataset`: single frames of an export, by index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pyarrow as pa
import simplejpeg
import torch
from PIL import Image
from torch.utils.data import Dataset

from curate.dataset.neighbours import Neighbours, NeighbourTable
from curate.dataset.shares import Uneven
from curate.dataset.stream import FrameStream
from curate.errors import BadArtefact, CurateError, why_of
from curate.exports.formats.tables import FRAME_SCHEMA, read_videos
from curate.exports.reading.stores import open_record, open_store
from curate.exports.reading.whole import check_whole

COLUMNS = ("key", "video_id", "n", "timestamp")
"""Metadata columns that a sample carries unless others are asked for; all of them survive the default collation."""


class FrameDataset(Dataset[dict[str, Any]]):
    """Frames of one split of an export, map-style.

    A sample is a dict of ``image`` and the metadata columns; with ``neighbours`` also of ``neighbours``, a list of
    images. Files are opened on first use in each process, so the dataset may be handed to workers that are forked or
    spawned. Every format gives single frames fast. For several ranks, and to go on in the middle of an epoch, see
    `stream`.

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
        neighbours: Also give frames that are near in time or alike.

    Raises:
        CurateError: The folder is not an export, lacks some of its files or frames, or has no such split or column; or
            the file of neighbours does not fit it.
    """

    def __init__(
        self,
        path: str | Path,
        split: str = "train",
        *,
        transform: Callable[[Image.Image], Any] | None = None,
        columns: Sequence[str] = COLUMNS,
        neighbours: Neighbours | None = None,
    ) -> None:
        if unknown := sorted(set(columns) - set(FRAME_SCHEMA.names)):
            raise CurateError(f"unknown column {unknown[0]!r}; known: {', '.join(FRAME_SCHEMA.names)}")
        self.path = Path(path).absolute()
        self.split = split
        self.transform = transform
        self.columns = tuple(columns)
        record = open_record(self.path)
        self.fingerprint: str = record["fingerprint"]
        """Of the content of the export: what its frames show, and how it was made."""
        self.store = open_store(self.path, split)
        check_whole(self.path, record)
        try:
            frames = self._table.num_rows
        except BadArtefact as error:
            raise CurateError(f"{error}; 'curate verify {self.path}' tells all that is wrong") from error
        if frames != len(self):
            raise CurateError(
                f"split {split!r} of {self.path} has {len(self)} frames by its record and {frames} in its tables: "
                "it was changed or copied in part; export or copy it again"
            )
        self._neighbours = None if neighbours is None else self._find(neighbours)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_table", "_metadata")}

    def _find(self, neighbours: Neighbours) -> NeighbourTable:
        return NeighbourTable(neighbours, self.store.table(["key"]).column(0).combine_chunks())

    def __len__(self) -> int:
        return len(self.store)

    @cached_property
    def _table(self) -> pa.Table:
        return self.store.table(self.columns)

    @cached_property
    def _metadata(self) -> dict[str, pa.Array]:
        """The columns of a sample, each in one piece: what is looked up for every frame costs little."""
        return {name: self._table.column(name).combine_chunks() for name in self.columns}

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} frames")
        index = int(index) % len(self)
        sample = {"image": self._image(index)}
        if self._neighbours is not None:
            sample["neighbours"] = [self._image(other) for other in self._neighbours.draw(index)]
        return sample | {name: column[index].as_py() for name, column in self._metadata.items()}

    def _image(self, index: int) -> Any:
        """The picture of a frame, transformed.

        Raises:
            CurateError: It cannot be read.
        """
        order = "RGB" if self.store.channel_order == "rgb" else "BGR"
        try:
            image = Image.fromarray(simplejpeg.decode_jpeg(self.store.jpeg(index), colorspace=order))
        except (OSError, ValueError, KeyError, BadArtefact) as error:
            raise CurateError(
                f"frame {index} of split {self.split!r} of {self.path} cannot be read ({why_of(error)}): the export is "
                f"damaged or was changed; 'curate verify {self.path}' tells all that is wrong"
            ) from error
        return image if self.transform is None else self.transform(image)

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

    def stream(
        self,
        *,
        shuffle: int = 0,
        weights: npt.ArrayLike | None = None,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        batch_size: int | None = None,
        uneven: Uneven = "drop",
    ) -> FrameStream:
        """The same frames as an iterable dataset: the same number on all ranks, shuffled, with a place to go on from.

        Args:
            shuffle: Frames of a window that is shuffled, after blocks of frames that lie together were put in random
                order; 0 keeps the order. A window takes 8 bytes a frame in each worker, and no pictures; ``len(self)``
                shuffles all.
            weights: Draw frames with replacement in proportion, ``len(self)`` in an epoch: `sampling_weights`, or
                others.
            seed: Of the order; `FrameStream.set_epoch` gives another one each epoch.
            rank: Number of this process in distributed training.
            world: Number of processes.
            batch_size: That of the ``DataLoader``: workers then get whole batches, so that ``len(loader)`` is true, and
                the batches are the same for any number of workers.
            uneven: Where ``world`` does not divide the frames: ``drop`` leaves out up to ``world`` - 1 of them, others
                in each epoch if shuffled; ``pad`` gives as many twice.

        Raises:
            CurateError: There is no frame for each rank.
            ValueError: An argument is out of its range, or both ``shuffle`` and ``weights`` are given.
        """
        return FrameStream(
            self,
            shuffle=shuffle,
            weights=weights,
            seed=seed,
            rank=rank,
            world=world,
            batch_size=batch_size,
            uneven=uneven,
        )
