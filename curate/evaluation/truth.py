"""What is known of a video: a JSON file with its segments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.records import NON_SURGICAL, SURGICAL

TOLERANCE = 1e-3
"""Seconds by which times are taken to be rounded: a frame shown from 8.00799 s on belongs to a segment from 8.008 s."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a video of one kind, from ``start`` to ``end`` (exclusive) in seconds."""

    start: float
    end: float
    surgical: bool


@dataclass(frozen=True)
class Truth:
    """The segments of one video, in order, without overlap; times between them are not judged."""

    segments: Sequence[Segment]

    def at(self, seconds: float) -> bool | None:
        """Whether the video shows surgery at a time; ``None`` where no segment says."""
        for segment in self.segments:
            if segment.start <= seconds + TOLERANCE < segment.end:
                return segment.surgical
        return None

    def span(self, min_run: float) -> tuple[float, float] | None:
        """Start of the first and end of the last stretch of surgery that lasts at least ``min_run`` seconds.

        Neighbouring surgical segments are one stretch. ``None`` where there is no such stretch.
        """
        stretches: list[Segment] = []
        for segment in self.segments:
            if not segment.surgical:
                continue
            if stretches and segment.start - stretches[-1].end <= TOLERANCE:
                stretches[-1] = Segment(stretches[-1].start, segment.end, True)
            else:
                stretches.append(segment)
        long = [s for s in stretches if s.end - s.start >= min_run - TOLERANCE]
        return (long[0].start, long[-1].end) if long else None


def read_truth(path: Path) -> Truth:
    """Read a truth file: ``{"segments": [{"start": 0.0, "end": 10.0, "label": "non-surgical"}, ...]}``.

    Times are in seconds, labels ``surgical`` or ``non-surgical``; other entries are left alone.

    Raises:
        CurateError: Unreadable, not JSON, or segments that cannot be used, with the number of the segment from 1.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CurateError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise CurateError(f"{path} is not JSON: {error}") from error
    listed = data.get("segments") if isinstance(data, dict) else None
    if not isinstance(listed, list) or not listed:
        raise CurateError(f'{path} has no list of "segments", each with start, end and label')
    segments: list[Segment] = []
    for number, entry in enumerate(listed, 1):
        where = f"{path}, segment {number}"
        segment = _segment(entry, where)
        if segments and segment.start < segments[-1].end - TOLERANCE:
            raise CurateError(f"{where} begins at {segment.start:g} s, before the one above ends")
        segments.append(segment)
    return Truth(tuple(segments))


def _segment(entry: Any, where: str) -> Segment:
    if not isinstance(entry, dict) or (missing := {"start", "end", "label"} - set(entry)):
        raise CurateError(f"{where} lacks {', '.join(sorted(missing)) if isinstance(entry, dict) else 'everything'}")
    start, end, label = entry["start"], entry["end"], entry["label"]
    if label not in (SURGICAL, NON_SURGICAL):
        raise CurateError(f"{where}: label {label!r} is not {SURGICAL} or {NON_SURGICAL}")
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (start, end))
    if not numbers or not 0 <= start < end:
        raise CurateError(f"{where}: start and end must be seconds, 0 <= start < end, got {start!r} and {end!r}")
    return Segment(float(start), float(end), label == SURGICAL)
