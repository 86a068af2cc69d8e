"""Horizontal bars, one row a category, its name above it: names are long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curate.charts.svg import WIDTH, bar, figure, legend, shortened, text

_ROW, _BAR = 34, 12


@dataclass(frozen=True)
class Row:
    """One category.

    Attributes:
        name: Untrusted text.
        values: One for each series, not negative.
        note: Words at its right end; the sum of the values if empty.
    """

    name: str
    values: tuple[float, ...]
    note: str = ""


def _plain(value: float) -> str:
    return f"{value:,.0f}"


def bars(
    title: str,
    series: Sequence[tuple[str, str]],
    rows: Sequence[Row],
    *,
    said: Callable[[float], str] = _plain,
) -> str:
    """Bars of stacked series.

    Args:
        title: What is shown.
        series: Name and class of colour (`curate.charts.svg.KINDS`) of each; a legend is drawn if there are several.
        rows: Categories, in order.
        said: Puts a value into words.

    Returns:
        SVG.
    """
    parts: list[str] = []
    y = 0.0
    if len(series) > 1:
        drawn, y = legend(series, 0)
        parts.append(drawn)
    most = max((sum(row.values) for row in rows), default=0) or 1
    words = []
    for row in rows:
        note = row.note or said(sum(row.values))
        parts.append(text(0, y + 13, shortened(row.name, WIDTH - 7.0 * len(note) - 12)))
        parts.append(text(WIDTH, y + 13, note, "soft end"))
        x = 0.0
        parts.append(f'<line class="rule" x1="0" x2="{WIDTH}" y1="{y + 18 + _BAR:g}" y2="{y + 18 + _BAR:g}"/>')
        for (name, kind), value in zip(series, row.values, strict=True):
            if value:
                width = max(1.0, value / most * WIDTH)
                parts.append(bar(min(x, WIDTH - 1), y + 18, width, _BAR, kind, f"{row.name}, {name}: {said(value)}"))
                x += width
        words.append(f"{row.name}: {note}")
        y += _ROW
    return figure(parts, max(y, 20), title, "; ".join(words))
