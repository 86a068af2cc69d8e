"""WebDataset tars with the index files of timm and open_clip.

A sample is the run of members that share the name up to the first dot: ``{key}.jpg``, ``{key}.json`` with all
metadata and ``{key}.cls`` with the class index in ASCII. ``_info.json`` is what timm's reader looks for,
``sizes.json`` what open_clip's does; ``classes.txt`` names the classes, one a line in order of their index.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from curate.exports.disk.staging import Staging
from curate.exports.disk.tar import BLOCK, TarWriter
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.tables import METADATA, FrameTable, frame_row, made_with
from curate.exports.plan.classes import class_names, class_of

VERSION = 1
"""Raised when the bytes written for the same input change."""

READING = (
    "Tars with `{{key}}.jpg`, `{{key}}.json` (all metadata) and `{{key}}.cls` (index into `classes.txt`). `_info.json` "
    "is for timm, `sizes.json` for open_clip.\n\n"
    "```python\n"
    "import glob\n\n"
    "import webdataset as wds\n\n"
    'dataset = wds.WebDataset(sorted(glob.glob("{split}-*.tar")), shardshuffle=100).shuffle(5000)\n'
    'dataset = dataset.decode("pil").to_tuple("jpg", "json")\n'
    "```\n\n"
    'timm: `timm.data.create_dataset("wds/", root="path/to/this/folder", split="{split}")`.'
)


def write_webdataset(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write the tars of every split and their indexes.

    Args:
        dataset: What to write.
        folder: Existing folder of the export.

    Returns:
        Nothing to add to ``export.json``.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """
    classes = class_names(dataset.plan)
    index = {name: i for i, name in enumerate(classes)}
    limit = dataset.options.webdataset.shard_size * 1_000_000
    with FrameTable(folder / METADATA, made_with(dataset), dataset.staging) as table:
        for split, videos in dataset.plan.splits().items():
            with _Shards(folder, split, limit, table, dataset.staging) as shards:
                for frame, jpeg in dataset.pictures(videos, skip=dataset.staging.frames(split)):
                    row = frame_row(frame, dataset.renderer)
                    text = json.dumps(row, sort_keys=True, ensure_ascii=False).encode()
                    label = str(index[class_of(frame.video)]).encode()
                    name, offset = shards.add(frame.key, {"jpg": jpeg, "json": text, "cls": label})
                    table.add(row, file=name, offset=offset, size=len(jpeg))
    lengths = {
        split: {chunk.facts["file"]: chunk.frames for chunk in dataset.staging.of(split)}
        for split in dataset.plan.splits()
    }
    _write_json(folder / "_info.json", {"splits": {split: _split_info(split, lengths[split]) for split in lengths}})
    _write_json(folder / "sizes.json", {name: count for files in lengths.values() for name, count in files.items()})
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in classes), encoding="ascii")
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


class _Shards:
    """Writes samples to tars of a bounded size, each of which is a chunk."""

    def __init__(self, folder: Path, split: str, limit: int, table: FrameTable, staging: Staging) -> None:
        self._folder, self._split, self._limit, self._table, self._staging = folder, split, limit, table, staging
        self._count = len(staging.of(split))
        self._name, self._path = "", folder
        self._tar: TarWriter | None = None

    def __enter__(self) -> _Shards:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._finish()
        elif self._tar is not None:
            self._tar.__exit__(kind, None, None)

    def add(self, key: str, members: dict[str, bytes]) -> tuple[str, int]:
        """Append a sample; returns the tar's name and the offset of the first member's data."""
        size = sum(BLOCK + len(data) + -len(data) % BLOCK for data in members.values())
        if self._tar is not None and self._tar.size + size + 20 * BLOCK > self._limit:
            self._finish()
        if self._tar is None:
            self._name = f"{self._split}-{self._count:06d}.tar"
            self._path = self._folder / self._name
            self._tar = TarWriter(self._path)
            self._count += 1
        tar = self._tar
        offsets = [tar.add(f"{key}.{extension}", data) for extension, data in members.items()]
        self._staging.checksums.growing(self._path, tar.size)
        return self._name, offsets[0]

    def _finish(self) -> None:
        if self._tar is not None:
            self._tar.__exit__(None, None, None)
            self._tar = None
            self._table.chunk(self._split, [self._path], file=self._name)
