"""Reading exports back: random access to the pictures of one split, whatever the format.

A store may be made in one process and used in others, forked or spawned: files are opened on first use in each
process, and none travels in a pickle.
"""

from __future__ import annotations

import bisect
import itertools
import os
import weakref
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pyarrow as pa

from curate.errors import CurateError, why_of
from curate.exports.disk.folder import RECORD, load_record
from curate.exports.formats.tables import METADATA
from curate.exports.formats.video_files import VIDEO_FORMATS
from curate.exports.reading.lmdb_file import check_length
from curate.exports.reading.open_files import OpenFiles
from curate.files.parquet import open_parquet, read_columns
from curate.files.parquet_pages import Places, locate

_BLOCK = 256
"""Pictures of a block where the format has no blocks of its own."""

_CACHED_GROUPS = 4

_BYTES = "image.bytes"
"""Column of the pictures."""


class FrameStore(ABC):
    """Pictures and metadata of one split, by index from 0.

    Args:
        folder: Folder of the export.
        split: Name of the split.
        count: Number of pictures.
    """

    def __init__(self, folder: Path, split: str, count: int) -> None:
        self.folder, self.split, self._count = folder, split, count
        self._owner = os.getpid()
        self._reset()

    def __len__(self) -> int:
        return self._count

    def __getstate__(self) -> dict[str, Any]:
        """Where the export is, without anything that was opened or read."""
        return {"folder": self.folder, "split": self.split, "_count": self._count}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _owner=os.getpid())
        self._reset()

    @abstractmethod
    def jpeg(self, index: int) -> bytes:
        """The stored JPEG; see `channel_order`."""

    @abstractmethod
    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Metadata in the order of the pictures, one chunk a column.

        Args:
            columns: Names of columns; all if ``None``.
        """

    @property
    def channel_order(self) -> str:
        """``rgb``, or ``bgr`` where the stored JPEGs have R and B exchanged."""
        return "rgb"

    def blocks(self) -> list[range]:
        """Ranges of pictures that lie together and are best read in one go."""
        return [range(i, min(i + _BLOCK, self._count)) for i in range(0, self._count, _BLOCK)]

    def _forget_other_process(self) -> None:
        """Drop handles that were opened before a fork: two processes must not share them."""
        if self._owner != os.getpid():
            self._owner = os.getpid()
            self._reset()

    @abstractmethod
    def _reset(self) -> None:
        """Start without handles; those of the parent stay open there."""


class _SidecarStore(FrameStore):
    """A store whose metadata is in ``metadata.parquet``."""

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Metadata in the order of the pictures."""
        path = self.folder / METADATA
        return read_columns(path, columns, filters=[("split", "=", self.split)]).combine_chunks()


class RangeStore(_SidecarStore):
    """Pictures that are byte ranges of files: WebDataset, folders, DINOv2 tars."""

    def _reset(self) -> None:
        self._files = OpenFiles(self.folder)

    @cached_property
    def _places(self) -> tuple[pa.DictionaryArray, np.ndarray, np.ndarray]:
        table = self.table(["file", "offset", "size"])
        names = table.column("file").combine_chunks().dictionary_encode()
        return names, table.column("offset").to_numpy(), table.column("size").to_numpy()

    def jpeg(self, index: int) -> bytes:
        """The stored JPEG.

        Raises:
            OSError: The file cannot be read.
            ValueError: Its name leads out of the export.
        """
        self._forget_other_process()
        names, offsets, sizes = self._places
        return self._files.read(names[index].as_py(), int(offsets[index]), int(sizes[index]))


class LmdbStore(_SidecarStore):
    """Pictures in an LMDB environment."""

    def __init__(self, folder: Path, split: str, count: int, channel_order: str) -> None:
        super().__init__(folder, split, count)
        self._channel_order = channel_order

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_channel_order": self._channel_order}

    @property
    def channel_order(self) -> str:
        """``rgb`` or ``bgr``."""
        return self._channel_order

    def _reset(self) -> None:
        self._environment: lmdb.Environment | None = None

    @cached_property
    def _keys(self) -> pa.Array:
        return self.table(["key"]).column("key").combine_chunks()

    def environment(self) -> lmdb.Environment:
        """The environment, open for reading in this process.

        Raises:
            BadArtefact: Its file is cut short.
        """
        self._forget_other_process()
        if self._environment is None:
            self._environment = _open_environment(self.folder / f"{self.split}.lmdb")
        return self._environment

    def jpeg(self, index: int) -> bytes:
        """The stored JPEG.

        Raises:
            KeyError: The environment lacks a key that ``metadata.parquet`` has.
        """
        key = self._keys[index].as_py()
        with self.environment().begin() as transaction:
            value = transaction.get(key.encode())
        if value is None:
            raise KeyError(f"{self.folder / self.split}.lmdb has no key {key}")
        return bytes(value)


_environments: weakref.WeakValueDictionary[tuple[int, int, int], lmdb.Environment] = weakref.WeakValueDictionary()
"""Environments in use, by process, device and inode: LMDB refuses to open one twice in a process."""


