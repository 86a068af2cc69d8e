"""What people decided about single frames, to be heeded in place of the frame classifier's verdict."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from curate.errors import CurateError
from curate.files.csv_file import read_csv
from curate.records import NON_SURGICAL, SURGICAL

COLUMNS = ("video", "timestamp", "label")
"""Columns that a file of decisions must have; others are for people."""


@dataclass(frozen=True)
class Decisions:
    """Labels by video and time.

    Attributes:
        surgical: By id of the video: by milliseconds, whether the frame shown then is surgical.
        lines: Where each was read, in the same order: ``file:line``.
    """

    surgical: dict[str, dict[int, bool]] = field(default_factory=dict)
    lines: dict[str, dict[int, str]] = field(default_factory=dict, compare=False)

    def of(self, video: str) -> dict[int, bool]:
        """Decisions about one video, by milliseconds; empty if there are none."""
        return self.surgical.get(video, {})

    def about_others(self, videos: Collection[str]) -> list[str]:
        """Lines that decide about none of some videos, as ``file:line: id``."""
        others = [video for video in self.lines if video not in videos]
        return [f"{line}: {video!r}" for video in others for line in self.lines[video].values()]


def milliseconds(timestamp: float) -> int:
    """The key of a frame: its time, so that decisions hold when frames are numbered anew."""
    return round(timestamp * 1000)


def read_decisions(path: Path) -> Decisions:
    """Read a CSV with the columns ``video``, ``timestamp`` (seconds) and ``label``.

    ``curate trim --review`` writes such a table, with the labels for a person to fill in. A row whose label is empty
    decides nothing.

    Raises:
        CurateError: Unreadable, a column is missing, a row has too few or too many cells, a label or time makes no
            sense, or a frame has two labels; with the line.
    """
    found: dict[str, dict[int, bool]] = {}
    lines: dict[str, dict[int, str]] = {}
    for line, row in read_csv(path, COLUMNS, "decisions"):
        where = f"{path}:{line}"
        label = row["label"].strip().lower()
        if not label:
            continue
        if label not in (SURGICAL, NON_SURGICAL):
            raise CurateError(f"{where}: label {label!r} is not {SURGICAL}, {NON_SURGICAL} or empty")
        video, time = row["video"].strip(), time_of(row["timestamp"], where)
        if found.setdefault(video, {}).setdefault(time, label == SURGICAL) != (label == SURGICAL):
            raise CurateError(f"{where}: the frame of {video} at {row['timestamp']} s has two labels")
        lines.setdefault(video, {}).setdefault(time, where)
    return Decisions(found, lines)


def time_of(text: str, where: str) -> int:
    """Milliseconds of a cell with seconds.

    Raises:
        CurateError: It is no number of seconds; with ``where``.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise CurateError(f"{where}: timestamp {text!r} is not a number of seconds")
    return milliseconds(seconds)
