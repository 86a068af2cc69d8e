"""A histogram: how many there are of each size."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from curate.charts.svg import WIDTH, bar, figure, legend, text

_LEFT, _TOP, _HIGH = 44, 24, 120


def histogram(
    title: str,
    edges: Sequence[float],
    series: Sequence[tuple[str, str, Sequence[float]]],
    *,
    across: str,
    up: str,
    said: Callable[[float], str] = "{:g}".format,
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """Counts by bins of the same width on the plot, series stacked.

    Args:
        title: What is shown.
        edges: Of the bins, rising: one more than there are bins.
        series: Name, class of colour (`curate.charts.svg.KINDS`) and counts of each; a legend is drawn if there are
            several.
        across: What the bins are of, with its unit.
        up: What is counted.
        said: Puts an edge into words.
        marks: Values at which a line is drawn, with its words.

    Returns:
        SVG.
    """
    bins = len(edges) - 1
    totals = [sum(counts[i] for _, _, counts in series) for i in range(bins)]
    most = max(totals, default=0) or 1
    parts: list[str] = [text(0, 12, up, "soft")]
    base, step = _TOP + _HIGH, (WIDTH - _LEFT - 8) / bins
    for share in (0.5, 1.0):
        y = base - share * _HIGH
        parts.append(f'<line class="rule" x1="{_LEFT}" x2="{WIDTH}" y1="{y:g}" y2="{y:g}"/>')
        parts.append(text(_LEFT - 6, y + 4, _count(most * share), "soft end"))
    for i in range(bins):
        y = float(base)
        for name, kind, counts in series:
            if counts[i]:
                height = max(1.0, counts[i] / most * _HIGH)
                y -= height
                words = f"{said(edges[i])} to {said(edges[i + 1])}, {name}: {counts[i]:,.0f}"
                parts.append(bar(_LEFT + i * step + 0.5, y, step - 1, height, kind, words))
    parts.append(f'<line class="rule" x1="{_LEFT}" x2="{WIDTH}" y1="{base}" y2="{base}"/>')
    every = max(1, -(-bins // 5))
    for i in range(0, bins + 1, every):
        parts.append(text(_LEFT + i * step, base + 15, said(edges[i]), "soft mid" if i < bins else "soft end"))
    for value, words in marks:
        x = _LEFT + _place(value, edges) * step
        parts.append(f'<line class="mark" x1="{x:.5g}" x2="{x:.5g}" y1="{_TOP - 4}" y2="{base}"/>')
        parts.append(text(min(x, WIDTH - 4), _TOP - 8, words, "soft end" if x > WIDTH / 2 else "soft"))
    parts.append(text((WIDTH + _LEFT) / 2, base + 32, across, "soft mid"))
    height = float(base + 40)
    if len(series) > 1:
        drawn, height = legend([(name, kind) for name, kind, _ in series], height)
        parts.append(drawn)
    peak = max(range(bins), key=totals.__getitem__)
    words = f"{sum(totals):,.0f} in all, most ({totals[peak]:,.0f}) from {said(edges[peak])} to {said(edges[peak + 1])}"
    return figure(parts, height, title, words)


def _count(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.0f}" if value >= 2 or value == int(value) else f"{value:.1f}"


def _place(value: float, edges: Sequence[float]) -> float:
    """Where a value lies, in bins from the left."""
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        if value <= high:
            return i + max(0.0, (value - low) / (high - low))
    return float(len(edges) - 1)
