"""Parquet that Hugging Face ``datasets`` loads as PIL images with metadata columns.

Files ``data/{split}-00000-of-000NN.parquet``. The image column is not compressed (JPEGs do not shrink), row groups are
small enough to be read one at a time, and a page index lets readers fetch single rows.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.exports.disk.folder import link
from curate.exports.disk.output import OutputFile
from curate.exports.disk.staging import Chunk
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.tables import FRAME_SCHEMA, frame_row, made_with
from curate.exports.plan.plan import PlannedVideo
from curate.files.parquet import RowWriter

VERSION = 2
"""Raised when the bytes written for the same input change."""

READING = (
    "```python\n"
    "from datasets import load_dataset\n\n"
    'dataset = load_dataset("path/to/this/folder", split="{split}")\n'
    'dataset[0]["image"]  # a PIL image; every other column is metadata\n'
    "```"
)

GROUP_ROWS = 100
GROUP_BYTES = 64_000_000
"""A row group ends at whichever comes first; Hugging Face's viewer asks for at most 100 MB."""

_FOOTER = 2_000_000
"""Bytes set aside for a file's other columns and footer when its size is bounded; a quarter of small files."""

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write_parquet(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write the shards of every split.

    Args:
        dataset: What to write.
        folder: Existing folder of the export; gets ``data/``.

    Returns:
        Nothing to add to ``export.json``.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """
    data = folder / "data"
    data.mkdir(exist_ok=True)
    for split, videos in dataset.plan.splits().items():
        with _Shards(dataset, split) as shards:
            for table, size in _groups(dataset, videos, skip=dataset.staging.frames(split)):
                shards.write(table, size)
        for path, name in shards.names():
            link(path, data / name)
    return {}


def schema(dataset: Dataset) -> pa.Schema:
    """Schema of a shard: ``image`` and the columns of `FRAME_SCHEMA`, with the features that ``datasets`` looks for."""
    plain = pa.schema([pa.field("image", IMAGE), *FRAME_SCHEMA])
    features = {field.name: _feature(field.type) for field in plain}
    features["image"] = {"_type": "Image"}
    return plain.with_metadata(
        {
            "huggingface": json.dumps({"info": {"features": features}}, sort_keys=True),
            **made_with(dataset),
        }
    )


def _feature(kind: pa.DataType) -> Any:
    """A type as ``datasets`` writes it in JSON; lists as JSON lists, which every release reads."""
    if pa.types.is_list(kind):
        return [_feature(kind.value_type)]
    if pa.types.is_struct(kind):
        return {kind.field(i).name: _feature(kind.field(i).type) for i in range(kind.num_fields)}
    names = {"double": "float64", "float": "float32"}
    return {"dtype": names.get(str(kind), str(kind)), "_type": "Value"}


def _groups(dataset: Dataset, videos: list[PlannedVideo], skip: int) -> Iterator[tuple[pa.Table, int]]:
    """One row group after the other, with the size of its images in bytes."""
    kind = schema(dataset)
    limit = min(GROUP_BYTES, dataset.options.parquet.shard_size * 500_000)
    rows: list[dict[str, Any]] = []
    jpegs: list[bytes] = []
    size = 0
    for frame, jpeg in dataset.pictures(videos, skip=skip):
        if rows and (len(rows) == GROUP_ROWS or size + len(jpeg) > limit):
            yield _table(rows, jpegs, kind), size
            rows, jpegs, size = [], [], 0
        rows.append(frame_row(frame, dataset.renderer))
        jpegs.append(jpeg)
        size += len(jpeg)
    if rows:
        yield _table(rows, jpegs, kind), size


def _table(rows: list[dict[str, Any]], jpegs: list[bytes], kind: pa.Schema) -> pa.Table:
    """A row group; the pictures are handed over as one column, since dicts of them would be copied once more."""
    paths = pa.array([f"{row['key']}.jpg" for row in rows], pa.string())
    images = pa.StructArray.from_arrays([pa.array(jpegs, pa.binary()), paths], fields=list(IMAGE))
    others = pa.Table.from_pylist(rows, kind.remove(kind.get_field_index("image")))
    return pa.Table.from_arrays([images, *others.columns], schema=kind)


class _Shards:
    """Writes row groups to files of a bounded size, each of which is a chunk.

    They get their final names once their number is known.
    """

    def __init__(self, dataset: Dataset, split: str) -> None:
        self._staging, self._split, self._schema = dataset.staging, split, schema(dataset)
        self._limit = dataset.options.parquet.shard_size * 1_000_000
        self._writer: RowWriter | None = None
        self._file: OutputFile | None = None
        self._size = self._rows = 0

    def __enter__(self) -> _Shards:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._finish()
        elif self._writer is not None and self._file is not None:
            with contextlib.suppress(OSError):  # another error is on its way
                self._writer.close()
                self._file.close()

    def names(self) -> Iterator[tuple[Path, str]]:
        """The files with their final names."""
        count = len(self._staging.of(self._split))
        for i in range(count):
            yield self._path(i), f"{self._split}-{i:05d}-of-{count:05d}.parquet"

    def write(self, group: pa.Table, size: int) -> None:
        """Append a row group whose images take ``size`` bytes."""
        if self._writer is not None and self._size + size + min(_FOOTER, self._limit // 4) > self._limit:
            self._finish()
        if self._writer is None:
            self._writer = self._open()
        self._writer.add_group(group)
        self._size += size
        self._rows += group.num_rows
        self._staging.checksums.growing(self._path(len(self._staging.of(self._split))), self._size)

    def _path(self, number: int) -> Path:
        return self._staging.scratch / f"{self._split}-{number:05d}.parquet"

    def _open(self) -> RowWriter:
        self._size = self._rows = 0
        columns = _leaves(self._schema)
        pictures = {"image.bytes", "image.path"}
        self._file = OutputFile(self._path(len(self._staging.of(self._split))))
        return RowWriter(
            self._file,
            self._schema,
            compression={name: "none" if name in pictures else "zstd" for name in columns},
            use_dictionary=[name for name in columns if name not in pictures],
            write_statistics=[name for name in columns if name not in pictures],
            write_page_index=True,
            write_batch_size=8,
        )

    def _finish(self) -> None:
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.close()
            self._writer = None
            path = self._path(len(self._staging.of(self._split)))
            self._staging.finished(Chunk(self._split, self._rows), [path])


def _leaves(schema: pa.Schema) -> list[str]:
    """Paths of a schema's columns as Parquet names them."""

    def paths(prefix: str, kind: pa.DataType) -> Iterator[str]:
        if pa.types.is_list(kind):
            yield from paths(f"{prefix}.list.element", kind.value_type)
        elif pa.types.is_struct(kind):
            for i in range(kind.num_fields):
                yield from paths(f"{prefix}.{kind.field(i).name}", kind.field(i).type)
        else:
            yield prefix

    return [path for field in schema for path in paths(field.name, field.type)]
