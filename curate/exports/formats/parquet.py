"""Parquet that Hugging Face ``datasets`` loads as PIL images with metadata columns.

Files ``data/{split}-00000-of-000NN.parquet``. The image column is not compressed (JPEGs do not shrink), row groups are
small enough to be read one at a time, and so are pages, with an index, for readers that fetch single rows.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.config import ExportOptions
from curate.corpus.classes import class_of
from curate.exports.disk.output import OutputFile
from curate.exports.disk.previous import Offer, Refused
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.finished import FinishedShard
from curate.exports.formats.making import Job, Making
from curate.exports.formats.tables import FRAME_SCHEMA, frame_row, made_with
from curate.exports.formats.taking import check_videos, take_files
from curate.exports.pixels.frames import ExportFrame
from curate.exports.plan.plan import Plan
from curate.exports.plan.shards import Shard, by_split
from curate.files.ahead import ahead
from curate.files.parquet import RowWriter, open_parquet

VERSION = 5
"""Raised when the bytes written for the same input change."""

READING = (
    "```python\n"
    "from datasets import load_dataset\n\n"
    'dataset = load_dataset("path/to/this/folder", split="{split}")\n'
    'dataset[0]["image"]  # a PIL image; every other column is metadata\n'
    "```\n\n"
    "`label` is the number of the first procedure."
)

GROUP_ROWS = 100
GROUP_BYTES = 64_000_000
"""A row group ends at whichever comes first; Hugging Face's viewer asks for at most 100 MB."""

PAGE_BYTES = 1 << 16
"""A page ends with the picture that reaches it: most have one of their own, so whoever wants one row reads no other,
and what Arrow hands over page by page fits into the memory that the page before left."""

_FOOTER = 2_000_000
"""Bytes set aside for a file's other columns and footer when its size is bounded; a quarter of small files."""

_BESIDE = 100
"""Bytes that the other columns of a frame take, about."""

_SUFFIX = ".parquet"

LABEL = "label"
"""Column of the class; timm's reader of ``datasets`` looks for this name."""

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def shards(plan: Plan, options: ExportOptions) -> list[Shard]:
    """A shard a file."""
    return by_split(plan, _room(options), beside=_BESIDE, readers=options.readers)


def write_shard(making: Making) -> dict[str, Any]:
    """Write the file of a shard, ``0.parquet``; more of them if it would get too large.

    Args:
        making: What to write.

    Returns:
        Nothing to keep.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """
    with _Files(making) as files, contextlib.closing(ahead(_groups(making), 1)) as groups:
        for table, size in groups:
            files.write(table, size)
    return {}


def take_shard(making: Making, offer: Offer) -> None:
    """Take over the files of a shard, which hold its rows too.

    Raises:
        Refused: They are not as they were written, or not what is wanted.
        BadArtefact: They cannot be read.
    """
    names = take_files(making, offer, lambda number: f"{number}{_SUFFIX}")
    for path, name in names.items():
        if not _footer_of(making.folder / name, making.job)[1]:
            raise Refused(f"{path} has other columns")
    check_videos(making, names)


def holds(finished: FinishedShard) -> bool:
    """Whether a shard that is staged is one that `write_shard` would leave."""
    footers = [_footer_of(finished.folder / name, finished.job) for name in finished.numbered(_SUFFIX)]
    return sum(rows for rows, _ in footers) == finished.job.shard.frames and all(same for _, same in footers)


def _footer_of(path: Path, job: Job) -> tuple[int, bool]:
    """Number of rows of a file, and whether its columns and what it says of them are those of today."""
    wanted = schema(job.context, job.labels)
    with open_parquet(path) as file:
        found = file.schema_arrow
        return file.metadata.num_rows, found == wanted and found.metadata == wanted.metadata


