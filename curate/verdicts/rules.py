"""From probabilities to verdicts, and LEMON's trim rule over them. Pure functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NEW_SHOT = 0.35
"""Change from which on two frames, a second apart, are taken for two shots. Of 261 pairs of six assembled videos, those
inside of continuous camera work were below 0.27, those where surgery began or ended above 0.6."""

LONGEST = 2.0
"""A frame stands for at most so many typical intervals, so that a hole in the timestamps makes no run."""


@dataclass(frozen=True)
class Cut:
    """The kept part: from frame ``start`` to ``stop``, exclusive, as row numbers."""

    start: int
    stop: int


def judge(p_surgical: Floats, threshold: float, band: tuple[float, float]) -> npt.NDArray[np.str_]:
    """Name each frame's verdict.

    Args:
        p_surgical: (N,), in 0..1.
        threshold: Frames at or above it are surgical.
        band: ``(low, high)``: frames with ``low <= p < high`` are uncertain, whichever side of the threshold they are
            on; an empty band marks none.

    Returns:
        str (N,) of ``surgical``, ``non-surgical`` and ``uncertain``.
    """
    low, high = band
    verdicts = np.where(p_surgical >= threshold, SURGICAL, NON_SURGICAL)
    return np.where((p_surgical >= low) & (p_surgical < high), UNCERTAIN, verdicts)


def durations(timestamps: Floats) -> Floats:
    """Seconds each sampled frame stands for: until the next one, the last for as long as is typical.

    The typical interval is the median. No frame stands for more than `LONGEST` of it.

    Args:
        timestamps: (N,), not falling, in seconds.

    Returns:
        (N,), seconds; zeros for a lone frame, whose interval is unknown.
    """
    if len(timestamps) < 2:
        return np.zeros(len(timestamps))
    gaps = np.diff(timestamps)
    typical = float(np.median(gaps))
    return np.minimum(np.append(gaps, typical), LONGEST * typical)


def runs(flags: Bools) -> list[Cut]:
    """Longest stretches of consecutive true rows, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    return [Cut(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def still(surgical: Bools, timestamps: Floats, changes: Floats, least: float) -> Bools:
    """Which surgical frames belong to a run that is one still picture: a slide, a photograph with a caption.

    Surgery moves, also where the camera rests: of the surgical shots of six assembled videos the stillest changed by
    0.04 a second, still slides by 0.01 at most.

    Args:
        surgical: (N,), the frames that count for runs.
        timestamps: (N,), not falling, in seconds.
        changes: (N,), in 0..1: how far each picture is from the one before; see `curate.vision.colour_change`.
        least: Mean change a second inside a run below which it is still; 0 finds none.

    Returns:
        bool (N,); a run of one frame shows no change, and is none of them.
    """
    found = np.zeros(len(surgical), bool)
    for run in runs(surgical):
        seconds = timestamps[run.stop - 1] - timestamps[run.start]
        if seconds > 0 and changes[run.start + 1 : run.stop].sum() < least * seconds:
            found[run.start : run.stop] = True
    return found


def trim(surgical: Bools, timestamps: Floats, min_run: float) -> Cut | None:
    """Cut to the part from the start of the first long run of surgical frames to the end of the last one.

    This is LEMON's rule (visurg-ai/LEMON, ``src/video_processor.py``, ``cut_video``), which works at 1 frame a second
    and asks for three consecutive surgical frames. Here a run lasts as long as its frames stand for (`durations`), so
    that three frames at 1 a second are 3 s, and 75 are at 25 a second. Half a typical interval is forgiven, because
    the frame on screen at second n began a little before it.

    Args:
        surgical: (N,), the frames that count for runs.
        timestamps: (N,), not falling, in seconds.
        min_run: Seconds; at 0 any surgical frame is a run.

    Returns:
        The kept rows, or ``None`` where no run is long enough.
    """
    seconds = durations(timestamps)
    allowance = float(np.median(np.diff(timestamps))) / 2 if len(timestamps) > 1 else 0.0
    long = [run for run in runs(surgical) if seconds[run.start : run.stop].sum() >= min_run - allowance]
    return Cut(long[0].start, long[-1].stop) if long else None


def moved(cut: Cut | None, timestamps: Floats, start: float | None, end: float | None) -> Cut | None:
    """A cut whose edges a person may have moved.

    Args:
        cut: As the verdicts have it.
        timestamps: (N,), not falling, in seconds.
        start: Second from which frames are kept, or ``None`` to leave the start.
        end: Second from which they no longer are, or ``None``.

    Returns:
        The kept rows; ``None`` where nothing is left, or where the verdicts keep nothing and one edge only is given.
    """
    if cut is None and (start is None or end is None):
        return None
    first = int(np.searchsorted(timestamps, start - 1e-6)) if start is not None else cut.start if cut else 0
    stop = int(np.searchsorted(timestamps, end - 1e-6)) if end is not None else cut.stop if cut else 0
    return Cut(first, stop) if first < stop else None


def smooth(p_surgical: Floats, timestamps: Floats, changes: Floats, stay: float, stay_cut: float) -> Floats:
    """Weigh each frame's probability by those of its neighbours in time, those of the same shot above all.

    The posterior of a two-state Markov chain by the forward-backward recursion (L. Rabiner, Proc. IEEE 77, 1989):
    the calibrated probabilities are the evidence, under even odds, and the chain stays in its state over one second
    with probability ``stay``, or ``stay_cut`` where the shot changes; over other intervals, as often as that rate
    implies.

    Args:
        p_surgical: (N,), in 0..1.
        timestamps: (N,), not falling, in seconds.
        changes: (N,), in 0..1: how far each picture is from the one before; see `curate.vision.colour_change`.
        stay: From 0.5 (frames say nothing of each other) to 1, exclusive.
        stay_cut: Likewise.

    Returns:
        (N,), in 0..1.
    """
    if len(p_surgical) < 2:
        return p_surgical.copy()
    seen = np.clip(np.stack([p_surgical, 1 - p_surgical], axis=1), 1e-6, 1)
    chance = np.where(changes[1:] < NEW_SHOT, stay, stay_cut)
    kept = 0.5 + 0.5 * (2 * chance - 1) ** np.diff(timestamps)
    forward, backward = seen.copy(), np.ones_like(seen)
    forward[0] /= forward[0].sum()
    for i in range(1, len(seen)):
        moved = kept[i - 1] * forward[i - 1] + (1 - kept[i - 1]) * forward[i - 1][::-1]
        forward[i] *= moved
        forward[i] /= forward[i].sum()
    for i in range(len(seen) - 2, -1, -1):
        later = seen[i + 1] * backward[i + 1]
        backward[i] = kept[i] * later + (1 - kept[i]) * later[::-1]
        backward[i] /= backward[i].sum()
    posterior = forward * backward
    return posterior[:, 0] / posterior.sum(axis=1)
