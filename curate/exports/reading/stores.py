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
import pyarrow.parquet as pq

from curate.errors import CurateError
from curate.exports.disk.folder import RECORD, is_inner, load_record
from curate.exports.formats.tables import METADATA
from curate.exports.formats.video_files import VIDEO_FORMATS
from curate.exports.reading.lmdb_file import check_length
from curate.files.parquet import open_parquet, read_columns

_BLOCK = 256
"""Pictures of a block where the format has no blocks of its own."""

_OPEN_FILES = 64
_CACHED_GROUPS = 4


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
        """Start without handles, and without closing those of the parent."""


class _SidecarStore(FrameStore):
    """A store whose metadata is in ``metadata.parquet``."""

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Metadata in the order of the pictures."""
        path = self.folder / METADATA
        return read_columns(path, columns, filters=[("split", "=", self.split)]).combine_chunks()


class RangeStore(_SidecarStore):
    """Pictures that are byte ranges of files: WebDataset, folders, DINOv2 tars."""

    def _reset(self) -> None:
        self._files: OrderedDict[str, int] = OrderedDict()

    @cached_property
    def _places(self) -> tuple[pa.Array, np.ndarray, np.ndarray]:
        table = self.table(["file", "offset", "size"])
        names = table.column("file").combine_chunks()
        return names, table.column("offset").to_numpy(), table.column("size").to_numpy()

    def jpeg(self, index: int) -> bytes:
        """The stored JPEG."""
        self._forget_other_process()
        names, offsets, sizes = self._places
        return os.pread(self._open(names[index].as_py()), int(sizes[index]), int(offsets[index]))

    def _open(self, name: str) -> int:
        if name in self._files:
            self._files.move_to_end(name)
        else:
            if len(self._files) == _OPEN_FILES:
                os.close(self._files.popitem(last=False)[1])
            if not is_inner(name):
                raise ValueError(f"{self.folder} names the file {name!r}, which leads out of the export")
            self._files[name] = os.open(self.folder / name, os.O_RDONLY | os.O_NOFOLLOW)
        return self._files[name]


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

    A row group is read whole, and the last few are kept: read along `blocks`, not at random.
    """

    def _reset(self) -> None:
        self._files: dict[int, pq.ParquetFile] = {}
        self._groups: OrderedDict[int, pa.ChunkedArray] = OrderedDict()

    @property
    def shards(self) -> list[Path]:
        """Files of the split, in order."""
        return sorted((self.folder / "data").glob(f"{self.split}-?????-of-?????.parquet"))

    @cached_property
    def _layout(self) -> tuple[list[Path], list[tuple[int, int]], list[int]]:
        """Shards, (shard, row group) of every block, and index of every block's first picture with the total last."""
        shards, groups, starts = self.shards, [], [0]
        for i, path in enumerate(shards):
            with open_parquet(path) as file:
                metadata = file.metadata
            for group in range(metadata.num_row_groups):
                groups.append((i, group))
                starts.append(starts[-1] + metadata.row_group(group).num_rows)
        return shards, groups, starts

    def blocks(self) -> list[range]:
        """The row groups."""
        return [range(a, b) for a, b in itertools.pairwise(self._layout[2])]

    def jpeg(self, index: int) -> bytes:
        """The stored JPEG."""
        self._forget_other_process()
        starts = self._layout[2]
        block = bisect.bisect_right(starts, index) - 1
        picture: bytes = self._group(block)[index - starts[block]].as_py()
        return picture

    def _group(self, block: int) -> pa.ChunkedArray:
        if block in self._groups:
            self._groups.move_to_end(block)
            return self._groups[block]
        shards, groups, _ = self._layout
        shard, group = groups[block]
        if shard not in self._files:
            self._files[shard] = pq.ParquetFile(shards[shard], memory_map=True)
        table = self._files[shard].read_row_group(group, columns=["image.bytes"], use_threads=False)
        if len(self._groups) == _CACHED_GROUPS:
            self._groups.popitem(last=False)
        self._groups[block] = pa.chunked_array([c.field("bytes") for c in table.column(0).chunks])
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
        why = f"its {RECORD} {error}" if isinstance(error, ValueError) else f"it has no readable {RECORD}"
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
