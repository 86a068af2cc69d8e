"""Verdicts of whole videos against their truth: accuracy second by second, and the error of the cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curate.evaluation.truth import Truth
from curate.records import SURGICAL, UNCERTAIN
from curate.workspace.tables.verdicts import read_threshold, read_verdicts


@dataclass(frozen=True)
class VideoResult:
    """One video compared with its truth.

    Attributes:
        video: Id.
        frames: Sampled frames that the truth says something about.
        right: Those judged as the truth says; uncertain ones by the side of the threshold they are on.
        uncertain: Frames marked uncertain.
        wrong: Numbers ``n`` of the frames judged otherwise.
        kept: Start and end of the kept part in seconds; ``None`` where nothing is kept.
        truth: The same by the truth.
    """

    video: str
    frames: int
    right: int
    uncertain: int
    wrong: tuple[int, ...]
    kept: tuple[float, float] | None
    truth: tuple[float, float] | None

    @property
    def trim_error(self) -> tuple[float, float] | None:
        """Seconds by which start and end are off; (0, 0) where rightly nothing is kept, ``None`` where wrongly."""
        if self.kept and self.truth:
            return abs(self.kept[0] - self.truth[0]), abs(self.kept[1] - self.truth[1])
        return (0.0, 0.0) if self.kept is self.truth else None


def compare(video: str, verdicts: Path, truth: Truth, min_run: float) -> VideoResult:
    """Compare a table of the trim stage with the truth.

    Args:
        video: Id.
        verdicts: Its ``verdicts`` table.
        truth: Its segments.
        min_run: Seconds of surgery in a row that start and end the kept part, as in the trim stage.

    Raises:
        BadArtefact: The table cannot be read.
    """
    import numpy as np

    from curate.verdicts.rules import durations

    threshold = read_threshold(verdicts)
    rows = list(read_verdicts(verdicts))
    seconds = durations(np.array([row.timestamp for row in rows], np.float64))
    kept: list[tuple[float, float]] = []
    frames, uncertain, wrong = 0, 0, []
    for row, lasts in zip(rows, seconds, strict=True):
        if row.kept:
            kept.append((row.timestamp, row.timestamp + float(lasts)))
        expected = truth.at(row.timestamp)
        if expected is None:
            continue
        unsure = row.verdict == UNCERTAIN
        said = row.p_surgical >= threshold if unsure else row.verdict == SURGICAL
        frames, uncertain = frames + 1, uncertain + unsure
        if said != expected:
            wrong.append(row.n)
    part = (kept[0][0], kept[-1][1]) if kept else None
    return VideoResult(video, frames, frames - len(wrong), uncertain, tuple(wrong), part, truth.span(min_run))


def summary(results: Sequence[VideoResult]) -> dict[str, Any]:
    """Totals over videos, and every video, ready for JSON.

    Returns:
        ``frames``, ``right``, ``accuracy`` with its ``interval`` (Wilson, 95 %), ``largest_trim_error`` in seconds over
        the videos of which something is rightly kept, ``wrongly_kept_or_dropped`` (ids), and ``videos``.
    """
    from curate.evaluation.statistics import wilson

    frames, right = sum(r.frames for r in results), sum(r.right for r in results)
    errors = [error for r in results if (error := r.trim_error)]
    return {
        "frames": frames,
        "right": right,
        "accuracy": right / frames if frames else None,
        "interval": wilson(right, frames),
        "largest_trim_error": max((max(error) for error in errors), default=None),
        "wrongly_kept_or_dropped": [r.video for r in results if r.trim_error is None],
        "videos": [asdict(r) | {"trim_error": r.trim_error} for r in results],
    }


def markdown(results: Sequence[VideoResult]) -> str:
    """The results as a Markdown table and a line of totals."""
    lines = [
        "| video | frames | right | accuracy | uncertain | wrong at n | kept, s | truth, s | trim error, s |",
        "|---" * 9 + "|",
    ]
    for r in results:
        accuracy = f"{r.right / r.frames:.4f}" if r.frames else ""
        wrong = " ".join(map(str, r.wrong[:8])) + (" ..." if len(r.wrong) > 8 else "")
        error = "all" if r.trim_error is None else f"{r.trim_error[0]:.2f}, {r.trim_error[1]:.2f}"
        cells = (r.video, r.frames, r.right, accuracy, r.uncertain, wrong, _part(r.kept), _part(r.truth), error)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    total = summary(results)
    if total["frames"]:
        low, high = total["interval"]
        counts = f"{total['right']} of {total['frames']}, {total['accuracy']:.4f} ({low:.4f} to {high:.4f})"
        lines += ["", f"Frame by frame: {counts}."]
    return "\n".join(lines)


def _part(part: tuple[float, float] | None) -> str:
    return f"{part[0]:.2f} to {part[1]:.2f}" if part else "nothing"