def _open_environment(path: Path) -> lmdb.Environment:
    check_length(path / "data.mdb")
    status = (path / "data.mdb").stat()
    place = (os.getpid(), status.st_dev, status.st_ino)
    environment = _environments.get(place)
    if environment is None:
        environment = lmdb.open(str(path), readonly=True, lock=False, readahead=False, meminit=False)
        _environments[place] = environment
    return environment


class ParquetStore(FrameStore):
    """Pictures in the row groups of Parquet shards.

    Pictures that are stored plain, as curate stores them, are read one by one. Of any other file the row group is read
    whole, and the last few are kept: read it along `blocks`, not at random.
    """

    def _reset(self) -> None:
        self._files = OpenFiles(self.folder)
        self._places: dict[int, Places | None] = {}
        self._groups: OrderedDict[int, pa.Array] = OrderedDict()

    @property
    def shards(self) -> list[Path]:
        """Files of the split, in order."""
        return sorted((self.folder / "data").glob(f"{self.split}-?????-of-?????.parquet"))

    @cached_property
    def _layout(self) -> tuple[list[tuple[Path, int]], list[int]]:
        """(shard, row group) of every block, and index of every block's first picture with the total last."""
        groups, starts = [], [0]
        for path in self.shards:
            with open_parquet(path) as file:
                metadata = file.metadata
            for group in range(metadata.num_row_groups):
                groups.append((path, group))
                starts.append(starts[-1] + metadata.row_group(group).num_rows)
        return groups, starts

    def blocks(self) -> list[range]:
        """The row groups."""
        return [range(a, b) for a, b in itertools.pairwise(self._layout[1])]

    def jpeg(self, index: int) -> bytes:
        """The stored JPEG.

        Raises:
            BadArtefact: The file cannot be read.
            OSError: Nor can it be opened.
        """
        self._forget_other_process()
        groups, starts = self._layout
        block = bisect.bisect_right(starts, index) - 1
        path, _ = groups[block]
        if block not in self._places:
            self._locate(path)
        places = self._places[block]
        if places is None:
            picture: bytes = self._group(block)[index - starts[block]].as_py()
            return picture
        offsets, sizes = places
        row = index - starts[block]
        return self._files.read(self._inner(path), int(offsets[row]), int(sizes[row]))

    def _locate(self, path: Path) -> None:
        """Find the pictures of all row groups of a shard."""
        groups, _ = self._layout
        descriptor = self._files.open(self._inner(path))
        with open_parquet(path) as file:
            columns = [file.schema.column(i) for i in range(len(file.schema))]
            number = next(i for i, column in enumerate(columns) if column.path == _BYTES)
            levels = columns[number].max_definition_level
            for block, (shard, group) in enumerate(groups):
                if shard == path:
                    chunk = file.metadata.row_group(group).column(number)
                    self._places[block] = locate(descriptor, chunk, levels)

    def _inner(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _group(self, block: int) -> pa.Array:
        if block in self._groups:
            self._groups.move_to_end(block)
            return self._groups[block]
        path, group = self._layout[0][block]
        with open_parquet(path) as file:
            table = file.read_row_group(group, columns=[_BYTES], use_threads=False)
        if len(self._groups) == _CACHED_GROUPS:
            self._groups.popitem(last=False)
        self._groups[block] = table.column(0).combine_chunks().field("bytes")
        return self._groups[block]

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Metadata in the order of the pictures; the image column is never read."""
        tables = []
        for path in self.shards:
            with open_parquet(path) as file:
                names = [name for name in file.schema_arrow.names if name != "image"] if columns is None else columns
                tables.append(file.read(columns=list(names), use_threads=False))
        return pa.concat_tables(tables).combine_chunks()


def open_record(folder: Path) -> dict[str, Any]:
    """Read the record of an export.

    Raises:
        CurateError: The folder is not an export.
    """
    try:
        return load_record(folder)
    except (OSError, ValueError) as error:
        why = f"its {RECORD} {why_of(error)}" if isinstance(error, ValueError) else f"it has no readable {RECORD}"
        formats = [path.parent.name for path in sorted(folder.glob(f"*/{RECORD}"))] if folder.is_dir() else []
        hint = f"; it holds the exports {', '.join(formats)}: name one of them" if formats else ""
        raise CurateError(f"{folder} is not an export: {why}{hint}") from error


def open_store(folder: Path, split: str) -> FrameStore:
    """Open one split of an export of any format.

    Raises:
        CurateError: The folder is not an export, holds videos, or has no such split.
    """
    record = open_record(folder)
    if record["format"] in VIDEO_FORMATS:
        raise CurateError(
            f"{folder} holds videos, not pictures: read them with PyAV, decord or torchcodec as its README.md says, or "
            "export to lmdb, webdataset or another format of pictures"
        )
    splits = record["counts"]["splits"]
    if split not in splits:
        raise CurateError(f"{folder} has no split {split!r}; it has {', '.join(splits)}")
    count = splits[split]["frames"]
    if record["format"] == "parquet":
        return ParquetStore(folder, split, count)
    if "channel_order" in record:
        return LmdbStore(folder, split, count, record["channel_order"])
    return RangeStore(folder, split, count)
