"""Files of LMDB, written from beginning to end: keys in order, pages full, nothing free.

The library puts a page where room happens to be, keeps what it replaced, and has to know the size of its map
beforehand; a file without such traces takes it a second copy. With the keys in order none of this is needed, and the
bytes follow from the keys and values alone. The format is that of LMDB 0.9 on little-endian machines of 64 bits
(``MDB_page``, ``MDB_node`` and ``MDB_meta`` in its ``mdb.c``), with pages of 4096 bytes whatever those of the machine
are; the library takes their size from the file.

Page 0 and 1 are metas, of which the second counts. Each value has pages of its own (overflow pages), behind one header.
A leaf tells for every key the first page of its value; a branch tells for every page below it the first key there.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

PAGE = 4096
"""Bytes of a page."""

LONGEST_KEY = 511
"""Bytes of a key, as the library is built by default."""

_METAS = 2
_NO_PAGE = 2**64 - 1
_META = struct.Struct("<QHHIIIQQIHHQQQQQIHHQQQQQQQ")
"""Header of a page; magic, version, address, bytes of the map; records of the free pages and of the keys; last page and
transaction."""

_PAGE_OF_VALUE = struct.Struct("<QHHI")
"""Number of the page, pad, flags, how many pages."""

_PAGE_OF_KEYS = struct.Struct("<QHHHH")
"""Number of the page, pad, flags, where its free space begins and ends."""

_NODE = struct.Struct("<IHH")
"""Of a leaf: bytes of the value, flags, bytes of the key. Of a branch: page in 48 bits, bytes of the key."""

_NUMBER = struct.Struct("<Q")
_BRANCH, _LEAF, _OVERFLOW, _META_PAGE = 1, 2, 4, 8
_ELSEWHERE = 1
"""Flag of a node whose value lies in overflow pages."""

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_INTEGER_KEYS = 8


class Shape(NamedTuple):
    """What the meta page tells.

    Attributes:
        depth: Levels of pages with keys.
        branches: Pages that lead to others.
        leaves: Pages that lead to values.
        overflow: Pages of values.
        entries: Keys.
        root: Number of the page where reading begins.
        pages: Of the whole file.
    """

    depth: int
    branches: int
    leaves: int
    overflow: int
    entries: int
    root: int
    pages: int

    def head(self) -> bytes:
        """The two meta pages."""
        nothing = (0, 0, 0, 0, 0, 0, 0, _NO_PAGE)
        keys = (0, 0, self.depth, self.branches, self.leaves, self.overflow, self.entries, self.root)
        return self._meta(0, nothing, _METAS) + self._meta(1, keys, self.pages)

    def _meta(self, number: int, keys: tuple[int, ...], pages: int) -> bytes:
        """A meta page; its number is that of its transaction, too."""
        head = (number, 0, _META_PAGE, 0, _MAGIC, _VERSION, 0, self.pages * PAGE)
        free = (PAGE, _INTEGER_KEYS, 0, 0, 0, 0, 0, _NO_PAGE)
        return _META.pack(*head, *free, *keys, pages - 1, number).ljust(PAGE, b"\0")


class _Page:
    """A page of keys that is being filled."""

    def __init__(self) -> None:
        self.nodes: list[tuple[bytes, int, int]] = []
        self._room = PAGE - _PAGE_OF_KEYS.size

    @property
    def first(self) -> bytes:
        """Its first key."""
        return self.nodes[0][0]

    def take(self, key: bytes, number: int, size: int, room: int) -> bool:
        """Take a node that needs ``room`` bytes, if it fits."""
        if room > self._room:
            return False
        self.nodes.append((key, number, size))
        self._room -= room
        return True

    def content(self, number: int, kind: int) -> bytes:
        """Its bytes: places of the nodes from the front, and the nodes from the back."""
        places, nodes, end = [], [], PAGE
        for index, (key, page, size) in enumerate(self.nodes):
            if kind == _LEAF:
                node = _NODE.pack(size, _ELSEWHERE, len(key)) + key + _NUMBER.pack(page)
            else:
                own = key if index else b""  # nobody asks for the first key of a branch
                node = _NODE.pack(page & 0xFFFFFFFF, page >> 32, len(own)) + own
            node += bytes(len(node) % 2)
            end -= len(node)
            places.append(end)
            nodes.append(node)
        begin = _PAGE_OF_KEYS.size + 2 * len(places)
        head = _PAGE_OF_KEYS.pack(number, 0, kind, begin, end) + struct.pack(f"<{len(places)}H", *places)
        return head + bytes(end - begin) + b"".join(reversed(nodes))


def _room(kind: int, key: bytes) -> int:
    """Bytes that a node takes in its page."""
    size = _NODE.size + len(key) + (_NUMBER.size if kind == _LEAF else 0)
    return 2 + size + size % 2


class KeyTree:
    """The pages of keys, made as keys come in their order; a page is held for each level.

    `Shape` has to stand at the beginning of a file and is known at its end, so keys are given to one tree that writes
    nothing, and to a second one that writes them between the values.

    Args:
        write: Takes what stands before the value of the key that is added: pages of keys, and the header of the value.
    """

    def __init__(self, write: Callable[[bytes], object] = lambda data: None) -> None:
        self._write = write
        self._levels = [_Page()]
        self._pages = _METAS
        self._branches = self._leaves = self._overflow = self._entries = 0
        self._last: bytes | None = None

    def add(self, key: bytes, size: int) -> None:
        """Write what stands before a value of ``size`` bytes, which the caller writes next, and `padding` after it.

        Raises:
            ValueError: The key is empty, too long, or not greater than the one before.
        """
        if not 0 < len(key) <= LONGEST_KEY or (self._last is not None and key <= self._last):
            raise ValueError(f"{key!r} is no key that may follow {self._last!r}")
        self._last = key
        if not self._levels[0].take(key, self._pages, size, _room(_LEAF, key)):
            self._close(0)
            self._levels[0].take(key, self._pages, size, _room(_LEAF, key))
        count = _value_pages(size)
        self._write(_PAGE_OF_VALUE.pack(self._pages, 0, _OVERFLOW, count))
        self._pages += count
        self._overflow += count
        self._entries += 1

    def finish(self) -> Shape:
        """Write the pages that are not full; what stands at the head of the file.

        Raises:
            ValueError: There is no key.
        """
        if not self._entries:
            raise ValueError("no keys")
        level = 0
        while level < len(self._levels) - 1:
            self._close(level)
            level += 1
        root = self._emit(level)
        counts = (self._branches, self._leaves, self._overflow, self._entries)
        return Shape(len(self._levels), *counts, root, self._pages)

    def _close(self, level: int) -> None:
        """Write the page of a level, and begin another one there."""
        first, number = self._levels[level].first, self._emit(level)
        self._levels[level] = _Page()
        if level + 1 == len(self._levels):
            self._levels.append(_Page())
        above = self._levels[level + 1]
        room = _room(_BRANCH, first)
        if not above.take(first, number, 0, room):
            last = above.nodes.pop()  # a branch with one page below it is none to the library
            self._close(level + 1)
            for key, page in (last[:2], (first, number)):
                self._levels[level + 1].take(key, page, 0, _room(_BRANCH, key))

    def _emit(self, level: int) -> int:
        number, self._pages = self._pages, self._pages + 1
        if level:
            self._branches += 1
        else:
            self._leaves += 1
        self._write(self._levels[level].content(number, _BRANCH if level else _LEAF))
        return number


def padding(size: int) -> bytes:
    """What fills the last page of a value."""
    return bytes(_value_pages(size) * PAGE - _PAGE_OF_VALUE.size - size)


def _value_pages(size: int) -> int:
    return -(-(_PAGE_OF_VALUE.size + size) // PAGE)
