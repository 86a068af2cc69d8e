"""One line of the ledger: what happened to a (video, stage), written as JSON and read by the line or by the block.

A ledger may come from a stranger, so every field of a line is checked. Of the lines of a large workspace, most of a
million, nearly all are as curate writes them: a block of them is parsed at once and its fields are checked by columns,
and only where something is odd is each line looked at by itself.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from curate.files.bounded import parse_json
from curate.records import VIDEO_ID, Done, Dropped, Failed, Outcome, Reason
from curate.workspace.seals import Seal

_LARGEST_NUMBER = 1 << 62
"""No count of bytes, frames or seconds comes near it."""

_ARTEFACT = re.compile(r"|[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,32}){1,3}")
"""What an artefact's name may look like: in the folder of its stage and nowhere else."""

EventKind = Literal["done", "dropped", "failed", "reset"]


class Event(NamedTuple):
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
        same_as: Fingerprint of an earlier event whose artefact this one left again byte by byte, though its own
            fingerprint is another, as that of a file that was moved; empty if there is none.
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
    figures: Mapping[str, int | float] = {}
    seconds: float = 0.0
    attempt: int = 0
    files: Mapping[str, Seal] = {}
    same_as: str = ""

    @property
    def identity(self) -> str:
        """The fingerprint by which later stages know the artefact: that of the event that left it first."""
        return self.same_as or self.fingerprint

    def to_json(self) -> str:
        """One line of JSON without the line break; fields at their default are left out."""
        data = {name: value for name, value in self._asdict().items() if value or name in _REQUIRED}
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
        for name, value in data.items():
            if name not in _CHECKS:
                raise ValueError(f"is not an event: it has {name!r}")
            if not _CHECKS[name](value):
                raise ValueError(f"has something under {name!r} that curate does not write there")
        if missing := _REQUIRED - data.keys():
            raise ValueError(f"is not an event: it lacks {min(missing)!r}")
        reason = data.pop("reason", "")
        if reason and reason not in _REASONS:
            raise ValueError(f"is not an event: {reason!r} is not a reason")
        if not _has_its_reason(data["outcome"], reason):
            raise ValueError("is not an event: it names no reason")
        files = {name: Seal._make(seal) for name, seal in data.pop("files", {}).items()}
        return cls(**data, reason=_REASONS.get(reason), files=files)


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
    "same_as": _is_text,
}
_REASONS: Mapping[str, Reason] = {str(reason): reason for reason in Reason}
_REQUIRED = set(Event._fields) - Event._field_defaults.keys()
_ABSENT: Mapping[str, Any] = {**dict.fromkeys(Event._fields), **Event._field_defaults, "reason": ""}
"""What stands in an object for a field that it lacks; for one that it needs, what no check lets pass."""
_SHARED = ("video", "stage", "outcome", "artefact")
"""Fields whose values are the same in many lines: they are kept once, and quick to look up."""
_FIRST, _LAST = itemgetter(0), itemgetter(-1)


def _has_its_reason(outcome: str, reason: str) -> bool:
    return bool(reason) or outcome not in ("failed", "dropped")


def events_of_block(block: bytes) -> list[Event]:
    """The events of some lines of a ledger, if each line is a whole one that looks as curate writes it.

    Lines that begin and end with a brace are parsed as one array, which lets nothing pass that is no event by itself. A
    line break stands in no string of JSON, so that no text runs on into the next line; an object runs on only where it
    stands in a list, and no field has a list of objects; and as many lines as objects leave none with two.

    Args:
        block: The lines, each with its line break.

    Raises:
        ValueError: One is not, or there is something unusual; which one, `Event.from_json` tells of each line.
    """
    *lines, rest = block.split(b"\n")
    if rest or not all(lines) or set(map(_FIRST, lines)) != {*b"{"} or set(map(_LAST, lines)) != {*b"}"}:
        raise ValueError("a line is not a whole one")
    lines[0] = b"[" + lines[0]
    lines[-1] += b"]"
    objects = parse_json(b",\n".join(lines).decode())  # in place of the block, to copy it no more than needed
    if len(objects) != len(lines) or set(map(type, objects)) - {dict}:
        raise ValueError("there are not as many objects as lines")
    rows = [_ABSENT | row for row in objects]
    if set(map(len, rows)) != {len(_ABSENT)}:
        raise ValueError("there are fields that curate does not write")
    columns: dict[str, Sequence[Any]] = dict(zip(_ABSENT, zip(*map(dict.values, rows), strict=True), strict=True))
    for name, column in columns.items():
        if not _is_usual(name, column):
            raise ValueError(f"{name!r} is not in order")
    reasons = columns["reason"]
    if not all(_has_its_reason(*each) for each in set(zip(columns["outcome"], reasons, strict=True))):
        raise ValueError("a reason is missing")
    columns["reason"] = [*map(_REASONS.get, reasons)]
    for name in _SHARED:
        columns[name] = [*map(sys.intern, columns[name])]
    for files in columns["files"]:
        for name in files:
            files[name] = Seal._make(files[name])
    return [*map(Event._make, zip(*columns.values(), strict=True))]


def _is_usual(name: str, column: Sequence[Any]) -> bool:
    """Whether all values of a field pass its check and are what curate writes: never true where one fails it."""
    kinds = set(map(type, column))
    match name:
        case "time" | "seconds":
            return _are_usual_numbers(column)
        case "figures":
            return kinds <= {dict} and _are_usual_numbers([*chain.from_iterable(map(dict.values, column))])
        case "files":
            return kinds <= {dict} and _are_usual_seals(column)
        case "stage" | "fingerprint" | "detail" | "same_as":
            return kinds <= {str}
        case "reason":
            return kinds <= {str} and set(column) <= {"", *_REASONS}
        case _:  # few values, each looked at once; equal ones of different kinds, such as 1 and true, are not one
            return kinds <= {str, bool, int} and len(kinds) == 1 and all(map(_CHECKS[name], set(column)))


def _are_usual_numbers(values: Sequence[Any]) -> bool:
    if not values:
        return True
    most = _LARGEST_NUMBER
    # In this order: a number that is not one wins neither comparison unless it is the first, and then it loses both; of
    # numbers that are bounded, the sum is finite unless one of them is not one.
    return (
        set(map(type, values)) <= {int, float}
        and -most < min(values)
        and max(values) < most
        and math.isfinite(sum(values))
    )


def _are_usual_seals(column: Iterable[dict[str, Any]]) -> bool:
    names = {*chain.from_iterable(column)}
    seals = [*chain.from_iterable(map(dict.values, column))]
    if not all(names) or not all(map(_ARTEFACT.fullmatch, names)):
        return False
    if not seals:
        return True
    if set(map(type, seals)) - {list} or set(map(len, seals)) - {2}:
        return False
    sizes, sums = zip(*seals, strict=True)
    return set(map(type, sums)) <= {str} and set(map(type, sizes)) <= {int} and all(map(_is_count, set(sizes)))


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
    same_as: str = "",
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
        "same_as": same_as,
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
