"""Give failed videos another try because a person asks for it."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection

from curate.errors import CurateError
from curate.records import Reason, Video
from curate.run.pipeline import Pipeline, StageStatus
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def parse_age(text: str) -> float:
    """Seconds of a text such as ``30d``, ``12h`` or ``90m``.

    Raises:
        CurateError: It is not a number with one of the units s, m, h, d, w.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip().lower())
    if not found:
        raise CurateError(f"{text!r} is not an age: write a number and one of s, m, h, d, w, such as 30d")
    return float(found[1]) * _UNITS[found[2]]


def failures(
    pipeline: Pipeline,
    stage: str,
    reasons: Collection[Reason] = (),
    *,
    older_than: float = 0.0,
    now: float | None = None,
) -> list[tuple[Video, StageStatus]]:
    """Videos that failed at a stage and are not tried again by themselves now.

    Args:
        pipeline: Of the workspace.
        stage: Stage name.
        reasons: Only these; empty for all.
        older_than: Only those whose last try lies so many seconds back.
        now: Unix seconds; the clock's if not given.
    """
    now = time.time() if now is None else now
    found = []
    for video, statuses in pipeline.statuses_of(pipeline.videos):
        *_, status = statuses
        event = status.event
        if status.stage != stage or status.state != "failed" or event is None:
            continue
        if (not reasons or event.reason in reasons) and now - event.time >= older_than:
            found.append((video, status))
    return found


def retry(pipeline: Pipeline, chosen: Collection[tuple[Video, StageStatus]]) -> Counter[str]:
    """Mark failed videos as pending, so that the next run tries them; counts them by reason."""
    counts: Counter[str] = Counter()
    writer = LedgerWriter(pipeline.workspace.ledger_folder)
    try:
        for video, status in chosen:
            event = status.event
            assert event is not None
            writer.append(
                Event(
                    time=time.time(),
                    video=video.id,
                    stage=status.stage,
                    outcome="reset",
                    fingerprint=status.fingerprint,
                    detail="asked for",
                    attempt=event.attempt + 1,
                )
            )
            counts[str(event.reason)] += 1
    finally:
        writer.close()
    return counts
