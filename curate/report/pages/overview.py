"""What the first page and the page of the worst frames show: sums and extremes over the summaries of all videos."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from curate.report.funnel import NO_PROCEDURE
from curate.report.pages.summary import BINS, Summary

MOST = 48
"""Pictures of each kind on the page of the worst."""

ROW = (
    *("id", "title", "procedures", "state", "stage", "reason", "seconds", "seconds_kept", "frames", "kept"),
    *("uncertain", "flipped", "covered", "found", "site"),
)
"""Columns of the list of videos, in the order of ``data/videos.js``."""


@dataclass
class Share:
    """Sums over the videos of one procedure, site or licence."""

    videos: int = 0
    complete: int = 0
    seconds: float = 0.0
    seconds_kept: float = 0.0
    frames: int = 0
    kept: int = 0

    def add(self, video: Summary) -> None:
        """Count a video."""
        self.videos += 1
        self.complete += video["state"] == "done"
        self.seconds += video["seconds"]
        self.seconds_kept += video["seconds_kept"]
        self.frames += video["frames"]
        self.kept += video["kept"]


@dataclass
class Work:
    """Work of one stage: wall time of all its workers together, in seconds, and the frames that it looked at."""

    videos: int = 0
    seconds: float = 0.0
    frames: int = 0
    footage: float = 0.0


class Extremes:
    """The pictures, or the videos, with the largest values.

    Args:
        most: How many at most.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._heap: list[tuple[float, int, dict[str, Any]]] = []
        self._order = count(0, -1)

    def offer(self, value: float, picture: dict[str, Any]) -> None:
        """Keep a picture if it is among the largest; of equals the first."""
        entry = (value, next(self._order), picture)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        elif entry > self._heap[0]:
            heapq.heapreplace(self._heap, entry)

    def pictures(self) -> list[dict[str, Any]]:
        """From the largest down."""
        return [picture for _, _, picture in sorted(self._heap, reverse=True)]


SHEETS: dict[str, tuple[str, str, Callable[[dict[str, Any]], float]]] = {
    "least sure": ("Least sure", "Closest to the threshold.", lambda shown: shown["doubt"]),
    "flipped": (
        "Flipped by smoothing",
        "The neighbours in time moved these to the other side of the threshold.",
        lambda shown: abs(shown["smoothed"] - shown["p"]),
    ),
    "masked": ("Masks that cover most", "Boxes take the largest share of the frame.", lambda shown: shown["covered"]),
    "finding": (
        "Findings of the privacy audit",
        "Faces, names, dates and identifiers, by score.",
        lambda shown: max((found["score"] for found in shown["findings"]), default=0.0),
    ),
}
"""Sheets of the worst by why a second is shown: title, what stands there, and by what they are ordered."""


_ACCESS = {True: "public", False: "not public", None: "(not stated)"}


@dataclass
class Overview:
    """Figures of a corpus.

    Attributes:
        total: Over all videos.
        procedures: By procedure; a video with several counts in each.
        sites: By the site of the source.
        corpora: By source corpus.
        channels: By channel.
        access: By whether the site shows them to everybody.
        licences: By licence as stated.
        domains: By domain.
        heights: Videos by height in pixels.
        durations: Of the videos, in seconds.
        thresholds: From which on frames are surgical; one, unless models or options differ.
        scores: Counts by bin of probability, for each verdict.
        work: By stage.
        surgical, uncertain, flipped, found: Frames.
        turned: Videos with the largest share of frames that smoothing moved across the threshold.
        sheets: Pictures of each of `SHEETS`.
    """

    total: Share = field(default_factory=Share)
    procedures: dict[str, Share] = field(default_factory=dict)
    sites: dict[str, Share] = field(default_factory=dict)
    corpora: dict[str, Share] = field(default_factory=dict)
    channels: dict[str, Share] = field(default_factory=dict)
    access: dict[str, Share] = field(default_factory=dict)
    licences: dict[str, Share] = field(default_factory=dict)
    domains: dict[str, Share] = field(default_factory=dict)
    heights: Counter[int] = field(default_factory=Counter)
    durations: list[float] = field(default_factory=list)
    thresholds: set[float] = field(default_factory=set)
    scores: list[list[int]] = field(default_factory=lambda: [[0] * BINS for _ in range(3)])
    work: dict[str, Work] = field(default_factory=dict)
    surgical: int = 0
    uncertain: int = 0
    flipped: int = 0
    found: int = 0
    turned: Extremes = field(default_factory=lambda: Extremes(12))
    sheets: dict[str, Extremes] = field(default_factory=lambda: {why: Extremes() for why in SHEETS})

    def add(self, video: Summary) -> None:
        """Count a video."""
        self.total.add(video)
        for name in dict.fromkeys(video["procedures"] or [NO_PROCEDURE]):
            self.procedures.setdefault(name, Share()).add(video)
        self.sites.setdefault(video["site"] or "(unknown)", Share()).add(video)
        self.corpora.setdefault(video["corpus"] or "(not stated)", Share()).add(video)
        self.channels.setdefault(video["channel"] or "(not stated)", Share()).add(video)
        self.access.setdefault(_ACCESS[video["public"]], Share()).add(video)
        self.licences.setdefault(video["licence"] or "(not stated)", Share()).add(video)
        self.domains.setdefault(video["domain"], Share()).add(video)
        if video["height"]:
            self.heights[video["height"]] += 1
        if video["seconds"]:
            self.durations.append(video["seconds"])
        if video["threshold"] is not None:
            self.thresholds.add(video["threshold"])
        for total, own in zip(self.scores, video["scores"], strict=False):
            for i, value in enumerate(own):
                total[i] += value
        for stage, (seconds, frames) in video["work"].items():
            work = self.work.setdefault(stage, Work())
            work.videos += 1
            work.seconds += seconds
            work.frames += frames
            work.footage += video["seconds"]
        self.surgical += video["surgical"]
        self.uncertain += video["uncertain"]
        self.flipped += video["flipped"]
        self.found += video["found"]
        if video["flipped"]:
            told = {name: video[name] for name in ("id", "title", "flipped", "frames")}
            self.turned.offer(video["flipped"] / video["frames"], told)
        for shown in video["pictures"]:
            for why in shown["whys"]:
                if why in SHEETS:
                    self.sheets[why].offer(SHEETS[why][2](shown), {**shown, "id": video["id"], "title": video["title"]})


def overview_of(summaries: Iterable[Summary]) -> Overview:
    """Count over all videos."""
    result = Overview()
    for video in summaries:
        result.add(video)
    return result


def row_of(video: Summary) -> list[Any]:
    """A video's line in the list, by `ROW`."""
    return [round(value, 4) if isinstance(value := video[name], float) else value for name in ROW]
