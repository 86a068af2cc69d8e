"""Finding out whether a tree of files still mentions something: in its names, links, bytes and compressed columns."""

from __future__ import annotations

import functools
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curate.errors import BadArtefact, why_of
from curate.files.ahead import map_ahead
from curate.files.machine import worker_threads
from curate.files.parquet import open_parquet

_CHUNK = 4 << 20
_SMALL = 256 << 10
"""Bytes below which a file is searched in the thread at hand."""

_FEW = 1 << 20
"""Bytes times ids, in all their encodings, below which ids are looked for one by one."""

_ENCODINGS = (("utf-8", 1), ("utf-16-le", 2), ("utf-32-le", 4))
"""With their bytes a character; UTF-32 is what NumPy's string arrays hold."""

_MOST_PAIRS = 4
"""Pairs of bytes that are looked up before bytes are compared."""

_LONGEST = 80
"""Characters of a word that are looked at on either side of an id: an id has 64 at most, the number of a frame ten."""

SHORT = 5
"""Letters below which an id may stand among the bytes of pictures by chance: four stand somewhere in 256^4 bytes, which
is 4 GB, five in 1 TB."""

_MOST_WORDS = 1000
"""Words of a file that are kept of an id with fewer letters than `SHORT`."""

_WORD = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Mention:
    """A place that mentions an id.

    Attributes:
        path: The file, folder or link.
        video: The id.
        where: ``name``, ``link``, ``bytes at N``, ``column C``, or ``unreadable: why`` with an empty id. Of several
            places in a file, or values of a column, the first.
        words: The words of letters, digits, ``_`` and ``-`` that hold the id there.
    """

    path: Path
    video: str
    where: str
    words: frozenset[str] = frozenset()

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
    look = functools.partial(_look_at, videos=wanted, finder=_Finder(wanted))
    places = (path for path in _walk(root) if path not in skip)
    threads = worker_threads()
    mentions: list[Mention] = []
    files = size = 0
    for found in map_ahead(look, places, threads=threads, most=4 * threads, at_once=_is_small):
        mentions += found.mentions
        files += found.files
        size += found.size
    return Search(tuple(mentions), files, size)


def _look_at(path: Path, videos: Sequence[str], finder: _Finder) -> Search:
    """What a search sees of one file, folder or link."""
    mentions = _in_text(path, "name", path.name, videos)
    if path.is_symlink():
        mentions += _in_text(path, "link", str(path.readlink()), videos)
    elif path.is_file():
        size = path.stat().st_size
        try:
            mentions += _in_bytes(path, finder)
            if path.suffix == ".parquet":
                mentions += _in_columns(path, videos)
        except OSError as error:
            mentions.append(Mention(path, "", f"unreadable: {why_of(error)}"))
        return Search(tuple(mentions), 1, size)
    return Search(tuple(mentions), 0, 0)


def _is_small(path: Path) -> bool:
    """Whether a file is read before a thread would have been given it."""
    return path.is_symlink() or not path.is_file() or path.stat().st_size < _SMALL


def words_with(video: str, text: str) -> frozenset[str]:
    """The words of letters, digits, ``_`` and ``-`` in a text that hold an id."""
    return frozenset(word for word in _WORD.findall(text) if video in word)


def _in_text(path: Path, where: str, text: str, videos: Sequence[str]) -> list[Mention]:
    return [Mention(path, video, where, words_with(video, text)) for video in videos if video in text]


