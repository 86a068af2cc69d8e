"""Finding out whether a tree of files still mentions something: in its names, links, bytes and compressed columns."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_CHUNK = 4 << 20
_ENCODINGS = ("utf-8", "utf-16-le", "utf-32-le")
"""UTF-32 is what NumPy's string arrays hold."""

_MOST_PAIRS = 4
"""Pairs of bytes that are looked up before bytes are compared."""


@dataclass(frozen=True)
class Mention:
    """A place that mentions an id.

    Attributes:
        path: The file, folder or link.
        video: The id.
        where: ``name``, ``link``, ``bytes at N``, ``column C``, or ``unreadable: why`` with an empty id.
    """

    path: Path
    video: str
    where: str

    def __str__(self) -> str:
        return f"{self.path}: {self.where}" + (f": {self.video}" if self.video else "")


@dataclass(frozen=True)
class Search:
    """What a search saw.

    Attributes:
        mentions: At most one for each place, id and kind of place.
        files: Files read from their first byte to their last.
        size: Bytes in them.
    """

    mentions: tuple[Mention, ...]
    files: int
    size: int


def search_tree(root: Path, videos: Collection[str], skip: Collection[Path] = ()) -> Search:
    """Look for ids in everything below a folder.

    Looked at are the names of files and folders below ``root``, the targets of links, which are not followed, every
    byte of every file, as UTF-8, UTF-16 and UTF-32, and the text columns of Parquet files, whose pages may be
    compressed.

    Args:
        root: The folder.
        videos: Ids to look for.
        skip: Files that may mention them.
    """
    wanted = sorted(videos)
    finder = _Finder(wanted)
    mentions: list[Mention] = []
    files = size = 0
    for path in _walk(root):
        if path in skip:
            continue
        mentions += [Mention(path, video, "name") for video in wanted if video in path.name]
        if path.is_symlink():
            mentions += [Mention(path, video, "link") for video in wanted if video in str(path.readlink())]
        elif path.is_file():
            files += 1
            size += path.stat().st_size
            try:
                mentions += _in_bytes(path, finder)
                if path.suffix == ".parquet":
                    mentions += _in_columns(path, wanted)
            except OSError as error:
                mentions.append(Mention(path, "", f"unreadable: {error}"))
    return Search(tuple(mentions), files, size)


def mentions_any(path: Path, videos: Sequence[str]) -> bool:
    """Whether the name or the bytes of a file mention any of some ids."""
    return any(video in path.name for video in videos) or any(True for _ in _in_bytes(path, _Finder(videos)))


def _walk(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        names.sort()
        yield from (Path(folder) / name for name in sorted([*names, *files]))


class _Finder:
    """Finds ids among bytes in a time that hardly depends on how many there are.

    Every second place of a window is looked up in tables of byte pairs, first for the even places, then for the odd
    ones; what starts like an id is compared in full.
    """

    def __init__(self, videos: Sequence[str]) -> None:
        needles = [(video.encode(name), video) for video in videos for name in _ENCODINGS]
        self.overlap = max((len(needle) for needle, _ in needles), default=1) - 1
        self._pairs = max(1, min((len(needle) // 2 for needle, _ in needles), default=1))
        self._pairs = min(self._pairs, _MOST_PAIRS)
        self._tables = np.zeros((self._pairs, 1 << 16), bool)
        self._by_start: dict[bytes, list[tuple[bytes, str]]] = defaultdict(list)
        self._single = [(needle, video) for needle, video in needles if len(needle) == 1]
        for needle, video in needles:
            if len(needle) > 1:
                self._tables[np.arange(self._pairs), np.frombuffer(needle, "<u2", self._pairs)] = True
                self._by_start[needle[: 2 * self._pairs]].append((needle, video))

    def places(self, window: bytes) -> Iterator[tuple[str, int]]:
        """Every place at which an id stands."""
        for needle, video in self._single:
            if (place := window.find(needle)) >= 0:
                yield video, place
        for shift in (0, 1):
            if len(window) < shift + 2:
                return
            pairs = np.frombuffer(window, "<u2", (len(window) - shift) // 2, shift)
            found = np.flatnonzero(self._tables[0][pairs])
            for i, table in enumerate(self._tables[1:], 1):
                found = found[found + i < len(pairs)]
                found = found[table[pairs[found + i]]]
            for place in (2 * found + shift).tolist():
                for needle, video in self._by_start.get(window[place : place + 2 * self._pairs], ()):
                    if window.startswith(needle, place):
                        yield video, place


def _in_bytes(path: Path, finder: _Finder) -> Iterator[Mention]:
    """First place of each id among the bytes of a file, which is read in overlapping pieces."""
    seen: set[str] = set()
    with open(path, "rb") as stream:
        tail, start = b"", 0
        while chunk := stream.read(_CHUNK):
            window = tail + chunk
            for video, place in sorted(finder.places(window), key=lambda found: found[1]):
                if video not in seen:
                    seen.add(video)
                    yield Mention(path, video, f"bytes at {start - len(tail) + place}")
            start += len(chunk)
            tail = window[-finder.overlap :] if finder.overlap else b""


def _in_columns(path: Path, videos: Sequence[str]) -> Iterator[Mention]:
    """Ids in the text columns of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = [file.schema.column(i) for i in range(len(file.schema))]
            names = [column.path for column in columns if column.logical_type.type == "STRING"]
            for name in names:
                left = list(videos)
                for group in range(file.num_row_groups):
                    text = "\n".join(_values(file.read_row_group(group, columns=[name]).column(0)))
                    for video in [video for video in left if video in text]:
                        left.remove(video)
                        yield Mention(path, video, f"column {name}")
    except pa.ArrowException as error:
        yield Mention(path, "", f"unreadable: {error}")


def _values(column: Any) -> list[str]:
    """Distinct texts of a column of texts, or of lists or structures with one field of texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    while True:
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], pa.string())
        kind = array.type
        if pa.types.is_dictionary(kind):
            array = array.dictionary
        elif pa.types.is_struct(kind):
            array = array.field(0)
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            array = array.flatten()
        else:
            return [value for value in pc.unique(array).to_pylist() if value]
