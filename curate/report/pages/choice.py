"""Which seconds of a video are shown, and why each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN
from curate.report.pages.facts import VERDICTS, Judged, VideoFacts

SPREAD = 6
"""Seconds shown of those kept, of those dropped, of the uncertain ones and of those with findings, over the video."""

WORST = 4
"""Seconds shown of a video of those that are least sure, that smoothing flipped, and that masks cover most."""

WHYS = ("kept", "dropped", "uncertain", "least sure", "flipped", "masked", "finding")
"""Why a second is shown, in the order of the pages."""


def choose(facts: VideoFacts) -> dict[int, list[str]]:
    """Rows of a video's verdicts to show.

    Args:
        facts: Of the video.

    Returns:
        By row, rising: which of `WHYS` speak for it. Empty for a video without verdicts.
    """
    judged = facts.judged
    if judged is None:
        return {}
    surgical, unsure = (judged.verdict == VERDICTS.index(name) for name in (SURGICAL, UNCERTAIN))
    dropped = ~judged.kept | (judged.verdict == VERDICTS.index(NON_SURGICAL))
    covered = facts.covered
    share = np.array([covered.get(int(n), 0.0) for n in judged.n])
    found = np.isin(judged.n, list(facts.findings)) if facts.findings else np.zeros(len(judged.n), bool)
    picked = {
        "kept": spread(np.flatnonzero(judged.kept & surgical), SPREAD),
        "dropped": spread(np.flatnonzero(dropped & ~unsure), SPREAD),
        "uncertain": spread(np.flatnonzero(unsure), SPREAD),
        "least sure": worst(doubt(judged), WORST),
        "flipped": worst(np.where(judged.flipped, np.abs(judged.smoothed - judged.p), 0.0), WORST),
        "masked": worst(share, WORST),
        "finding": spread(np.flatnonzero(found), SPREAD),
    }
    rows = sorted({row for chosen in picked.values() for row in chosen})
    return {row: [why for why in WHYS if row in picked[why]] for row in rows}


def doubt(judged: Judged) -> npt.NDArray[np.float64]:
    """How unsure each verdict is: 1 at the threshold, 0 at a probability of 0 or 1; (N,)."""
    p, threshold = judged.smoothed, judged.threshold
    side = np.where(p >= threshold, 1 - threshold, threshold)
    return np.clip(1 - np.abs(p - threshold) / np.maximum(side, 1e-9), 0, 1)


def spread(rows: npt.NDArray[np.intp], most: int) -> list[int]:
    """At most so many of some rows, evenly spread over them."""
    if len(rows) <= most:
        return [int(row) for row in rows]
    return [int(row) for row in rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]]


def worst(values: npt.NDArray[np.float64], most: int) -> list[int]:
    """The rows of the largest values above nothing, at most so many, no two within three rows: they look alike."""
    chosen: list[int] = []
    for row in np.argsort(-values, kind="stable"):
        if len(chosen) == most or values[row] <= 0.01:
            break
        if all(abs(int(row) - other) > 3 for other in chosen):
            chosen.append(int(row))
    return sorted(chosen)


def runs_of(values: Sequence[object]) -> list[tuple[int, int]]:
    """Stretches of equal values: first row and the row after the last."""
    edges = [0, *(i for i in range(1, len(values)) if values[i] != values[i - 1]), len(values)]
    return [(a, b) for a, b in itertools.pairwise(edges) if a < b]
