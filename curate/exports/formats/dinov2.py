"""Tars and entry tables as DINOv2's and DINOv3's ``ImageNet22k`` reads them.

For each split a root ``{split}`` with one tar a class, and a folder ``{split}-extra`` with ``entries.npy`` and
``class-ids.npy``. The reader maps the tars into memory, cuts ``start_offset:end_offset`` out of the class's tar and
skips the 512 bytes of the header (dinov2/data/datasets/image_net_22k.py); what follows the JPEG up to the next header
is zeros, which decoders ignore.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from curate.config import ExportOptions
from curate.exports.disk.previous import Offer
from curate.exports.disk.tar import BLOCK, TarWriter
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.finished import FinishedShard
from curate.exports.formats.joining import StagedPictures, joined
from curate.exports.formats.making import Making
from curate.exports.formats.tables import (
    METADATA,
    ROWS,
    RowsFile,
    made_with,
    read_batches,
    read_places,
    with_place,
    write_frame_table,
)
from curate.exports.formats.taking import take_joined
from curate.exports.plan.plan import Plan, PlannedVideo
from curate.exports.plan.shards import PORTION, Shard, by_class

VERSION = 2
"""Raised when the bytes written for the same input change."""

READING = (
    "For DINOv2 and DINOv3: `train.dataset_path=ImageNet22k:root=path/to/{split}:extra=path/to/{split}-extra`. One tar "
    "a procedure; `class_index` in `entries.npy` is its place in `class-ids.npy`. All metadata is in "
    "`metadata.parquet`, one row an entry in the same order."
)


_TAR = "0.tar"


def shards(plan: Plan, options: ExportOptions) -> list[Shard]:
    """Shards of some thousand pictures of one class."""
    return by_class(plan, PORTION)


def write_tar(making: Making) -> dict[str, Any]:
    """Write the tar of a class, and its rows.

    Args:
        making: What to write; it joins the shards of the class.

    Returns:
        Nothing to keep.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
        DamagedArtefact: The frames are not the ones that were sampled.
    """
    name = f"{making.job.shard.part}.tar"
    with RowsFile(making.folder) as rows, TarWriter(making.folder / _TAR) as tar, StagedPictures() as pictures:
        for group in joined(making):
            offsets = []
            for place in group.places:
                offsets.append(tar.add(f"{place.key}.jpg", pictures.read(place)))
                making.tick()
            rows.add_batch(with_place(group.batch, file=[name] * len(offsets), offset=offsets))
    making.summed[_TAR] = tar.facts()
    return {}


def take_tar(making: Making, offer: Offer) -> None:
    """Take over the tar of a class, and its rows.

    Raises:
        Refused: They are not as they were written, or not what is wanted.
        BadArtefact: They cannot be read.
    """
    take_joined(making, offer, f"{making.job.shard.part}.tar", _TAR)


def holds_tar(finished: FinishedShard) -> bool:
    """Whether what is staged of a class is what `write_tar` would leave."""
    return finished.has_files(ROWS, _TAR) and finished.has_rows([f"{finished.job.shard.part}.tar"])


def assemble(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Put the tars into the export, and write their entries and the table of frames.

    Args:
        dataset: With a shard a class.
        folder: Of the export.

    Returns:
        Nothing to add to ``export.json``.
    """
    for made in dataset.shards:
        dataset.place(made, _TAR, folder, f"{made.shard.part}.tar")
    rows = (batch for made in dataset.shards for batch in read_batches(made.folder))
    write_frame_table(folder / METADATA, rows, made_with(dataset.context))
    _write_entries(dataset, folder)
    return {}


def _write_entries(dataset: Dataset, folder: Path) -> None:
    """Write the entries of every split and the names of the classes, by ``metadata.parquet``."""
    index, classes = dataset.labels, list(dataset.labels)
    rows = read_places(folder / METADATA, ("key", "file", "offset", "size"))
    for split, videos in dataset.plan.splits().items():
        extra = folder / f"{split}-extra"
        extra.mkdir(exist_ok=True)
        np.save(extra / "class-ids.npy", np.array(classes))
        count = sum(video.frames for video in videos)
        entries = np.lib.format.open_memmap(
            extra / "entries.npy", mode="w+", dtype=_entry_type(videos, classes), shape=(count,)
        )
        for row, (key, file, offset, size) in enumerate(itertools.islice(rows, count)):
            class_id = Path(file).stem
            entries[row] = (index[class_id], class_id, offset - BLOCK, offset + size + -size % BLOCK, f"{key}.jpg")
        entries.flush()


def _entry_type(videos: list[PlannedVideo], classes: list[str]) -> np.dtype[Any]:
    """Type of an entry; upstream's offsets of 32 bits would end at 4 GiB a tar."""
    longest = max(len(video.id) for video in videos) + len("_.jpg") + len(str(2**31))
    return np.dtype(
        [
            ("class_index", "<u4"),
            ("class_id", f"<U{max(map(len, classes))}"),
            ("start_offset", "<u8"),
            ("end_offset", "<u8"),
            ("filename", f"<U{longest}"),
        ]
    )
