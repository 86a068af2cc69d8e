"""``frames/{id}.parquet``: the sampled frames of a video, one JPEG a row.

Row groups are small, so that no more than some 16 MB of pictures is ever held.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.errors import BadArtefact
from curate.files.parquet import RowWriter, count_rows, open_parquet, read_errors, read_rows, require_columns
from curate.workspace.tables.schemas import frame_schema

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROWS_A_GROUP = 100
"""Most frames in one row group: some 15 MB of 720p JPEGs."""

BYTES_A_GROUP = 16 << 20
"""JPEG bytes after which a row group is closed early, to bound the memory of writers and readers."""


class FrameSize(NamedTuple):
    """What a row tells of a frame beside its picture.

    Attributes:
        n: Number of the sample.
        timestamp: Seconds from the start of the video.
        width: Pixels.
        height: Pixels.
    """

    n: int
    timestamp: float
    width: int
    height: int


class Frame(NamedTuple):
    """A sampled frame: its number, its time in seconds, and its JPEG."""

    n: int
    timestamp: float
    jpeg: bytes


class FrameGroup:
    """One row group: what its rows tell and its pictures, each when it is asked for.

    Reading either raises `BadArtefact` where the file is damaged.
    """

    def __init__(self, path: Path, file: pq.ParquetFile, index: int) -> None:
        self._path, self._file, self._index = path, file, index

    @cached_property
    def rows(self) -> list[FrameSize]:
        """What the rows tell beside the pictures."""
        table = self._read(FrameSize._fields)
        lists = [table.column(name).to_pylist() for name in FrameSize._fields]
        return [FrameSize(*row) for row in zip(*lists, strict=True)]

    def jpegs(self) -> pa.ChunkedArray:
        """The pictures, in the order of `rows`; read anew at each call and not kept."""
        return self._read(["image"]).column(0)

    def _read(self, columns: Sequence[str]) -> pa.Table:
        with read_errors(self._path):
            return self._file.read_row_group(self._index, columns=list(columns), use_threads=False)


def read_source_rate(path: Path) -> Fraction | None:
    """Average frame rate of the video that the frames of a table were sampled from; ``None`` where it does not tell.

    Raises:
        BadArtefact: The table cannot be read.
    """
    with open_parquet(path) as file:
        told = (file.metadata.metadata or {}).get(b"source_fps", b"")
    try:
        rate = Fraction(told.decode())
    except (ValueError, ZeroDivisionError):
        return None
    return rate if rate > 0 else None


def read_frame_groups(path: Path) -> Iterator[FrameGroup]:
    """The row groups of a table of frames, one at a time.

    Raises:
        BadArtefact: The table cannot be read.
    """
    with open_parquet(path) as file:
        require_columns(path, file, [*FrameSize._fields, "image"])
        for index in range(file.num_row_groups):
            yield FrameGroup(path, file, index)


def read_frames(path: Path, wanted: Collection[int] | None = None) -> Iterator[Frame]:
    """Frames in order, with their pictures, which are read one at a time; see `Pictures`.

    Args:
        path: The table.
        wanted: Numbers of the frames; all if ``None``. No other pictures are read.

    Raises:
        BadArtefact: The table cannot be read.
    """
    for index, group in enumerate(read_frame_groups(path)):
        pictures = Pictures(path, index)
        for i, row in enumerate(group.rows):
            if wanted is None or row.n in wanted:
                yield Frame(row.n, row.timestamp, pictures.get(i))


def read_frame_sizes(path: Path) -> Iterator[FrameSize]:
    """What the rows tell beside the pictures, in order.

    Raises:
        BadArtefact: The table cannot be read.
    """
    return (FrameSize(*row) for row in read_rows(path, FrameSize._fields))


def count_frames(path: Path) -> int:
    """Rows of a table of frames.

    Raises:
        BadArtefact: The table cannot be read or lacks a column.
    """
    return count_rows(path, frame_schema().names)


class Pictures:
    """The pictures of one row group, each read when it is asked for, by any thread.

    They are read one at a time from where they lie in the file; of a file that is laid out in another way than
    `FrameWriter` has it, those of the whole group are read and held. All methods raise `BadArtefact` where the file
    is damaged.

    Args:
        path: The table.
        index: Of the row group.
    """

    def __init__(self, path: Path, index: int) -> None:
        self._path, self._index = path, index
        self._lock = threading.Lock()
        self._opened: _InPlace | _Held | None = None

    def size(self, row: int) -> int:
        """Bytes of the picture of a row of the group."""
        return self._open().size(row)

    def place(self, row: int) -> int | None:
        """Offset in the file of the picture of a row; ``None`` if it does not lie there as it is."""
        return self._open().place(row)

    def get(self, row: int) -> bytes:
        """The picture of a row of the group."""
        return self._open().get(row)

    def read_into(self, row: int, target: memoryview) -> None:
        """Put the picture of a row into a buffer of its `size`."""
        self._open().read_into(row, target)

    def _open(self) -> _InPlace | _Held:
        with self._lock:
            if self._opened is None:
                self._opened = self._locate()
            return self._opened

    def _locate(self) -> _InPlace | _Held:
        from curate.files.parquet_pages import locate

        with open_parquet(self._path) as file:
            column = file.schema_arrow.get_field_index("image")
            chunk, levels = file.metadata.row_group(self._index).column(column), file.schema.column(column)
            if chunk.path_in_schema == "image":
                descriptor = os.open(self._path, os.O_RDONLY)
                weakref.finalize(self, os.close, descriptor)
                if places := locate(descriptor, chunk, levels.max_definition_level):
                    return _InPlace(self._path, descriptor, *(numbers.tolist() for numbers in places))
            return _Held(self._path, FrameGroup(self._path, file, self._index).jpegs())


class _InPlace(NamedTuple):
    """Pictures that are read from where they lie."""

    path: Path
    descriptor: int
    offsets: Sequence[int]
    sizes: Sequence[int]

    def size(self, row: int) -> int:
        return self.sizes[row]

    def place(self, row: int) -> int | None:
        return self.offsets[row]

    def get(self, row: int) -> bytes:
        with read_errors(self.path):
            picture = os.pread(self.descriptor, self.sizes[row], self.offsets[row])
        self._hold(row, len(picture))
        return picture

    def read_into(self, row: int, target: memoryview) -> None:
        with read_errors(self.path):
            count = os.preadv(self.descriptor, [target], self.offsets[row])
        self._hold(row, count)

    def _hold(self, row: int, count: int) -> None:
        if count != self.sizes[row]:
            raise BadArtefact(self.path, "it ends within a picture")


class _Held(NamedTuple):
    """Pictures that were read."""

    path: Path
    pictures: pa.ChunkedArray

    def size(self, row: int) -> int:
        return len(self._buffer(row))

    def place(self, row: int) -> int | None:
        return None

    def get(self, row: int) -> bytes:
        return bytes(self._buffer(row))

    def read_into(self, row: int, target: memoryview) -> None:
        target[:] = self._buffer(row)

    def _buffer(self, row: int) -> memoryview:
        held = self.pictures[row].as_buffer()
        if held is None:
            raise BadArtefact(self.path, f"row {row} of a row group has no picture")
        return memoryview(held).cast("B")


def picture_bytes(path: Path) -> list[tuple[int, int]]:
    """Rows of each row group, and the bytes that its pictures take; only the footer is read.

    Raises:
        BadArtefact: The table cannot be read or lacks a column.
    """
    with open_parquet(path) as file:
        require_columns(path, file, ["image"])
        groups = [file.metadata.row_group(index) for index in range(file.num_row_groups)]
        column = file.schema_arrow.get_field_index("image")
        return [(group.num_rows, group.column(column).total_compressed_size) for group in groups]


class FrameWriter:
    """Writes a table of frames as they come; a context manager.

    Pictures are not compressed again, and a page index lets readers fetch single rows.

    Args:
        path: File to write, under a temporary name.
    """

    def __init__(self, path: Path) -> None:
        self.frames = 0
        self._size = 0
        self._writer = RowWriter(
            path,
            frame_schema(),
            rows_a_group=ROWS_A_GROUP,
            compression="NONE",
            use_dictionary=False,
            write_statistics=["n", "timestamp"],
            write_page_index=True,
        )

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._writer.__exit__(*exception)

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row of `frame_schema`."""
        self.frames += 1
        self._size += len(row["image"])
        self._writer.add(row)
        if self.frames % ROWS_A_GROUP == 0 or self._size >= BYTES_A_GROUP:
            self._writer.end_group()
            self._size = 0

    def add_metadata(self, metadata: Mapping[str, str]) -> None:
        """Add what is known of how the frames came about."""
        self._writer.end_group()
        self._writer.add_metadata(metadata)
