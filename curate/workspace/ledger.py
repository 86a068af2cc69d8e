"""What happened to each (video, stage): append-only event files, one per writing process, united on read.

A line is written after the artefact it speaks of is durable, and tells its files' seals (`curate.workspace.seals`), so
that a file that was renamed into its place and whose line was never written is not taken for an older one. A process
killed while writing leaves at most a torn last line, which readers ignore.

Events of one (video, stage) are ordered by the number of the attempt, which is one more than the highest that was known
when the attempt began; whoever works on a video holds its shard and has read the ledger, so that no clock decides what
came last. Times order only what has the same number: the lines of a version of curate that did not count.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

from curate.files.atomic import open_own, sync_folder, unique_tag, write_atomic
from curate.files.bounded import lines_bounded, open_regular
from curate.files.collector import collector_paused
from curate.files.disk import naming
from curate.workspace.events import Event, events_of_block

log = logging.getLogger(__name__)

_LONGEST_LINE = 1_000_000
"""Bytes of a line, at most: a message of two thousand characters, every one escaped, is a tenth of it."""
_BLOCK = _LONGEST_LINE // 10
"""Bytes of lines that are read at once, and what the last of them may have beyond: small blocks stay in caches."""


class LedgerWriter:
    """Appends events to a file of its own, which is made at the first event. Close it at the end."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{unique_tag()}.jsonl"
        self._descriptor: int | None = None

    def _open(self) -> int:
        if self._descriptor is None:
            self._descriptor = open_own(self.path, os.O_RDWR | os.O_APPEND)
            sync_folder(self.path.parent)
        return self._descriptor

    def append(self, event: Event) -> None:
        """Write one event and flush it to disk.

        Raises:
            OSError: The disk is full or gone; the error names the file, and a partly written line is ended, so later
                lines stay readable.
        """
        descriptor = self._open()
        line = event.to_json().encode() + b"\n"
        with naming(self.path):
            if os.write(descriptor, line) != len(line):
                _end_torn_line(descriptor)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _end_torn_line(descriptor: int) -> None:
    """End a line that could not be written whole."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        os.write(descriptor, b"\n")


@dataclass(slots=True)
class Record:
    """What is known of one (video, stage).

    Attributes:
        last: The newest event.
        tries: Failures in a row up to and including the newest event that have its fingerprint and its reason, so that
            ten bot checks do not use up the tries of a broken connection.
        first_failure: Unix seconds of the first failure since the last success, 0.0 if there is none.
        made: The event that first told of the files as the newest success left them; one that was lost and was made
            again byte by byte is as old as it was, and so is a source that was moved. ``None`` before any success.
    """

    last: Event
    tries: int = 0
    first_failure: float = 0.0
    made: Event | None = None

    @classmethod
    def first(cls, event: Event) -> Record:
        """The record of a (video, stage) whose only event this is."""
        failed = event.outcome == "failed"
        made = event if event.outcome == "done" else None
        return cls(event, tries=int(failed), first_failure=event.time if failed else 0.0, made=made)

    def add(self, event: Event) -> None:
        """Take a newer event into account."""
        if event.outcome == "failed":
            last = self.last
            alike = (last.outcome, last.fingerprint, last.reason) == (event.outcome, event.fingerprint, event.reason)
            self.tries = self.tries + 1 if alike else 1
            self.first_failure = self.first_failure or event.time
        else:
            self.tries = 0
            if event.outcome != "reset":
                self.first_failure = 0.0
            if event.outcome == "done" and not _is_made_again(self.made, event):
                self.made = event
        self.last = event


def _is_made_again(made: Event | None, event: Event) -> bool:
    """Whether a success left the very files that one before it had left, or the same artefact from elsewhere."""
    if made is None:
        return False
    return (made.fingerprint, made.files) == (event.fingerprint, event.files) or event.same_as == made.identity != ""


def read_ledger(folder: Path) -> dict[tuple[str, str], Record]:
    """Unite all event files of a ledger.

    Args:
        folder: The ledger folder; files written at the same time by other processes may be there.

    Returns:
        The state of every (video id, stage name) that has an event. Lines that are not whole events are passed over;
        one sentence in the log counts them, but for torn ones, which every kill may leave.
    """
    return LedgerReader(folder).records()


class LedgerReader:
    """Reads a ledger, and later what was added to it since, which is all that another look costs.

    Args:
        folder: As for `read_ledger`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, tuple[int, int]] = {}
        self._records: dict[tuple[str, str], Record] = {}

    def start_over(self) -> None:
        """Have everything read again next time: what `records` gave was changed by whoever has it."""
        self._read, self._records = {}, {}

    def records(self) -> dict[tuple[str, str], Record]:
        """The state as of now, as from `read_ledger`; the same object each time, unless files went or were rewritten.

        Lines that are not whole yet are read once they are.
        """
        damaged: list[str] = []
        with collector_paused():
            found = self._places()
            if any(not _goes_on(read, found.get(path)) for path, read in self._read.items()):
                self.start_over()
            events = self._added(found, damaged)
            if self._records and any(self._is_late(event) for event in events):
                self.start_over()
                damaged.clear()
                events = self._added(found, damaged)
            _fold(events, self._records)
        _tell(damaged)
        return self._records

    def _places(self) -> dict[Path, tuple[int, int]]:
        """Inode and size of each event file."""
        found = {}
        for path in sorted(self._folder.glob("*.jsonl")):
            with contextlib.suppress(OSError):
                status = path.stat()
                found[path] = status.st_ino, status.st_size
        return found

    def _added(self, found: Mapping[Path, tuple[int, int]], damaged: list[str]) -> list[Event]:
        """What was written since the last look, in order."""
        events: list[Event] = []
        for path, (inode, size) in found.items():
            if self._read.get(path) == (inode, size):
                continue
            place = _Place(self._read.get(path, (inode, 0))[1])
            for some in _events(path, damaged, place):
                events += some
            self._read[path] = inode, place.offset
        # First by what decides last: numbers are compared sooner than pairs of them.
        events.sort(key=attrgetter("time"))
        events.sort(key=attrgetter("attempt"))
        return events

    def _is_late(self, event: Event) -> bool:
        """Whether it may stand before what is known: of events that are as late, the order of the files decides."""
        known = self._records.get((event.video, event.stage))
        return known is not None and _order(event) <= _order(known.last)


