"""WebDataset tars with the index files of timm and open_clip.

A sample is the run of members that share the name up to the first dot: ``{key}.jpg``, ``{key}.json`` with all
metadata, ``{key}.cls`` with the class index in ASCII and ``{key}.txt`` with a caption in UTF-8, without which open_clip
passes a sample over. ``_info.json`` is what timm's reader looks for, ``sizes.json`` what open_clip's does;
``classes.txt`` names the classes, one a line in order of their index.

The reader of ``datasets`` skips members that begin with ``__``, in silence, as some ids of YouTube do. The name of such
a sample begins with ``=``, which no id does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.config import ExportOptions
from curate.corpus.classes import class_of
from curate.exports.disk.previous import Offer
from curate.exports.disk.tar import BLOCK, TarWriter
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.finished import FinishedShard
from curate.exports.formats.making import Making
from curate.exports.formats.tables import (
    METADATA,
    ROWS,
    RowsFile,
    frame_row,
    made_with,
    read_batches,
    with_place,
    write_frame_table,
)
from curate.exports.formats.taking import take_shard
from curate.exports.plan.classes import CLASSES, classes_text
from curate.exports.plan.plan import Plan, PlannedVideo
from curate.exports.plan.shards import Shard, by_split

VERSION = 3
"""Raised when the bytes written for the same input change."""

_BESIDE = 5_000
"""Bytes that a sample takes beside its picture, about: headers, metadata, padding."""

_SUFFIX = ".tar"

READING = (
    "Tars with `{{key}}.jpg`, `{{key}}.json` (metadata), `{{key}}.cls` (index into `classes.txt`) and `{{key}}.txt` "
    "(a caption: title and procedures). A key that begins with `__` has a `=` before it. `_info.json` is for timm, "
    "`sizes.json` for open_clip.\n\n"
    "```python\n"
    "import glob\n\n"
    "import webdataset as wds\n\n"
    'dataset = wds.WebDataset(sorted(glob.glob("{split}-*.tar")), shardshuffle=100).shuffle(5000)\n'
    'dataset = dataset.decode("pil").to_tuple("jpg", "json")\n'
    "```\n\n"
    'timm: `timm.data.create_dataset("wds/", root="path/to/this/folder", split="{split}")`.'
)


def sample_key(key: str) -> str:
    """Name of the sample of a frame, by its key."""
    return f"={key}" if key.startswith("__") else key


def caption(video: PlannedVideo) -> str:
    """What a frame shows, in words: title and procedures of its video, as far as there are any."""
    procedures = ", ".join(name.replace("_", " ") for name in dict.fromkeys(video.procedures))
    title = " ".join(video.title.split())
    if title and procedures:
        return f"{title} ({procedures})"
    return title or procedures or "surgery"


def shards(plan: Plan, options: ExportOptions) -> list[Shard]:
    """A shard a tar."""
    return by_split(plan, options.webdataset.shard_size * 1_000_000, beside=_BESIDE, readers=options.readers)


def write_shard(making: Making) -> dict[str, Any]:
    """Write the tar of a shard, ``0.tar``; more of them if it would get too large.

    Args:
        making: What to write.

    Returns:
        Nothing to keep.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """
    labels = making.job.labels
    with RowsFile(making.folder) as rows, _Tars(making) as tars:
        for frame, jpeg in making.pictures():
            row = frame_row(frame, making.renderer)
            text = json.dumps(row, sort_keys=True, ensure_ascii=False).encode()
            label = str(labels[class_of(frame.video)]).encode()
            members = {"jpg": jpeg, "json": text, "cls": label, "txt": caption(frame.video).encode()}
            name, offset = tars.add(sample_key(frame.key), members)
            rows.add(row, file=name, offset=offset, size=len(jpeg))
    return {}


def take_tars(making: Making, offer: Offer) -> None:
    """Take over the tars of a shard, and its rows.

    Raises:
        Refused: They are not as they were written, or not what is wanted.
        BadArtefact: They cannot be read.
    """
    take_shard(making, offer, lambda number: f"{number}{_SUFFIX}")


def holds(finished: FinishedShard) -> bool:
    """Whether a shard that is staged is one that `write_shard` would leave."""
    tars = finished.numbered(_SUFFIX, ROWS)
    return bool(tars) and finished.has_rows(tars)


def assemble(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Give the tars their names, and write the indexes.

    Args:
        dataset: With its shards.
        folder: Of the export.

    Returns:
        Nothing to add to ``export.json``.
    """
    lengths: dict[str, dict[str, int]] = {split: {} for split in dataset.plan.splits()}
    names: dict[Path, dict[str, str]] = {made.folder: {} for made in dataset.shards}
    for split, own in lengths.items():
        for made in dataset.of(split):
            for name in made.numbered(_SUFFIX):
                final = f"{split}-{len(own):06d}.tar"
                dataset.place(made, name, folder, final)
                names[made.folder][name] = final
                own[final] = 0

    def rows() -> Iterator[pa.RecordBatch]:
        for made in dataset.shards:
            final = names[made.folder]
            for batch in read_batches(made.folder):
                files = [final[name] for name in batch.column("file").to_pylist()]
                for name in files:
                    lengths[made.shard.part][name] += 1
                yield with_place(batch, file=files)

    write_frame_table(folder / METADATA, rows(), made_with(dataset.context))
    _write_json(folder / "_info.json", {"splits": {split: _split_info(split, lengths[split]) for split in lengths}})
    _write_json(folder / "sizes.json", {name: count for files in lengths.values() for name, count in files.items()})
    (folder / CLASSES).write_text(classes_text(dataset.labels), encoding="utf-8")
    return {}


def _split_info(split: str, lengths: dict[str, int]) -> dict[str, Any]:
    return {
        "name": split,
        "num_samples": sum(lengths.values()),
        "filenames": list(lengths),
        "shard_lengths": list(lengths.values()),
    }


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="ascii")


class _Tars:
    """Writes samples to tars of a bounded size; a context manager."""

    def __init__(self, making: Making) -> None:
        self._making = making
        self._limit = making.job.options.webdataset.shard_size * 1_000_000
        self._tar: TarWriter | None = None
        self._begun = 0

    def __enter__(self) -> _Tars:
        return self

    def __exit__(self, *error: Any) -> None:
        self._finish(*error)

    @property
    def _name(self) -> str:
        """Of the tar that was begun last."""
        return f"{self._begun - 1}{_SUFFIX}"

    def add(self, key: str, members: dict[str, bytes]) -> tuple[str, int]:
        """Append a sample; returns the tar's name and the offset of the first member's data."""
        size = sum(BLOCK + len(data) + -len(data) % BLOCK for data in members.values())
        if self._tar is not None and self._tar.size + size + 20 * BLOCK > self._limit:
            self._finish(None, None, None)
        if self._tar is None:
            self._begun += 1
            self._tar = TarWriter(self._making.folder / self._name)
        offsets = [self._tar.add(f"{key}.{extension}", data) for extension, data in members.items()]
        return self._name, offsets[0]

    def _finish(self, *error: Any) -> None:
        if self._tar is not None:
            tar, self._tar = self._tar, None
            tar.__exit__(*error)
            self._making.summed[self._name] = tar.facts()
