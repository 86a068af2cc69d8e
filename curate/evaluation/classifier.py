"""Figures of a frame classifier on labelled frames: totals, sources, calibration, uncertain frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.evaluation.labels import Families, LabelledFrame, even_weights
from curate.evaluation.statistics import calibration_error, precision_at_recall, wilson
from curate.records import NON_SURGICAL, SURGICAL

Floats = npt.NDArray[np.float64]

RECALLS = (0.95, 0.98, 0.99)
"""Recalls at which precision is reported."""

WEIGHINGS = {"frames": "every frame alike", "sources": "sources by the root of their size, labels alike"}
"""Key in the figures, and in words."""


@dataclass(frozen=True)
class Scored:
    """Labelled frames with what a classifier said of them.

    Attributes:
        frames: The frames.
        p: float64 (N,), probability of surgery in 0..1.
        threshold: Frames at or above it count as surgical.
        uncertain: ``(low, high)``: frames with ``low <= p < high`` are uncertain.
    """

    frames: Sequence[LabelledFrame]
    p: Floats
    threshold: float
    uncertain: tuple[float, float]

    @property
    def truth(self) -> npt.NDArray[np.bool_]:
        """Labels, (N,)."""
        return np.array([frame.surgical for frame in self.frames], bool)

    @property
    def wrong(self) -> npt.NDArray[np.bool_]:
        """Frames on the wrong side of the threshold, (N,)."""
        return (self.p >= self.threshold) != self.truth

    @property
    def unsure(self) -> npt.NDArray[np.bool_]:
        """Frames in the uncertain band, (N,)."""
        return (self.p >= self.uncertain[0]) & (self.p < self.uncertain[1])

    def weights(self, weighing: str) -> Floats:
        """Weights of a key of `WEIGHINGS`, (N,), summing to 1."""
        if weighing == "frames":
            return np.full(len(self.p), 1 / len(self.p))
        return even_weights(self.frames, Families({}), 0.5)


def figures(scored: Scored) -> dict[str, Any]:
    """All figures, ready for JSON.

    Returns:
        ``frames``, ``threshold``, ``uncertain``; ``confusion``, counts by label and answer; under ``weighing``, for
        each key of `WEIGHINGS`, precision, recall, ``precision_at_recall`` and ``calibration_error``;
        ``uncertain_frames`` and ``uncertain_errors``; ``sources``, a row for each source and label with Wilson's 95 %
        interval. A precision is ``None`` where no frame is taken for surgical.
    """
    truth, wrong, unsure = scored.truth, scored.wrong, scored.unsure
    rows = []
    for surgical in (True, False):
        mine = np.array([frame.source if frame.surgical == surgical else None for frame in scored.frames], object)
        for source in sorted({name for name in mine if name is not None}):
            here = mine == source
            count, right = int(here.sum()), int((here & ~wrong).sum())
            rows.append(
                {
                    "source": source,
                    "label": SURGICAL if surgical else NON_SURGICAL,
                    "frames": count,
                    "groups": len({f.group for f, taken in zip(scored.frames, here, strict=True) if taken}),
                    "right": right,
                    "accuracy": right / count,
                    "interval": wilson(right, count),
                    "uncertain": int((here & unsure).sum()),
                }
            )
    return {
        "frames": len(scored.frames),
        "threshold": scored.threshold,
        "uncertain": list(scored.uncertain),
        "confusion": {
            SURGICAL: {SURGICAL: int((truth & ~wrong).sum()), NON_SURGICAL: int((truth & wrong).sum())},
            NON_SURGICAL: {SURGICAL: int((~truth & wrong).sum()), NON_SURGICAL: int((~truth & ~wrong).sum())},
        },
        "weighing": {name: _weighed(scored, scored.weights(name)) for name in WEIGHINGS},
        "uncertain_frames": int(unsure.sum()),
        "uncertain_errors": int((unsure & wrong).sum()),
        "sources": rows,
    }


def _weighed(scored: Scored, weights: Floats) -> dict[str, Any]:
    truth, taken = scored.truth, scored.p >= scored.threshold
    found = float((weights * (taken & truth)).sum())
    reached = {}
    for recall in RECALLS:
        precision, threshold = precision_at_recall(scored.p, truth, recall, weights)
        reached[str(recall)] = {"precision": precision, "threshold": threshold}
    return {
        "precision": found / float((weights * taken).sum()) if taken.any() else None,
        "recall": found / float((weights * truth).sum()),
        "precision_at_recall": reached,
        "calibration_error": calibration_error(scored.p, truth, weights),
    }


def markdown(result: dict[str, Any]) -> str:
    """The figures as a Markdown table of sources and lines of totals."""
    lines = ["| source | label | frames | groups | right | accuracy | 95 % interval | uncertain |", "|---" * 8 + "|"]
    for row in result["sources"]:
        low, high = row["interval"]
        cells = (row["source"], row["label"], row["frames"], row["groups"], row["right"], f"{row['accuracy']:.4f}")
        lines.append("| " + " | ".join(map(str, (*cells, f"{low:.4f} to {high:.4f}", row["uncertain"]))) + " |")
    low, high = result["uncertain"]
    lines += ["", f"Threshold {result['threshold']:g}, uncertain from {low:g} to {high:g}.", ""]
    for name, words in WEIGHINGS.items():
        part = result["weighing"][name]
        at = ", ".join(
            f"{entry['precision']:.4f} at recall {recall} (threshold {entry['threshold']:.3f})"
            for recall, entry in part["precision_at_recall"].items()
        )
        precision = "none" if part["precision"] is None else f"{part['precision']:.4f}"
        lines.append(
            f"- Weighing {words}: precision {precision}, recall {part['recall']:.4f} at the threshold; "
            f"precision {at}; calibration error {part['calibration_error']:.4f}."
        )
    errors = result["frames"] - sum(row["right"] for row in result["sources"])
    lines.append(
        f"- Uncertain: {result['uncertain_frames']} of {result['frames']} frames, with {result['uncertain_errors']} of "
        f"the {errors} errors."
    )
    return "\n".join(lines)
