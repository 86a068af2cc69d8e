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
import dataclasses
import errno
import json
import logging
import math
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from curate.files.atomic import open_own, sync_folder, unique_tag, write_atomic
from curate.files.bounded import lines_bounded, open_regular, parse_json
from curate.files.collector import collector_paused
from curate.records import VIDEO_ID, Done, Dropped, Failed, Outcome, Reason
from curate.workspace.seals import Seal

log = logging.getLogger(__name__)

_LONGEST_LINE = 1_000_000
"""Bytes of a line, at most: a message of two thousand characters, every one escaped, is a tenth of it."""

_LARGEST_NUMBER = 1 << 62
"""No count of bytes, frames or seconds comes near it."""

_ARTEFACT = re.compile(r"|[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,32}){1,3}")
"""What an artefact's name may look like: in the folder of its stage and nowhere else."""

EventKind = Literal["done", "dropped", "failed", "reset"]


@dataclass(frozen=True)
class Event:
    """One line of the ledger.

    Attributes:
        time: Unix seconds when the outcome was known.
        video: Video id.
        stage: Stage name.
        outcome: ``done``, ``dropped``, ``failed``, or ``reset``: what was known is void and the work is to be done
            again, because a person asked for it, or since a file is damaged or about to be replaced.
        fingerprint: Of options, weights and everything upstream.
        reason: For ``dropped`` and ``failed``.
        detail: Raw text of the cause, or the note of a finished video.
        retryable: For ``failed``.
        artefact: File name in the stage's folder, or empty.
        figures: Counts for the funnel.
        seconds: Wall time of the work.
        attempt: Counts the attempts at this (video, stage), from 1; 0 in ledgers of a version that did not count.
        files: Seals of the artefact and what belongs to it, by file name in the stage's folder; empty as well in
            ledgers of that version.
    """

    time: float
    video: str
    stage: str
    outcome: EventKind
    fingerprint: str
    reason: Reason | None = None
    detail: str = ""
    retryable: bool = False
    artefact: str = ""
    figures: Mapping[str, int | float] = field(default_factory=dict)
    seconds: float = 0.0
    attempt: int = 0
    files: Mapping[str, Seal] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line of JSON without the line break; fields at their default are left out."""
        data: dict[str, Any] = {}
        for spec in dataclasses.fields(self):
            value = getattr(self, spec.name)
            if value or spec.name in _REQUIRED:
                data[spec.name] = value
        if self.files:
            data["files"] = {name: [seal.size, seal.sha256] for name, seal in self.files.items()}
        return json.dumps(data, ensure_ascii=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str | bytes) -> Event:
        """Parse a line, which may come from a stranger: every field is of its type, and an artefact is a bare name.

        Raises:
            ValueError: Not a whole event.
        """
        data = parse_json(line.decode() if isinstance(line, bytes) else line)
        if not isinstance(data, dict):
            raise ValueError("is not an object")
        return cls._of(data)

    @classmethod
    def _of(cls, data: dict[str, Any]) -> Event:
        """The event that an object of JSON tells; the object is used up."""
        for name, value in data.items():
            if name not in _CHECKS:
                raise ValueError(f"is not an event: it has {name!r}")
            if not _CHECKS[name](value):
                raise ValueError(f"has something under {name!r} that curate does not write there")
        if missing := _REQUIRED - data.keys():
            raise ValueError(f"is not an event: it lacks {min(missing)!r}")
        try:
            data["reason"] = Reason(data["reason"]) if data.get("reason") else None
        except ValueError as error:
            raise ValueError(f"is not an event: {error}") from error
        if data["reason"] is None and data["outcome"] in ("failed", "dropped"):
            raise ValueError("is not an event: it names no reason")
        if files := data.get("files"):
            data["files"] = {name: Seal(*seal) for name, seal in files.items()}
        # What __init__ of a frozen class does field by field, of which there are a million in a large workspace.
        event = cls.__new__(cls)
        vars(event).update(figures={}, files={})
        vars(event).update(data)
        return event


def _is_number(value: Any) -> bool:
    if type(value) is int:
        return -_LARGEST_NUMBER < value < _LARGEST_NUMBER
    return type(value) is float and math.isfinite(value)


def _are_figures(value: Any) -> bool:
    return type(value) is dict and all(map(_is_number, value.values()))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST_NUMBER


def _is_artefact(value: Any) -> bool:
    return isinstance(value, str) and _ARTEFACT.fullmatch(value) is not None


def _are_seals(value: Any) -> bool:
    return type(value) is dict and all(
        name and _ARTEFACT.fullmatch(name) and _is_seal(seal) for name, seal in value.items()
    )


def _is_seal(value: Any) -> bool:
    return type(value) is list and len(value) == 2 and _is_count(value[0]) and type(value[1]) is str


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "time": _is_number,
    "video": lambda value: isinstance(value, str) and VIDEO_ID.fullmatch(value) is not None,
    "stage": _is_text,
    "outcome": lambda value: value in ("done", "dropped", "failed", "reset"),
    "fingerprint": _is_text,
    "reason": _is_text,
    "detail": _is_text,
    "retryable": lambda value: isinstance(value, bool),
    "artefact": _is_artefact,
    "figures": _are_figures,
    "seconds": _is_number,
    "attempt": _is_count,
    "files": _are_seals,
}
_REQUIRED = {
    spec.name
    for spec in dataclasses.fields(Event)
    if spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING
}


def event_of(
    outcome: Outcome,
    *,
    time: float,
    video: str,
    stage: str,
    fingerprint: str,
    seconds: float,
    artefact: str = "",
    attempt: int = 0,
    files: Mapping[str, Seal] | None = None,
) -> Event:
    """The event that records an outcome; see `Event` for the arguments."""
    common: dict[str, Any] = {
        "time": round(time, 3),
        "video": video,
        "stage": stage,
        "fingerprint": fingerprint,
        "seconds": round(seconds, 3),
        "artefact": artefact,
        "attempt": attempt,
        "files": files or {},
    }
    match outcome:
        case Done():
            return Event(outcome="done", detail=outcome.note, figures=dict(outcome.figures), **common)
        case Dropped():
            return Event(
                outcome="dropped",
                reason=outcome.reason,
                detail=outcome.detail,
                figures=dict(outcome.figures),
                **common,
            )
        case Failed():
            return Event(
                outcome="failed", reason=outcome.reason, detail=outcome.detail, retryable=outcome.retryable, **common
            )


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
            OSError: The disk is full or gone; a partly written line is ended, so later lines stay readable.
        """
        descriptor = self._open()
        line = event.to_json().encode() + b"\n"
        if os.write(descriptor, line) != len(line):
            _end_torn_line(descriptor)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
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


