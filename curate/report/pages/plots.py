"""The plots of the first page."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from curate.charts.bars import Row, bars
from curate.charts.histogram import histogram
from curate.report.embedding_map import EmbeddingMap
from curate.report.funnel import NO_PROCEDURE, Funnel
from curate.report.pages.overview import Overview, Share
from curate.report.pages.summary import BINS

MOST = 12
"""Bars of a plot, at most; what is left is summed up in one."""

_SECONDS = (0, 10, 20, 30, 40, 50, 60, 75, 90, 105, 120)
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


def plots_of(overview: Overview, counted: Funnel, placed: EmbeddingMap | None = None) -> list[Plot]:
    """All plots for which there is something to show.

    Args:
        overview: Figures over all videos.
        counted: Where the videos stand.
        placed: Some frames in the plane, where there are vectors.
    """
    found = [
        Plot("Funnel", "Where the videos of the list stand, stage by stage.", _funnel(counted)),
        *([_frames(overview.procedures)] if _tells(overview.procedures) else []),
        *(_shares(title, note, shares) for title, note, shares in _compositions(overview) if _tells(shares)),
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
        found.append(Plot("Probabilities", "What the network said of each frame, by verdict.", _scores(overview)))
    if placed is not None:
        found.append(Plot("Embedding map", placed.note, Markup(placed.svg())))
    return found


def _funnel(result: Funnel) -> Markup:
    series = [("done", "good"), ("dropped", "plain"), ("failed", "bad"), ("pending", "wait")]
    rows = []
    for name, row in result.stages.items():
        values = (row.done, row.dropped.total(), row.failed.total(), row.pending)
        note = ", ".join(f"{value:,} {words}" for (words, _), value in zip(series, values, strict=True) if value)
        rows.append(Row(name, values, note or "nothing yet"))
    return Markup(bars("Videos by stage and outcome", series, rows))


def _compositions(overview: Overview) -> list[tuple[str, str, Mapping[str, Share]]]:
    return [
        ("Hours by procedure", "Hours of video: kept, and cut away or not judged yet.", overview.procedures),
        ("Source corpora", "Hours of video by the corpus that the list is of.", overview.corpora),
        ("Sites", "Hours of video by where it was fetched.", overview.sites),
        ("Channels", "Hours of video by who published it.", overview.channels),
        ("Licences", "Hours of video by licence, as its source states it.", overview.licences),
        ("Access", "Hours of video by whether its site shows it to everybody.", overview.access),
        ("Kinds of surgery", "Hours of video by technique.", overview.domains),
    ]


def _tells(shares: Mapping[str, Share]) -> bool:
    """Whether anything is stated at all."""
    return any(name not in (NO_PROCEDURE, "(not stated)", "unknown") for name in shares)


def _frames(shares: Mapping[str, Share]) -> Plot:
    series = [("kept", "good"), ("not kept", "wait")]
    rows = [_counted(name, some) for name, some in _most(shares, lambda share: share.frames)]
    note = "Sampled frames: kept, and cut away or not judged yet. A video of several procedures counts for each."
    return Plot("Frames by procedure", note, Markup(bars("Procedures: frames", series, rows)))


def _counted(name: str, shares: Sequence[Share]) -> Row:
    kept, whole = sum(share.kept for share in shares), sum(share.frames for share in shares)
    return Row(name, (kept, max(0, whole - kept)), f"{kept:,} of {whole:,}")


def _most(shares: Mapping[str, Share], size: Callable[[Share], float]) -> list[tuple[str, list[Share]]]:
    """Names with their shares, the largest first; beyond `MOST` they are summed up in one."""
    ordered = sorted(shares.items(), key=lambda item: (-size(item[1]), item[0]))
    rest: Sequence[tuple[str, Share]] = ()
    if len(ordered) > MOST:
        ordered, rest = ordered[: MOST - 1], ordered[MOST - 1 :]
    found = [(name, [share]) for name, share in ordered]
    return [*found, *([(f"{len(rest)} others", [share for _, share in rest])] if rest else [])]


def _shares(title: str, note: str, shares: Mapping[str, Share]) -> Plot:
    rows = [_hours(name, some) for name, some in _most(shares, lambda share: share.seconds)]
    series = [("kept", "good"), ("not kept", "wait")]
    return Plot(title, note, Markup(bars(f"{title}: hours", series, rows, said="{:.2f} h".format)))


def _hours(name: str, shares: Sequence[Share]) -> Row:
    kept = sum(share.seconds_kept for share in shares) / 3600
    whole = max(kept, sum(share.seconds for share in shares) / 3600)
    videos = sum(share.videos for share in shares)
    return Row(name, (kept, whole - kept), f"{kept:.2f} of {whole:.2f} h, {videos:,} video{'s' * (videos != 1)}")


def _durations(seconds: Sequence[float]) -> Markup:
    unit, edges = (1, list(_SECONDS)) if max(seconds) <= _SECONDS[-1] else (60, list(_MINUTES))
    longest = max(seconds) / unit
    edges = [edge for edge, before in zip(edges, [-1, *edges], strict=False) if before < longest]
    if longest > edges[-1]:
        edges.append(math.ceil(longest))
    counts = [0] * (len(edges) - 1)
    for value in seconds:
        counts[max(0, bisect.bisect_left(edges, value / unit) - 1)] += 1
    words = "seconds" if unit == 1 else "minutes"
    return Markup(histogram("Durations", edges, [("videos", "plain", counts)], across=words, up="videos"))


def _scores(overview: Overview) -> Markup:
    scores = overview.scores
    marks = [(value, f"threshold {value:g}") for value in overview.thresholds] if len(overview.thresholds) == 1 else []
    series = [
        ("surgical", "good", scores[0]),
        ("uncertain", "unsure", scores[2]),
        ("non-surgical", "plain", scores[1]),
    ]
    edges = [i / BINS for i in range(BINS + 1)]
    return Markup(histogram("Probabilities", edges, series, across="probability of surgery", up="frames", marks=marks))
