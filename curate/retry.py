"""Give failed videos another try because a person asks for it."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection

from curate.errors import CurateError
from curate.ledger import Event, LedgerWriter
from curate.pipeline import Pipeline, Standing
from curate.records import Reason, Video

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
) -> list[tuple[Video, Standing]]:
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
    for video in pipeline.videos:
        standing = list(pipeline.standings(video))[-1]
        event = standing.event
        if standing.stage != stage or standing.state != "failed" or event is None:
            continue
        if (not reasons or event.reason in reasons) and now - event.time >= older_than:
            found.append((video, standing))
    return found


def retry(pipeline: Pipeline, chosen: Collection[tuple[Video, Standing]]) -> Counter[str]:
    """Mark failed videos as pending, so that the next run tries them; counts them by reason."""
    counts: Counter[str] = Counter()
    writer = LedgerWriter(pipeline.workspace.ledger_folder)
    try:
        for video, standing in chosen:
            event = standing.event
            assert event is not None
            writer.append(
                Event(
                    time=max(time.time(), event.time + 1e-3),
                    video=video.id,
                    stage=standing.stage,
                    outcome="reset",
                    fingerprint=standing.fingerprint,
                )
            )
            counts[str(event.reason)] += 1
    finally:
        writer.close()
    return counts
