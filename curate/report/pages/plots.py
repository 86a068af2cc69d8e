"""The plots of the first page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from curate.charts.bars import Row, bars
from curate.charts.histogram import histogram
from curate.report.funnel import Funnel
from curate.report.pages.overview import Overview, Share
from curate.report.pages.summary import BINS

MOST = 12
"""Bars of a plot, at most; what is left is summed up in one."""

_MINUTES = (0, 1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240)


@dataclass(frozen=True)
class Plot:
    """A plot with its heading.

    Attributes:
        title: Heading.
        note: What is to be known to read it.
        svg: The plot.
    """

    title: str
    note: str
    svg: Markup


def plots_of(overview: Overview, counted: Funnel) -> list[Plot]:
    """All plots for which there is something to show."""
    found = [
        Plot("Funnel", "Where the videos of the list stand, stage by stage.", _funnel(counted)),
        Plot(
            "Procedures",
            "Hours of video: kept, and cut away or not judged yet.",
            _shares("Procedures", overview.procedures),
        ),
        Plot("Sources", "Hours of video by site.", _shares("Sources", overview.sites)),
        Plot("Licences", "Hours of video by licence, as its source states it.", _shares("Licences", overview.licences)),
    ]
    if overview.durations:
        found.append(Plot("Durations", "Length of the videos as they were fetched.", _durations(overview.durations)))
    if overview.heights:
        rows = [Row(f"{height} p", (number,)) for height, number in sorted(overview.heights.items(), reverse=True)]
        found.append(
            Plot(
                "Resolutions",
                "Videos by height of the picture.",
                Markup(bars("Resolutions", [("videos", "plain")], rows)),
            )
        )
    if any(map(sum, overview.scores)):
        found.append(
            Plot("Probabilities", "What the network said of each frame, by verdict.", _scores(overview.scores))
        )
    return found


def _funnel(result: Funnel) -> Markup:
    series = [("done", "good"), ("dropped", "plain"), ("failed", "bad"), ("pending", "wait")]
    rows = []
    for name, row in result.stages.items():
        values = (row.done, row.dropped.total(), row.failed.total(), row.pending)
        note = ", ".join(f"{value:,} {words}" for (words, _), value in zip(series, values, strict=True) if value)
        rows.append(Row(name, values, note or "nothing yet"))
    return Markup(bars("Videos by stage and outcome", series, rows))


def _shares(title: str, shares: Mapping[str, Share]) -> Markup:
    ordered = sorted(shares.items(), key=lambda item: (-item[1].seconds, item[0]))
    rest: Sequence[tuple[str, Share]] = ()
    if len(ordered) > MOST:
        ordered, rest = ordered[: MOST - 1], ordered[MOST - 1 :]
    rows = [_hours(name, [share]) for name, share in ordered]
    if rest:
        rows.append(_hours(f"{len(rest)} others", [share for _, share in rest]))
    return Markup(bars(f"{title}: hours", [("kept", "good"), ("not kept", "wait")], rows, said="{:.2f} h".format))


def _hours(name: str, shares: Sequence[Share]) -> Row:
    kept = sum(share.seconds_kept for share in shares) / 3600
    whole = max(kept, sum(share.seconds for share in shares) / 3600)
    videos = sum(share.videos for share in shares)
    return Row(name, (kept, whole - kept), f"{kept:.2f} of {whole:.2f} h, {videos:,} video{'s' * (videos != 1)}")


def _durations(seconds: Sequence[float]) -> Markup:
    longest = max(seconds) / 60
    edges = [edge for i, edge in enumerate(_MINUTES) if i < 2 or _MINUTES[i - 1] < longest]
    if longest > edges[-1]:
        edges.append(round(longest) + 1)
    counts = [0] * (len(edges) - 1)
    for value in seconds:
        counts[next(i for i in range(len(counts)) if value / 60 <= edges[i + 1] or i == len(counts) - 1)] += 1
    return Markup(histogram("Durations", edges, [("videos", "plain", counts)], across="minutes", up="videos"))


def _scores(scores: Sequence[Sequence[int]]) -> Markup:
    series = [
        ("surgical", "good", scores[0]),
        ("uncertain", "unsure", scores[2]),
        ("non-surgical", "plain", scores[1]),
    ]
    edges = [i / BINS for i in range(BINS + 1)]
    return Markup(histogram("Probabilities", edges, series, across="probability of surgery", up="frames"))