@dataclass
class Record:
    """What is known of one (video, stage).

    Attributes:
        last: The newest event.
        tries: Failures in a row up to and including the newest event that have its fingerprint and its reason, so that
            ten bot checks do not use up the tries of a broken connection.
        first_failure: Unix seconds of the first failure since the last success, 0.0 if there is none.
    """

    last: Event
    tries: int = 0
    first_failure: float = 0.0

    @classmethod
    def first(cls, event: Event) -> Record:
        """The record of a (video, stage) whose only event this is."""
        failed = event.outcome == "failed"
        return cls(event, tries=int(failed), first_failure=event.time if failed else 0.0)

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
        self.last = event


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
            events = sorted(self._added(found, damaged), key=_order)
            if self._records and any(self._is_late(event) for event in events):
                self.start_over()
                damaged.clear()
                events = sorted(self._added(found, damaged), key=_order)
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

    def _added(self, found: Mapping[Path, tuple[int, int]], damaged: list[str]) -> Iterator[Event]:
        for path, (inode, size) in found.items():
            if self._read.get(path) == (inode, size):
                continue
            place = _Place(self._read.get(path, (inode, 0))[1])
            yield from _events(path, damaged, place)
            self._read[path] = inode, place.offset

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


def _order(event: Event) -> tuple[int, float]:
    return event.attempt, event.time


def _tell(damaged: Sequence[str]) -> None:
    if damaged:
        lines = "1 line of the ledger is" if len(damaged) == 1 else f"{len(damaged)} lines of the ledger are"
        log.warning("%s damaged and passed over; what they told is done again. The first: %s", lines, damaged[0])


def _events(path: Path, damaged: list[str], place: _Place) -> Iterator[Event]:
    """The events of one file from a place on, which moves behind the last whole line; adds what is wrong to others."""
    try:
        with open_regular(path) as stream:
            stream.seek(place.offset)
            where = "" if place.offset == 0 else f", counted from byte {place.offset}"
            for number, line in enumerate(lines_bounded(stream, _LONGEST_LINE), start=1):
                place.offset = stream.tell() if line is None else place.offset + len(line)
                try:
                    if line is None:
                        raise ValueError(f"has more than {_LONGEST_LINE / 1e6:g} MB")
                    yield Event.from_json(line)
                except ValueError as error:
                    torn = line is not None and not line.rstrip().endswith(b"}")
                    if not torn:
                        damaged.append(f"{path}:{number}{where} {error}")
                    elif line is not None and not line.endswith(b"\n"):
                        place.offset -= len(line)  # perhaps its other half is still to come
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        log.warning("%s cannot be read (%s): passed over", path, why)


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
        key = (event.video, event.stage)
        if key in records:
            records[key].add(event)
        else:
            records[key] = Record.first(event)
