"""Plots of a classifier's answers: precision and recall, reliability, confusion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from curate.evaluation.classifier import RECALLS, WEIGHINGS, Floats, Scored
from curate.evaluation.statistics import calibration_error, precision_at_recall, wilson
from curate.records import NON_SURGICAL, SURGICAL

BINS = 15
"""Of the reliability plot; as many as `calibration_error` uses."""


def write_plots(scored: Scored, folder: Path) -> list[Path]:
    """Write ``precision_recall.png``, ``reliability.png`` and ``confusion.png``; returns their paths."""
    drawn = {
        "precision_recall": precision_recall(scored),
        "reliability": reliability(scored),
        "confusion": confusion(scored),
    }
    written = []
    for name, figure in drawn.items():
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=120, metadata={"Software": None})
        written.append(path)
    return written


def curve(p: Floats, surgical: np.ndarray, weights: Floats) -> tuple[Floats, Floats]:
    """Recall and precision at every threshold that a frame's probability makes, from the highest down."""
    order = np.argsort(-p, kind="stable")
    found, taken = np.cumsum((weights * surgical)[order]), np.cumsum(weights[order])
    last = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    return found[last] / found[-1], found[last] / taken[last]


def precision_recall(scored: Scored) -> Figure:
    """Precision over recall, for each weighing, with the operating point."""
    figure, axes = _figure("Recall of surgical frames", "Precision")
    for (weighing, words), colour in zip(WEIGHINGS.items(), ("tab:blue", "tab:orange"), strict=True):
        weights = scored.weights(weighing)
        recall, precision = curve(scored.p, scored.truth, weights)
        axes.plot(recall, precision, color=colour, label=words, drawstyle="steps-post")
        taken = scored.p >= scored.threshold
        if taken.any():
            found = float((weights * (taken & scored.truth)).sum())
            point = found / float((weights * scored.truth).sum()), found / float((weights * taken).sum())
            axes.plot(*point, "o", color=colour, label=f"threshold {scored.threshold:g}")
    for recall_wanted in RECALLS:
        axes.axvline(recall_wanted, color="0.85", linewidth=0.8, zorder=0)
    worst = min(precision_at_recall(scored.p, scored.truth, RECALLS[-1], scored.weights(name))[0] for name in WEIGHINGS)
    margin = max(0.02, (1 - worst) / 2)
    axes.set(xlim=(0.5, 1.005), ylim=(max(0.0, worst - margin), 1 + margin / 10))
    axes.legend(loc="lower left", fontsize=8)
    return figure


def reliability(scored: Scored) -> Figure:
    """Share of surgical frames over the probability said, in even bins, with Wilson's intervals and counts."""
    figure, axes = _figure("p_surgical", "Share of frames that are surgical")
    index = np.minimum((scored.p * BINS).astype(int), BINS - 1)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, zorder=0)
    for number in range(BINS):
        mine = index == number
        count, surgical = int(mine.sum()), int((mine & scored.truth).sum())
        if not count:
            continue
        low, high = wilson(surgical, count)
        said, share = float(scored.p[mine].mean()), surgical / count
        axes.errorbar(
            said, share, [[max(0.0, share - low)], [max(0.0, high - share)]], fmt="o", color="tab:blue", capsize=2
        )
        axes.annotate(str(count), (said, share), (4, 4), textcoords="offset points", fontsize=7, color="0.3")
    axes.axvspan(*scored.uncertain, color="tab:orange", alpha=0.15, label="uncertain")
    axes.axvline(scored.threshold, color="tab:orange", label=f"threshold {scored.threshold:g}")
    error = calibration_error(scored.p, scored.truth, bins=BINS)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.05, 1.08), title=f"expected calibration error {error:.4f}")
    axes.legend(loc="upper left", fontsize=8)
    return figure


def confusion(scored: Scored) -> Figure:
    """Counts by label and answer."""
    figure, axes = _figure("Answer", "Label")
    said = scored.p >= scored.threshold
    counts = np.array([[int(((scored.truth == t) & (said == s)).sum()) for s in (True, False)] for t in (True, False)])
    shares = counts / counts.sum(axis=1, keepdims=True)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(2):
        for column in range(2):
            colour = "white" if shares[row, column] > 0.5 else "black"
            text = f"{counts[row, column]}\n{shares[row, column]:.2%}"
            axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks([0, 1], [SURGICAL, NON_SURGICAL])
    axes.set_yticks([0, 1], [SURGICAL, NON_SURGICAL], rotation=90, va="center")
    axes.set_title(f"threshold {scored.threshold:g}", fontsize=10)
    return figure


def _figure(across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=across, ylabel=up)
    return figure, axes
