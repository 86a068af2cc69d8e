"""Frozen and near-identical frames within one video, and how many of a scene stay."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from curate.vision.perceptual_hash import distances
from curate.workspace.tables.signatures import Signature

Span = tuple[float, float]
"""Start and end in seconds; the end is exclusive."""


def scenes(signature: Signature, distance: int) -> Iterator[tuple[int, int]]:
    """Runs of frames that look alike: each differs from the first of its run by at most some bits.

    Args:
        signature: Of the video.
        distance: Bits of 256.

    Yields:
        First row, and the row after the last.
    """
    start, count = 0, len(signature.n)
    while start < count:
        end = start + 1
        while end < count and distances(signature.whole[end], signature.whole[start]) <= distance:
            end += 1
        yield start, end
        start = end


def beyond_cap(signature: Signature, distance: int, most: int) -> tuple[Span, ...]:
    """The seconds of a video that are left out so that no scene has more than ``most`` hashed frames.

    Those that stay are spread over the scene, its first frame among them.

    Args:
        signature: Of the video.
        distance: As for `scenes`.
        most: Frames of a scene that may stay; 0 for all.

    Returns:
        Spans in order, apart from one another.
    """
    if not most:
        return ()
    out = np.zeros(len(signature.n), bool)
    for start, end in scenes(signature, distance):
        if end - start > most:
            out[start:end] = True
            out[start + np.arange(most) * (end - start) // most] = False
    times = signature.timestamps
    found = []
    for left_out, run in itertools.groupby(range(len(out)), key=lambda row: bool(out[row])):
        rows = list(run)
        if left_out:
            after = rows[-1] + 1
            end = times[rows[-1]] + signature.spacing
            found.append((float(times[rows[0]]), float(min(end, times[after]) if after < len(times) else end)))
    return tuple(found)
