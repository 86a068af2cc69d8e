"""Where the picture changes between two frames of a video."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curate.media.decode import Sampler
from curate.media.select import TOLERANCE, During

_SIDE = 32
"""Long side in pixels of the pictures that are compared; small, so that noise and fine motion average out."""

_SHARE = 0.5
"""Of the largest change of a span: what counts as the change. A hard cut is one frame; a fade begins before its
fastest part, and its beginning is what is wanted."""


def first_changes(path: Path, spans: Sequence[tuple[float, float]]) -> list[float]:
    """When the picture begins to turn into another one within each of some spans.

    The change is the first frame that differs from the one before by at least half as much as any two neighbours of
    the span do, in the mean over the pixels of small pictures. A cut is found exactly.

    Args:
        path: A local video file.
        spans: ``(start, end)`` in seconds, rising, each from the frame that appears at ``start`` to the one that
            appears at ``end``.

    Returns:
        Seconds at which the new picture appears, one a span: after its start and at most its end.

    Raises:
        MediaError: No frame can be had out of this file.
    """
    margin = 2 * float(TOLERANCE)
    wanted = [(start, end + margin) for start, end in spans]
    frames = iter(Sampler(path, During(_joined(wanted)), max_long_side=_SIDE) if spans else ())
    found = []
    held: list[tuple[float, np.ndarray]] = []
    for start, end in wanted:
        held = [(time, image) for time, image in held if time >= start - margin]
        for frame in frames:
            held.append((frame.timestamp, frame.image.astype(np.int16)))
            if frame.timestamp >= end - 2 * margin:
                break
        inside = [(time, image) for time, image in held if time < end]
        changes = [
            (time, float(np.abs(after - before).mean())) for (_, before), (time, after) in itertools.pairwise(inside)
        ]
        least = _SHARE * max((change for _, change in changes), default=0.0)
        found.append(next((time for time, change in changes if change >= least), end - margin))
    return found


def _joined(spans: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Spans that touch, made one."""
    joined: list[tuple[float, float]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