def _walk(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        names.sort()
        yield from (Path(folder) / name for name in sorted([*names, *files]))


@dataclass(frozen=True)
class _Needle:
    """An id as bytes, with the bytes a character takes."""

    data: bytes
    video: str
    width: int

    def word(self, window: bytes, place: int) -> str:
        """The word of which the id, which stands at ``place``, is a part."""
        reach = _LONGEST * self.width
        start = place - min(place // self.width * self.width, reach)
        before = _text(window[start:place], self.width)
        after = _text(window[place + len(self.data) : place + len(self.data) + reach], self.width)
        left, right = _LEFT.search(before), _WORD.match(after)
        return (left.group() if left else "") + self.video + (right.group() if right else "")


_LEFT = re.compile(r"[A-Za-z0-9_-]+$")


def _text(data: bytes, width: int) -> str:
    """Characters of bytes; what is no character of a word becomes ``\N{REPLACEMENT CHARACTER}``."""
    if width == 1:
        return data.decode("ascii", "replace")
    return data[: len(data) // width * width].decode("utf-16-le" if width == 2 else "utf-32-le", "replace")


class _Finder:
    """Finds ids among bytes in a time that hardly depends on how many there are.

    A few ids in a small window are looked for one by one, which is quicker there. Else every second place of a window
    is looked up in tables of byte pairs, first for the even places, then for the odd ones; what starts like an id is
    compared in full.
    """

    def __init__(self, videos: Sequence[str]) -> None:
        needles = [_Needle(video.encode(name), video, width) for video in videos for name, width in _ENCODINGS]
        self.margin = _LONGEST * max(width for _, width in _ENCODINGS)
        self.longest = max((len(needle.data) for needle in needles), default=0)
        self._pairs = max(1, min((len(needle.data) // 2 for needle in needles), default=1))
        self._pairs = min(self._pairs, _MOST_PAIRS)
        self._tables = np.zeros((self._pairs, 1 << 16), bool)
        self._by_start: dict[bytes, list[_Needle]] = defaultdict(list)
        self._needles = needles
        self._single = [needle for needle in needles if len(needle.data) == 1]
        for needle in needles:
            if len(needle.data) > 1:
                self._tables[np.arange(self._pairs), np.frombuffer(needle.data, "<u2", self._pairs)] = True
                self._by_start[needle.data[: 2 * self._pairs]].append(needle)

    def places(self, window: bytes) -> Iterator[tuple[int, _Needle]]:
        """Every place at which an id stands."""
        few = len(window) * len(self._needles) < _FEW
        for needle in self._needles if few else self._single:
            place = window.find(needle.data)
            while place >= 0:
                yield place, needle
                place = window.find(needle.data, place + 1)
        if few:
            return
        for shift in (0, 1):
            if len(window) < shift + 2:
                return
            pairs = np.frombuffer(window, "<u2", (len(window) - shift) // 2, shift)
            found = np.flatnonzero(self._tables[0][pairs])
            for i, table in enumerate(self._tables[1:], 1):
                found = found[found + i < len(pairs)]
                found = found[table[pairs[found + i]]]
            for place in (2 * found + shift).tolist():
                for needle in self._by_start.get(window[place : place + 2 * self._pairs], ()):
                    if window.startswith(needle.data, place):
                        yield place, needle


def _in_bytes(path: Path, finder: _Finder) -> Iterator[Mention]:
    """First place of each id among the bytes of a file, which is read in pieces that overlap, and its words."""
    first: dict[str, int] = {}
    words: dict[str, set[str]] = defaultdict(set)
    with open(path, "rb") as stream:
        window, start = b"", 0
        while True:
            chunk = stream.read(_CHUNK)
            window += chunk
            # What is near an end of the window is looked at with what stands beyond it: in this window or the next.
            low = finder.margin if start else 0
            high = len(window) - finder.margin - finder.longest if chunk else len(window)
            for place, needle in finder.places(window):
                if low <= place < high:
                    first[needle.video] = min(first.get(needle.video, start + place), start + place)
                    if len(needle.video) >= SHORT or len(words[needle.video]) < _MOST_WORDS:
                        words[needle.video].add(needle.word(window, place))
            if not chunk:
                break
            kept = min(len(window), 2 * finder.margin + finder.longest)
            start += len(window) - kept
            window = window[len(window) - kept :]
    for video, place in sorted(first.items(), key=lambda found: found[1]):
        yield Mention(path, video, f"bytes at {place}", frozenset(words[video]))


def _in_columns(path: Path, videos: Sequence[str]) -> Iterator[Mention]:
    """Ids in the text columns of a Parquet file."""
    try:
        with open_parquet(path) as file:
            columns = [file.schema.column(i) for i in range(len(file.schema))]
            names = [column.path for column in columns if column.logical_type.type == "STRING"]
            for name in names:
                left = list(videos)
                for group in range(file.num_row_groups):
                    text = "\n".join(_values(file.read_row_group(group, columns=[name], use_threads=False).column(0)))
                    for video in [video for video in left if video in text]:
                        left.remove(video)
                        yield Mention(path, video, f"column {name}", words_with(video, text))
    except BadArtefact as error:
        yield Mention(path, "", f"unreadable: {error.why}")


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
