"""How far two reviewers agree, kind by kind.

Labels of frames: Cohen's kappa (Educational and Psychological Measurement 20, 1960), which is 0 for what chance alone
would give and 1 where they agree throughout. Its interval is a bootstrap over videos, since frames of a video are not
decided independently; over frames where there are fewer than five videos. Trims: how far apart the edges lie. Boxes:
the F1 of one reviewer's against the other's, boxes being the same from an intersection over union of 0.5 on.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate.records import NON_SURGICAL, SURGICAL, BoxDecision, FrameDecision, VideoDecisions
from curate.verdicts.decisions import read_decisions
from curate.verdicts.journal import Journal, read_file
from curate.verdicts.redrawn import SAME
from curate.verdicts.settle import settle
from curate.vision.boxes import iou, scale

Labels = Mapping[tuple[str, int], str]
"""Labels by video and milliseconds."""

REPEATS = 2000
FEWEST_VIDEOS = 5


@dataclass(frozen=True)
class Kappa:
    """Agreement on labels.

    Attributes:
        frames: Frames that both decided.
        videos: Videos they are of.
        agreed: Of these frames, those with one label.
        value: Kappa; ``nan`` where both only ever gave one and the same label.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    frames: int
    videos: int
    agreed: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """Of two reviewers.

    Attributes:
        labels: On frames.
        edges: Distances in seconds between the edges of trims that both moved.
        boxes: Boxes of the first, of the second, and those that are the same, in videos where both drew some.
        videos: Videos that both judged as a whole, and those judged alike.
    """

    labels: Kappa
    edges: tuple[float, ...]
    boxes: tuple[int, int, int]
    videos: tuple[int, int]

    @property
    def box_f1(self) -> float:
        """0..1; ``nan`` where neither drew any."""
        first, second, same = self.boxes
        return 2 * same / (first + second) if first + second else float("nan")

    @property
    def median_edge(self) -> float:
        """Seconds; ``nan`` where no edge was moved by both."""
        return statistics.median(self.edges) if self.edges else float("nan")


@dataclass(frozen=True)
class Reviewed:
    """What one file of decisions says.

    Attributes:
        of: By video.
        actions: Whether each video that was judged as a whole may stay.
        problems: What is wrong with lines of it.
    """

    of: Mapping[str, VideoDecisions]
    actions: Mapping[str, bool]
    problems: tuple[str, ...] = ()

    def labels(self) -> dict[tuple[str, int], str]:
        """Labels of frames."""
        return {(video, frame.at): frame.label for video, said in self.of.items() for frame in said.frames}


def read_reviewed(path: Path) -> Reviewed:
    """Read a file of decisions: of a review, or a CSV with the columns video, timestamp and label.

    Raises:
        CurateError: It cannot be read.
    """
    if path.suffix.lower() == ".csv":
        listed = read_decisions(path).surgical
        rows = {video: VideoDecisions(frames=_frames(times)) for video, times in listed.items()}
        return Reviewed(rows, {})
    journal: Journal = read_file(path)
    actions = {d.video: d.action == "keep" for d in journal.standing() if d.kind == "video"}
    return Reviewed(settle(journal).of, actions, journal.problems)


def _frames(times: Mapping[int, bool]) -> tuple[FrameDecision, ...]:
    return tuple(FrameDecision(at, SURGICAL if surgical else NON_SURGICAL) for at, surgical in sorted(times.items()))


def compare(first: Reviewed, second: Reviewed, seed: int = 0) -> Agreement:
    """Compare two reviewers on what both decided.

    Args:
        first: One.
        second: The other.
        seed: Of the bootstrap.
    """
    edges: list[float] = []
    boxes = np.zeros(3, int)
    for video in first.of.keys() & second.of.keys():
        one, other = first.of[video], second.of[video]
        for name in ("start", "end"):
            a, b = getattr(one, name), getattr(other, name)
            if a is not None and b is not None:
                edges.append(abs(a - b))
        if one.boxes and other.boxes:
            boxes += _same(_drawn(one), _drawn(other))
    both = first.actions.keys() & second.actions.keys()
    alike = sum(first.actions[video] == second.actions[video] for video in both)
    found = (int(boxes[0]), int(boxes[1]), int(boxes[2]))
    return Agreement(kappa(first.labels(), second.labels(), seed), tuple(sorted(edges)), found, (len(both), alike))


def _drawn(said: VideoDecisions) -> list[BoxDecision]:
    return [box for box in said.boxes if box.action == "add"]


def _same(these: Sequence[BoxDecision], others: Sequence[BoxDecision]) -> tuple[int, int, int]:
    """How many there are on either side, and how many of them are the same."""
    left, same = list(others), 0
    for box in these:
        near = [o for o in left if o.at == box.at and iou(scale(o.box, o.size, box.size), box.box) >= SAME]
        if near:
            left.remove(near[0])
            same += 1
    return len(these), len(others), same


def kappa(first: Labels, second: Labels, seed: int = 0) -> Kappa:
    """Cohen's kappa of the labels that two gave to the same frames."""
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for video, at in sorted(first.keys() & second.keys()):
        pairs[video].append((first[video, at], second[video, at]))
    every = [pair for group in pairs.values() for pair in group]
    names = sorted({name for pair in every for name in pair})
    place = {name: i for i, name in enumerate(names)}
    groups = list(pairs.values()) if len(pairs) >= FEWEST_VIDEOS else [[pair] for pair in every]
    tables = np.zeros((len(groups), len(names), len(names)))
    for table, group in zip(tables, groups, strict=True):
        for (a, b), times in Counter(group).items():
            table[place[a], place[b]] += times
    low = high = float("nan")
    if groups:
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=REPEATS)
        values = _kappas(np.einsum("rg,gab->rab", drawn, tables))
        values = values[np.isfinite(values)]
        if len(values):
            low, high = (float(end) for end in np.quantile(values, (0.025, 0.975)))
    value = float(_kappas(tables.sum(axis=0)[None])[0]) if groups else float("nan")
    return Kappa(len(every), len(pairs), sum(a == b for a, b in every), value, low, high)


def _kappas(tables: np.ndarray) -> np.ndarray:
    """Kappa of tables of counts, (R, K, K); ``nan`` where chance alone agrees throughout."""
    total = np.maximum(tables.sum(axis=(1, 2)), 1)
    seen = np.trace(tables, axis1=1, axis2=2) / total
    chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / total**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance < 1, (seen - chance) / (1 - chance), np.nan)
