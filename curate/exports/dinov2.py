"""Tars and entry tables as DINOv2's and DINOv3's ``ImageNet22k`` reads them.

For each split a root ``{split}`` with one tar a class, and a folder ``{split}-extra`` with ``entries.npy`` and
``class-ids.npy``. The reader maps the tars into memory, cuts ``start_offset:end_offset`` out of the class's tar and
skips the 512 bytes of the header (dinov2/data/datasets/image_net_22k.py); what follows the JPEG up to the next header
is zeros, which decoders ignore.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from curate.exports.classes import class_names, class_of
from curate.exports.dataset import Dataset
from curate.exports.plan import PlannedVideo
from curate.exports.tables import FrameTable, frame_row, made_with
from curate.exports.tar import BLOCK, TarWriter

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
    with FrameTable(folder / "metadata.parquet", made_with(dataset)) as table:
        for split, videos in dataset.plan.splits().items():
            _write_split(dataset, split, videos, classes, folder, table)
    return {}


def _write_split(
    dataset: Dataset,
    split: str,
    videos: list[PlannedVideo],
    classes: list[str],
    folder: Path,
    table: FrameTable,
) -> None:
    (folder / split).mkdir()
    extra = folder / f"{split}-extra"
    extra.mkdir()
    by_class: dict[str, list[PlannedVideo]] = defaultdict(list)
    for video in videos:
        by_class[class_of(video)].append(video)
    np.save(extra / "class-ids.npy", np.array(classes))
    entries = np.lib.format.open_memmap(
        extra / "entries.npy", mode="w+", dtype=_entry_type(videos, classes), shape=(sum(v.frames for v in videos),)
    )
    row = 0
    for class_id in sorted(by_class):
        name = f"{split}/{class_id}.tar"
        with TarWriter(folder / name) as tar:
            for frame, jpeg in dataset.pictures(by_class[class_id]):
                file = f"{frame.key}.jpg"
                offset = tar.add(file, jpeg)
                entries[row] = (classes.index(class_id), class_id, offset - BLOCK, tar.size, file)
                table.add(frame_row(frame, dataset.renderer), file=name, offset=offset, size=len(jpeg))
                row += 1
        dataset.on_file(folder / name)
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
