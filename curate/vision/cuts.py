"""Where the picture changes between two frames of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from curate.media.decode import Sampler
from curate.media.select import TOLERANCE, During

_SIDE = 32
"""Long side in pixels of the pictures that are compared; small, so that noise and fine motion average out."""

_SHARE = 0.5
"""Of the largest change of a span: what counts as the change. A hard cut is one frame; a fade begins before its
fastest part, and its beginning is what is wanted."""

_HARD = 12.0
"""Grey levels by which the pictures on both sides of a hard cut differ at least; a moving camera makes a few."""

_LONE = 0.25
"""Share of a hard cut that all other changes of the span stay below."""


@dataclass(frozen=True)
class Change:
    """How the picture of a span turns into another one.

    Attributes:
        first: Seconds at which it begins to: the first frame that differs from the one before by at least half as much
            as any two neighbours of the span do. After the span's start, and at most its end.
        cut: Seconds of the first frame after a hard cut, if that is all that happens: one change stands out among
            those of the span. Else ``None``.
    """

    first: float
    cut: float | None


def changes(path: Path, spans: Sequence[tuple[float, float]]) -> list[Change]:
    """Find how the picture changes within each of some spans.

    Neighbouring frames are compared as small pictures, by the mean difference over all pixels and channels.

    Args:
        path: A local video file.
        spans: ``(start, end)`` in seconds, rising, each from the frame that appears at ``start`` to the one that
            appears at ``end``.

    Returns:
        One change a span.

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
        steps = [(time, float(np.abs(after - before).mean())) for (_, before), (time, after) in pairwise(inside)]
        found.append(_judge(steps, end - margin))
    return found


def _judge(steps: Sequence[tuple[float, float]], end: float) -> Change:
    """Judge the differences of neighbours; each stands at the time of the later frame."""
    if not steps:
        return Change(end, None)
    size, time = max((size, time) for time, size in steps)
    first = next(time for time, step in steps if step >= _SHARE * size)
    others = max((step for other, step in steps if other != time), default=0.0)
    return Change(first, time if size >= _HARD and others <= _LONE * size else None)


def _joined(spans: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Spans that touch, made one."""
    joined: list[tuple[float, float]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