def assemble(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Give the files their names, which tell their number.

    Args:
        dataset: With its shards.
        folder: Of the export; gets ``data/``.

    Returns:
        Nothing to add to ``export.json``.
    """
    for split in dataset.plan.splits():
        files = [(made, name) for made in dataset.of(split) for name in made.numbered(_SUFFIX)]
        for i, (made, name) in enumerate(files):
            dataset.place(made, name, folder, f"data/{split}-{i:05d}-of-{len(files):05d}.parquet")
    return {}


def _room(options: ExportOptions) -> int:
    """Bytes of pictures that a file may hold."""
    limit = options.parquet.shard_size * 1_000_000
    return limit - min(_FOOTER, limit // 4)


def schema(context: Mapping[str, str], classes: Iterable[str]) -> pa.Schema:
    """Schema of a shard, with the features that ``datasets`` looks for.

    Columns are ``image``, those of `FRAME_SCHEMA`, and ``label``, the number of the class.

    Args:
        context: Facts about how the frames were made.
        classes: Names of the classes, in the order of their numbers.
    """
    plain = pa.schema([pa.field("image", IMAGE), *FRAME_SCHEMA, pa.field(LABEL, pa.int64())])
    features = {field.name: _feature(field.type) for field in plain}
    features["image"] = {"_type": "Image"}
    features[LABEL] = {"names": list(classes), "_type": "ClassLabel"}
    return plain.with_metadata(
        {
            "huggingface": json.dumps({"info": {"features": features}}, sort_keys=True),
            **made_with(context),
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


def _groups(making: Making) -> Iterator[tuple[pa.Table, int]]:
    """One row group after the other, with the size of its images in bytes."""
    kind, labels = schema(making.job.context, making.job.labels), making.job.labels
    limit = min(GROUP_BYTES, making.job.options.parquet.shard_size * 500_000)
    rows: list[dict[str, Any]] = []
    pictures: list[_Picture] = []
    size = 0
    for frame, jpeg in making.encoded():
        picture = _Picture(frame, jpeg, frame.jpeg_size if jpeg is None else len(jpeg))
        if rows and (len(rows) == GROUP_ROWS or size + picture.size > limit):
            yield _table(rows, pictures, kind), size
            rows, pictures, size = [], [], 0
        rows.append(frame_row(frame, making.renderer) | {LABEL: labels[class_of(frame.video)]})
        pictures.append(picture)
        size += picture.size
    if rows:
        yield _table(rows, pictures, kind), size


class _Picture(NamedTuple):
    """A frame, its JPEG if it was made anew, and the size of that or of the sampled one."""

    frame: ExportFrame
    jpeg: bytes | None
    size: int


def _table(rows: list[dict[str, Any]], pictures: list[_Picture], kind: pa.Schema) -> pa.Table:
    """A row group; the pictures are handed over as one column, since dicts of them would be copied once more."""
    paths = pa.array([f"{row['key']}.jpg" for row in rows], pa.string())
    images = pa.StructArray.from_arrays([_column(pictures), paths], fields=list(IMAGE))
    others = pa.Table.from_pylist(rows, kind.remove(kind.get_field_index("image")))
    return pa.Table.from_arrays([images, *others.columns], schema=kind)


def _column(pictures: list[_Picture]) -> pa.Array:
    """Pictures as a column; those that are copied are read straight into it."""
    bounds = np.cumsum([0, *(picture.size for picture in pictures)], dtype=np.int32)
    data = pa.allocate_buffer(int(bounds[-1]))
    for (frame, jpeg, _), target in zip(pictures, _parts(memoryview(data).cast("B"), bounds), strict=True):
        if jpeg is None:
            frame.read_jpeg(target)
        else:
            target[:] = jpeg
    return pa.Array.from_buffers(pa.binary(), len(pictures), [None, pa.py_buffer(bounds), data])


def _parts(whole: memoryview, bounds: npt.NDArray[np.int32]) -> Iterator[memoryview]:
    return (whole[start:stop] for start, stop in itertools.pairwise(bounds.tolist()))


class _Files:
    """Writes row groups to files of a bounded size."""

    def __init__(self, making: Making) -> None:
        self._making, self._schema = making, schema(making.job.context, making.job.labels)
        self._room = _room(making.job.options)
        self._writer: RowWriter | None = None
        self._file: OutputFile | None = None
        self._size = self._count = 0

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._finish()
        elif self._writer is not None and self._file is not None:
            with contextlib.suppress(OSError):  # another error is on its way
                self._writer.close()
                self._file.close()

    def write(self, group: pa.Table, size: int) -> None:
        """Append a row group whose images take ``size`` bytes."""
        if self._writer is not None and self._size + size > self._room:
            self._finish()
        if self._writer is None:
            self._writer = self._open()
        self._writer.add_group(group)
        self._size += size

    def _open(self) -> RowWriter:
        self._size = 0
        columns = _leaves(self._schema)
        pictures = {"image.bytes", "image.path"}
        self._file = OutputFile(self._making.folder / f"{self._count}{_SUFFIX}")
        return RowWriter(
            self._file,
            self._schema,
            compression={name: "none" if name in pictures else "zstd" for name in columns},
            use_dictionary=[name for name in columns if name not in pictures],
            write_statistics=[name for name in columns if name not in pictures],
            write_page_index=True,
            data_page_size=PAGE_BYTES,
            write_batch_size=1,
        )

    def _finish(self) -> None:
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.close()
            self._making.summed[f"{self._count}{_SUFFIX}"] = self._file.facts()
            self._writer = None
            self._count += 1


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
