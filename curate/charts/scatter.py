"""Points in the plane, coloured by group, with a legend that names the groups."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from curate.charts.svg import GROUPS, OTHERS, WIDTH, figure, shortened, text
from curate.files.text import printable

_TOP, _HIGH, _EDGE, _RADIUS = 8, 300, 6, 2.2
_LINE = 18


@dataclass(frozen=True)
class Group:
    """Points of one kind.

    Attributes:
        name: Untrusted text.
        points: Places ``(x, y)``, y upwards, in any unit.
    """

    name: str
    points: Sequence[tuple[float, float]]


def scatter(title: str, groups: Sequence[Group], others: Group | None = None, *, across: str, up: str) -> str:
    """A map of points; both axes have the same scale.

    Args:
        title: What is shown.
        groups: At most as many as there are `curate.charts.svg.GROUPS`, each in a colour of its own.
        others: What belongs to none of them, in grey and below.
        across: What the x axis is.
        up: What the y axis is.

    Returns:
        SVG.

    Raises:
        ValueError: There are more groups than colours.
    """
    if len(groups) > len(GROUPS):
        raise ValueError(f"{len(groups)} groups, and only {len(GROUPS)} colours tell them apart")
    drawn = [(others, OTHERS)] if others is not None and others.points else []
    drawn += list(zip(groups, GROUPS, strict=False))
    place = _Places([point for group, _ in drawn for point in group.points])
    parts = [f'<rect class="frame" x="0.5" y="{_TOP}" width="{WIDTH - 1}" height="{_HIGH}"/>']
    for group, kind in drawn:
        dots = "".join(place.dot(point) for point in group.points)
        words = html.escape(printable(f"{group.name}: {len(group.points):,}"))
        parts.append(f'<g class="{kind}"><title>{words}</title>{dots}</g>')
    base = _TOP + _HIGH
    parts.append(text(0, base + 15, f"across: {across}; up: {up}", "soft"))
    y = base + 24.0
    for group, kind in [*drawn[len(drawn) - len(groups) :], *drawn[: len(drawn) - len(groups)]]:
        parts.append(f'<circle class="{kind}" cx="6" cy="{y + 7:g}" r="5"/>')
        count = f"{len(group.points):,}"
        parts.append(text(18, y + 11, shortened(group.name, WIDTH - 30 - 7.0 * len(count))))
        parts.append(text(WIDTH, y + 11, count, "soft end"))
        y += _LINE
    words = "; ".join(f"{group.name}: {len(group.points):,} points" for group, _ in drawn)
    return figure(parts, y + 4, title, words)


class _Places:
    """Where points lie on the plot: all of them fit, and a unit is as long across as up."""

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        xs, ys = [x for x, _ in points] or [0.0], [y for _, y in points] or [0.0]
        room = (WIDTH - 2 * _EDGE, _HIGH - 2 * _EDGE)
        spans = (max(xs) - min(xs), max(ys) - min(ys))
        self._scale = min(room[i] / spans[i] if spans[i] else float("inf") for i in range(2))
        if self._scale == float("inf"):
            self._scale = 1.0
        self._middle = ((max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2)

    def dot(self, point: tuple[float, float]) -> str:
        x = WIDTH / 2 + (point[0] - self._middle[0]) * self._scale
        y = _TOP + _HIGH / 2 - (point[1] - self._middle[1]) * self._scale
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}"/>'
