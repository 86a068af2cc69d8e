"""Tars and entry tables as DINOv2's and DINOv3's ``ImageNet22k`` reads them.

For each split a root ``{split}`` with one tar a class, and a folder ``{split}-extra`` with ``entries.npy`` and
``class-ids.npy``. The reader maps the tars into memory, cuts ``start_offset:end_offset`` out of the class's tar and
skips the 512 bytes of the header (dinov2/data/datasets/image_net_22k.py); what follows the JPEG up to the next header
is zeros, which decoders ignore.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from curate.exports.disk.staging import CHUNK_BYTES
from curate.exports.disk.tar import BLOCK, TarWriter
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.tables import METADATA, FrameTable, frame_row, made_with, read_places
from curate.exports.plan.classes import class_names, class_of
from curate.exports.plan.plan import PlannedVideo

VERSION = 1
"""Raised when the bytes written for the same input change."""

READING = (
    "For DINOv2 and DINOv3: `train.dataset_path=ImageNet22k:root=path/to/{split}:extra=path/to/{split}-extra`. One tar "
    "a procedure; `class_index` in `entries.npy` is its place in `class-ids.npy`. All metadata is in "
    "`metadata.parquet`, one row an entry in the same order."
)


def write_dinov2(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write the tars of every split with their entries.

    Args:
        dataset: What to write.
        folder: Existing folder of the export.

    Returns:
        Nothing to add to ``export.json``.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """
    classes = class_names(dataset.plan)
    with FrameTable(folder / METADATA, made_with(dataset), dataset.staging) as table:
        for split, videos in dataset.plan.splits().items():
            (folder / split).mkdir(exist_ok=True)
            by_class: dict[str, list[PlannedVideo]] = defaultdict(list)
            for video in videos:
                by_class[class_of(video)].append(video)
            for class_id in sorted(by_class):
                _write_tar(dataset, by_class[class_id], f"{split}/{class_id}.tar", folder, table)
    _write_entries(dataset, classes, folder)
    return {}


def _write_tar(dataset: Dataset, videos: list[PlannedVideo], name: str, folder: Path, table: FrameTable) -> None:
    """Write the tar of a class, or go on with it after its last chunk."""
    finished = dataset.staging.of(name)
    path = folder / name
    with TarWriter(path, finished[-1].facts["size"] if finished else 0) as tar:
        begin = tar.size
        for frame, jpeg in dataset.pictures(videos, skip=dataset.staging.frames(name)):
            offset = tar.add(f"{frame.key}.jpg", jpeg)
            table.add(frame_row(frame, dataset.renderer), file=name, offset=offset, size=len(jpeg))
            dataset.staging.checksums.growing(path, tar.size)
            if tar.size - begin >= CHUNK_BYTES:
                tar.flush()
                table.chunk(name, [path], size=tar.size)
                begin = tar.size
        tar.flush()
        table.chunk(name, [path], size=tar.size)


def _write_entries(dataset: Dataset, classes: list[str], folder: Path) -> None:
    """Write the entries of every split and the names of the classes, by ``metadata.parquet``."""
    index = {name: i for i, name in enumerate(classes)}
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
