"""What the splits of a data set share: its lists are held against one another.

A split leaks into another if both have the same list, the same file, pieces of one video as the names tell, the same
picture, or pictures that look alike. Names tell little where they fit no pattern (`curate.corpus.names`), and pictures
are compared only where the files are there; so no leak found is no proof that there is none, and the report says what
it went by.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from curate.corpus.lists import Listed, ListSet
from curate.corpus.names import PATTERNS, source_of
from curate.corpus.splits import protection
from curate.errors import why_of
from curate.files.digest import file_sha256

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

KINDS = ("list", "file", "source", "picture", "alike")
"""The same list; the same file; pieces of one video; the same bytes; pictures that look alike."""

COLUMNS = ("set", "kind", "splits", "key", "split", "name", "origin")
"""Columns of the table of entries."""

_ROOT = re.compile(r"^(?:__[A-Z_]+__|\$\{?\w+\}?|\.)/+")
"""What stands for the folder of the data in published lists."""


@dataclass(frozen=True)
class AuditOptions:
    """How lists are held against one another.

    Attributes:
        patterns: What names tell; see `curate.corpus.names.source_of`.
        roots: Folders in which the files of the lists may lie, beside that of the list.
        pictures: Whether files that are there are compared.
        alike: Bits of 256 in which the hashes of pictures may differ that count as alike; 0 compares bytes only.
    """

    patterns: Sequence[re.Pattern[str]] = PATTERNS
    roots: tuple[Path, ...] = ()
    pictures: bool = True
    alike: int = 24


class Shared(NamedTuple):
    """What two splits of a set share, of one kind.

    Attributes:
        set: Name of the set.
        kind: One of `KINDS`.
        one: A split.
        other: Another one, that is better protected.
        keys: Lists, files, videos or pictures that are in both.
        entries_one: Entries of ``one`` that have one of them.
        entries_other: Entries of ``other`` that have one of them.
        examples: Some of the keys.
    """

    set: str
    kind: str
    one: str
    other: str
    keys: int
    entries_one: int
    entries_other: int
    examples: tuple[str, ...]


class Leaking(NamedTuple):
    """An entry that shares something with an entry of another split; fields as in `COLUMNS`."""

    set: str
    kind: str
    splits: str
    key: str
    split: str
    name: str
    origin: str


@dataclass(frozen=True)
class SetReport:
    """What one set shares among its splits.

    Attributes:
        name: Of the set.
        entries: Entries by split, train first.
        unjudged: Entries whose names tell no video.
        pictures: Entries whose files were found and compared.
        unreadable: Files that were found and could not be read, with why.
        shared: What pairs of splits share; empty if nothing was found.
    """

    name: str
    entries: Mapping[str, int]
    unjudged: int
    pictures: int
    unreadable: Mapping[str, str]
    shared: tuple[Shared, ...]


def audit(one_set: ListSet, options: AuditOptions, note: Callable[[Leaking], None] = lambda entry: None) -> SetReport:
    """Hold the splits of a set against one another.

    The lists are read twice, and no more of them is held than a number for each file, video and picture.

    Args:
        one_set: Its lists.
        options: What to go by.
        note: Told of every entry that shares something with another split.

    Raises:
        CurateError: A list cannot be read.
    """
    finder = _Finder(one_set, options)
    return finder.report(note)


class _Finder:
    """One call of `audit`."""

    def __init__(self, one_set: ListSet, options: AuditOptions) -> None:
        self._set = one_set
        self._options = options
        self._bits: dict[str, int] = {}
        self._entries: Counter[str] = Counter()
        self._masks: dict[str, dict[int, int]] = {kind: defaultdict(int) for kind in KINDS[1:-1]}
        self._alike: dict[int, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._sha: dict[int, int] = {}
        self._unreadable: dict[str, str] = {}
        self._unjudged = self._pictures = 0
        self._sums: Counter[str] = Counter()
        self._names: dict[int, str] = {}

    def report(self, note: Callable[[Leaking], None]) -> SetReport:
        sizes: Counter[int] = Counter()
        for entry in self._set:
            self._entries[entry.split] += 1
            bit = self._bits.setdefault(entry.split, 1 << len(self._bits))
            name = _plain(entry.name)
            self._sums[entry.split] += _number(name)
            self._masks["file"][_number(name)] |= bit
            if source := source_of(entry.name, self._options.patterns):
                self._masks["source"][_number(source)] |= bit
            self._unjudged += not source
            if (path := self._file(entry)) is not None:
                sizes[path.stat().st_size] += 1
        if sizes:
            self._read_pictures(sizes)
            self._look_at_pictures()
        order = {split: self._entries[split] for split in sorted(self._entries, key=protection, reverse=True)}
        shared = [*self._same_lists(list(order), note), *self._pairs(note)]
        return SetReport(self._set.name, order, self._unjudged, self._pictures, self._unreadable, tuple(shared))

    def _file(self, entry: Listed) -> Path | None:
        """The file of an entry, if it is there."""
        if not self._options.pictures or entry.path is None:
            return None
        name = _plain(entry.name)
        places = [entry.path, *(root / name for root in self._options.roots)]
        return next((path for path in places if path.is_file()), None)

    def _read_pictures(self, sizes: Mapping[int, int]) -> None:
        """Note which splits have which bytes; a file whose size no other has is the same as none and not read."""
        for entry in self._set:
            path = self._file(entry)
            if path is None:
                continue
            self._pictures += 1
            try:
                if sizes[path.stat().st_size] > 1:
                    number = int(file_sha256(path)[:15], 16)
                    self._sha[_number(str(path))] = number
                    self._masks["picture"][number] |= self._bits[entry.split]
            except OSError as error:
                self._unreadable[entry.origin] = why_of(error)

    def _look_at_pictures(self) -> None:
        """Note for each picture the most alike one of each other split, and by how many bits they differ."""
        if not self._options.alike:
            return
        from curate.corpus.alike import PictureHashes

        hashes = PictureHashes()
        splits: list[str] = []
        same: list[int] = []
        for number, entry in enumerate(self._set):
            splits.append(entry.split)
            path = self._file(entry)
            same.append(self._sha.get(_number(str(path)), -number - 1))
            if path is not None and path.suffix.lower() in PICTURE_ENDINGS:
                try:
                    hashes.add(number, self._bits[entry.split], path)
                except (OSError, ValueError) as error:
                    self._unreadable[entry.origin] = why_of(error)
        for pair in hashes.pairs(self._options.alike):
            if same[pair.one] == same[pair.other]:
                continue
            known = self._alike[pair.one]
            found = known.get(splits[pair.other])
            if found is None or pair.bits < found[1]:
                known[splits[pair.other]] = pair.other, pair.bits
        wanted = {other for known in self._alike.values() for other, _ in known.values()}
        self._names = {number: entry.name for number, entry in enumerate(self._set) if number in wanted}

    def _same_lists(self, splits: Sequence[str], note: Callable[[Leaking], None]) -> Iterator[Shared]:
        """Splits whose lists have the same entries, in whatever order."""
        for one, other in itertools.combinations(splits, 2):
            if self._entries[one] == self._entries[other] and self._sums[one] == self._sums[other]:
                key = f"{one} = {other}"
                note(Leaking(self._set.name, "list", f"{one}-{other}", key, "", "", ""))
                yield Shared(self._set.name, "list", one, other, 1, self._entries[one], self._entries[other], (key,))

    def _pairs(self, note: Callable[[Leaking], None]) -> Iterator[Shared]:
        found: dict[tuple[str, str, str], _Count] = defaultdict(_Count)
        splits = sorted(self._bits, key=protection, reverse=True)
        for place, entry in enumerate(self._set):
            for kind, key, number, split in self._shared(place, entry, splits):
                one, other = sorted((entry.split, split), key=protection, reverse=True)
                found[kind, one, other].add(key, number, is_one=entry.split == one)
                note(Leaking(self._set.name, kind, f"{one}-{other}", key, entry.split, entry.name, entry.origin))
        for kind, (one, other) in itertools.product(KINDS, itertools.combinations(splits, 2)):
            if count := found.get((kind, one, other)):
                examples = tuple(count.examples)
                yield Shared(self._set.name, kind, one, other, len(count.keys), count.one, count.other, examples)

    def _shared(self, place: int, entry: Listed, splits: Sequence[str]) -> Iterator[tuple[str, str, int, str]]:
        """What an entry shares: kind, key in words, number of the key, and the other split."""
        for kind, key, number in self._keys(entry):
            mask = self._masks[kind].get(number, 0)
            for split in splits:
                if split != entry.split and mask & self._bits[split]:
                    yield kind, key, number, split
        for split, (other, bits) in self._alike.get(place, {}).items():
            yield "alike", f"{bits} bits from {self._names[other]}", min(place, other), split

    def _keys(self, entry: Listed) -> Iterator[tuple[str, str, int]]:
        """What an entry may share: kind, key in words, and its number."""
        name = _plain(entry.name)
        yield "file", name, _number(name)
        if source := source_of(entry.name, self._options.patterns):
            yield "source", source, _number(source)
        if self._sha and (path := self._file(entry)) is not None and (number := self._sha.get(_number(str(path)))):
            yield "picture", f"sha256 {number:015x}", number


class _Count:
    """What one pair of splits shares."""

    def __init__(self) -> None:
        self.keys: set[int] = set()
        self.examples: list[str] = []
        self.one = self.other = 0

    def add(self, key: str, number: int, *, is_one: bool) -> None:
        if number not in self.keys:
            self.keys.add(number)
            if len(self.examples) < 3:
                self.examples.append(key)
        self.one += is_one
        self.other += not is_one


def _plain(name: str) -> str:
    """A listed name without what stands for the folder of the data."""
    return PurePosixPath(_ROOT.sub("", name.replace("\\", "/"))).as_posix()


def _number(text: str) -> int:
    """A number of 60 bits that stands for a text."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 4
