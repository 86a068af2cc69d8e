"""The frame of every plot: its size, its words for those who cannot see it, its legend, its colours in light and dark.

A plot is 400 units wide, so that its letters stay legible on a telephone. It names colours by class only; `STYLE` gives
them: a page links it once, a file of its own carries it (`standalone`).
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from curate.files.text import printable

WIDTH = 400
"""Of every plot, in its own units: pixels where there is room."""

KINDS = ("good", "bad", "unsure", "plain", "wait")
"""Classes of colour: what is kept, what failed, what is uncertain, what just is or was dropped, what waits."""

GROUPS = ("g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8")
"""Classes of colour of groups that have no order, told apart by people who see few colours too (Okabe and Ito)."""

OTHERS = "others"
"""Class of colour of what belongs to no group."""

_HEADING = 26
"""Height of the heading of a plot of its own."""

_CHARACTER = 6.4
"""Width of a character of the plots' letters, in units, as is typical."""

STYLE = """\
.chart { --ink: #18212b; --soft: #566373; --line: #d5dce3; --good: #0f766e; --bad: #be123c; --unsure: #b45309;
  --plain: #64748b; --wait: #cbd5e1; --g1: #0072b2;
  --g7: #8b6914; --g8: #7f3fbf; font: 12px system-ui, sans-serif; max-width: 100%; height: auto }
@media (prefers-color-scheme: dark) { .chart { --ink: #e6ebf0; --soft: #a3b0bd; --line: #35414d; --good: #2dd4bf;
  --bad: #fb7185; --unsure: #fbbf24; --plain: #94a3b8; --wait: #475569; --g1: #4da3e0; --g7: #b8923a; --g8: #a97be0 } }
.chart text { fill: var(--ink); unicode-bidi: isolate } .chart .soft { fill: var(--soft); font-size: 11px }
.chart .head { font-size: 14px; font-weight: 600 } .chart .end { text-anchor: end } .chart .mid { text-anchor: middle }
.chart .rule { stroke: var(--line); stroke-width: 1 } .chart .mark { stroke: var(--ink); stroke-dasharray: 3 2 }
.chart .good { fill: var(--good) } .chart .bad { fill: var(--bad) } .chart .unsure { fill: var(--unsure) }
.chart .plain { fill: var(--plain) } .chart .wait { fill: var(--wait) }
.chart .frame { fill: none; stroke: var(--line) } .chart .others { fill: var(--wait) } .chart .g1 { fill: var(--g1) }
.chart .g2 { fill: #e69f00 } .chart .g3 { fill: #009e73 } .chart .g4 { fill: #cc79a7 } .chart .g5 { fill: #d55e00 }
.chart .g6 { fill: #56b4e9 } .chart .g7 { fill: var(--g7) } .chart .g8 { fill: var(--g8) }
"""
"""CSS of all plots."""


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Words at a place; those of strangers are escaped and steer nothing."""
    extra = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{extra}>{html.escape(printable(words))}</text>'


def shortened(words: str, room: float) -> str:
    """Words that fit into so many units."""
    return printable(words, max(2, int(room / _CHARACTER)))


def bar(x: float, y: float, width: float, height: float, kind: str, words: str) -> str:
    """A filled rectangle that tells its value when it is pointed at."""
    said = f"<title>{html.escape(printable(words))}</title>"
    return f'<rect class="{kind}" x="{x:.5g}" y="{y:.5g}" width="{width:.5g}" height="{height:.5g}">{said}</rect>'


def legend(names: Sequence[tuple[str, str]], y: float) -> tuple[str, float]:
    """A row of coloured squares with words, broken where it is too wide.

    Args:
        names: Words and class of each.
        y: Upper edge.

    Returns:
        The parts, and their lower edge.
    """
    parts, x = [], 0.0
    for words, kind in names:
        width = 22 + _CHARACTER * len(words)
        if x and x + width > WIDTH:
            x, y = 0.0, y + 18
        parts.append(f'<rect class="{kind}" x="{x:g}" y="{y + 2:g}" width="10" height="10" rx="2"/>')
        parts.append(text(x + 14, y + 11, words, "soft"))
        x += width
    return "".join(parts), y + 20


def figure(parts: Sequence[str], height: float, title: str, description: str) -> str:
    """The whole plot.

    Args:
        parts: Its elements.
        height: In units.
        title: What it shows.
        description: The same in words, for those who cannot see it.
    """
    return (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" '
        f'height="{height:g}" role="img"><title>{html.escape(printable(title))}</title>'
        f"<desc>{html.escape(printable(description))}</desc>{''.join(parts)}</svg>"
    )


def standalone(chart: str, heading: str = "") -> str:
    """A plot as a file of its own, with its colours in it.

    Args:
        chart: As `figure` makes it.
        heading: Stands above it, if given.
    """
    head, _, rest = chart.partition(">")
    if not heading:
        return f"{head}><style>{STYLE}</style>{rest}\n"
    height = float(head.rpartition('height="')[2].partition('"')[0]) + _HEADING
    whole = f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}"'
    words = text(0, 14, shortened(heading, WIDTH), "head")
    inner = f'{head} y="{_HEADING}">{rest}'
    return f'{whole} width="{WIDTH}" height="{height:g}"><style>{STYLE}</style>{words}{inner}</svg>\n'
