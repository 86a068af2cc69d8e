"""The list of videos that are in the manifest and not on disk, with why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from curate.files.atomic import write_atomic
from curate.files.csv_file import csv_text
from curate.files.text import printable
from curate.files.urls import redact_url
from curate.run.pipeline import Pipeline

COLUMNS = ("id", "title", "procedures", "source", "state", "reason", "text", "tries", "first_try", "last_try")


def missing_videos(pipeline: Pipeline) -> list[dict[str, str]]:
    """One row, by `COLUMNS`, for every video that is not downloaded, in manifest order.

    ``state`` is ``pending`` (the next run tries it), ``failed`` (it does not) or ``dropped``; times are ISO 8601 in
    UTC, empty where there was no try; procedures are separated by ``|``.
    """
    rows = []
    for video in pipeline.videos:
        status = next(pipeline.statuses(video))
        if status.state == "done":
            continue
        event, record = status.event, status.record
        tried = event is not None and event.reason is not None and record is not None
        rows.append(
            {
                "id": video.id,
                "title": printable(video.title),
                "procedures": "|".join(video.procedures),
                "source": redact_url(video.source),
                "state": status.state,
                "reason": str(event.reason) if event is not None and event.reason else "",
                "text": printable(event.detail) if event is not None else "",
                "tries": str(record.tries) if tried and record else "0",
                "first_try": _clock(record.first_failure) if tried and record else "",
                "last_try": _clock(event.time) if tried and event else "",
            }
        )
    return rows


def write_missing(pipeline: Pipeline, path: Path) -> int:
    """Write the rows of `missing_videos` as CSV; returns how many there are."""
    rows = missing_videos(pipeline)
    write_atomic(path, csv_text(COLUMNS, rows).encode("utf-8", "backslashreplace"))
    return len(rows)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
