"""What happened to each (video, stage): append-only event files, one per writing process, united on read.

A line is written after the artefact it speaks of is durable. A process killed while writing leaves at most a torn
last line, which readers ignore.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from curate.files.atomic import write_atomic
from curate.records import Done, Dropped, Failed, Outcome, Reason

EventKind = Literal["done", "dropped", "failed", "reset"]


@dataclass(frozen=True)
class Event:
    """One line of the ledger.

    Attributes:
        time: Unix seconds when the outcome was known.
        video: Video id.
        stage: Stage name.
        outcome: ``done``, ``dropped``, ``failed``, or ``reset`` (a person asked for another try).
        fingerprint: Of options, weights and everything upstream.
        reason: For ``dropped`` and ``failed``.
        detail: Raw text of the cause, or the note of a finished video.
        retryable: For ``failed``.
        artefact: File name in the stage's folder, or empty.
        figures: Counts for the funnel.
        seconds: Wall time of the work.
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

    def to_json(self) -> str:
        """One line of JSON without the line break; fields at their default are left out."""
        data: dict[str, Any] = {}
        for spec in dataclasses.fields(self):
            value = getattr(self, spec.name)
            required = spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING
            if value or required:
                data[spec.name] = value
        return json.dumps(data, ensure_ascii=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Event:
        """Parse a line.

        Raises:
            ValueError: Not a whole event.
        """
        data = json.loads(line)
        if not isinstance(data, dict):
            raise ValueError("not an object")
        try:
            reason = Reason(data["reason"]) if data.get("reason") else None
            return cls(**{**data, "reason": reason})
        except (TypeError, KeyError) as error:
            raise ValueError(f"not an event: {error}") from error


def event_of(
    outcome: Outcome, *, time: float, video: str, stage: str, fingerprint: str, seconds: float, artefact: str
) -> Event:
    """The event that records an outcome."""
    common: dict[str, Any] = {
        "time": round(time, 3),
        "video": video,
        "stage": stage,
        "fingerprint": fingerprint,
        "seconds": round(seconds, 3),
        "artefact": artefact,
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
    """Appends events to this process's own file, which is made at the first event. Close it at the end."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{socket.gethostname()}-{os.getpid()}.jsonl"
        self._descriptor: int | None = None

    def _open(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            _end_torn_line(self._descriptor)
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
    """End a line that this process, or an earlier one with the same host and pid, could not write whole."""
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
        The state of every (video id, stage name) that has an event. Lines that are not whole events are passed over.
    """
    events: list[Event] = []
    for path in sorted(folder.glob("*.jsonl")):
        with open(path, encoding="utf-8", errors="replace") as stream:
            for line in stream:
                try:
                    events.append(Event.from_json(line))
                except ValueError:
                    continue
    return unite(events)


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
        lines = path.read_bytes().splitlines(keepends=True)
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
        return Event.from_json(text).video in videos
    except ValueError:
        return any(video in text for video in videos)


def unite(events: Iterable[Event]) -> dict[tuple[str, str], Record]:
    """Fold events, in order of time, into one record for each (video, stage)."""
    records: dict[tuple[str, str], Record] = {}
    for event in sorted(events, key=lambda e: e.time):
        key = (event.video, event.stage)
        if key in records:
            records[key].add(event)
        else:
            records[key] = Record.first(event)
    return records