def _goes_on(read: tuple[int, int], found: tuple[int, int] | None) -> bool:
    """Whether a file of which some bytes were read is still the same and has them."""
    return found is not None and found[0] == read[0] and found[1] >= read[1]


@dataclass
class _Place:
    """How far a file has been read, in bytes."""

    offset: int = 0


_order: Callable[[Event], tuple[int, float]] = attrgetter("attempt", "time")


def _tell(damaged: Sequence[str]) -> None:
    if damaged:
        lines = "1 line of the ledger is" if len(damaged) == 1 else f"{len(damaged)} lines of the ledger are"
        log.warning("%s damaged and passed over; what they told is done again. The first: %s", lines, damaged[0])


def _events(path: Path, damaged: list[str], place: _Place) -> Iterator[Sequence[Event]]:
    """The events of one file from a place on, which moves behind the last whole line; adds what is wrong to others."""
    try:
        with open_regular(path) as stream:
            stream.seek(place.offset)
            where = "" if place.offset == 0 else f", counted from byte {place.offset}"
            number = 1
            while block := stream.read(_BLOCK) + stream.readline(_BLOCK):
                try:
                    yield events_of_block(block)
                except ValueError:
                    lines = _lines_of_block(stream, place.offset, place.offset + len(block))
                    for at, (line, end) in enumerate(lines, start=number):
                        place.offset = end
                        try:
                            if line is None:
                                raise ValueError(f"has more than {_LONGEST_LINE / 1e6:g} MB")
                            yield (Event.from_json(line),)
                        except ValueError as error:
                            torn = line is not None and not line.rstrip().endswith(b"}")
                            if not torn:
                                damaged.append(f"{path}:{at}{where} {error}")
                            elif line is not None and not line.endswith(b"\n"):
                                place.offset -= len(line)  # perhaps its other half is still to come
                                return
                        number = at + 1
                else:
                    place.offset += len(block)
                    number += block.count(b"\n")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        log.warning("%s cannot be read (%s): passed over", path, why)


def _lines_of_block(stream: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes | None, int]]:
    """Lines that begin in a part of a file, and where they end; ``None`` for one of more than `_LONGEST_LINE`."""
    stream.seek(start)
    for line in lines_bounded(stream, _LONGEST_LINE):
        yield line, stream.tell()
        if stream.tell() >= end:
            return


def forget(folder: Path, videos: Collection[str]) -> int:
    """Rewrite a ledger without some videos; nothing may be writing to it.

    Files that do not speak of them are left alone, and one that speaks of nothing else is removed. A torn line goes as
    well where the text of such an id stands in it.

    Args:
        folder: The ledger folder.
        videos: Ids of the videos.

    Returns:
        How many lines were removed.
    """
    removed = 0
    for path in sorted(folder.glob("*.jsonl")):
        try:
            with open_regular(path) as stream:
                lines = stream.read().splitlines(keepends=True)
        except ValueError:
            path.unlink()  # a pipe or a device: nobody's events
            continue
        kept = [line for line in lines if not _speaks_of(line, videos)]
        if len(kept) == len(lines):
            continue
        removed += len(lines) - len(kept)
        if kept:
            write_atomic(path, b"".join(kept))
        else:
            path.unlink()
    return removed


def _speaks_of(line: bytes, videos: Collection[str]) -> bool:
    text = line.decode(errors="replace")
    try:
        return Event.from_json(line).video in videos
    except ValueError:
        return any(video in text for video in videos)


def unite(events: Iterable[Event]) -> dict[tuple[str, str], Record]:
    """Fold events, in order of attempts and then of time, into one record for each (video, stage)."""
    records: dict[tuple[str, str], Record] = {}
    _fold(sorted(events, key=_order), records)
    return records


def _fold(events: Iterable[Event], records: dict[tuple[str, str], Record]) -> None:
    """Add events, in their order, to records."""
    for event in events:
        key: tuple[str, str] = event[1:3]  # video and stage, in the quickest way: there may be a million events
        if key in records:
            records[key].add(event)
        elif event.outcome == "done":
            records[key] = Record(event, 0, 0.0, event)
        else:
            records[key] = Record.first(event)
