"""What videos without a label look like: procedures of the labelled videos whose frames are nearest."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from curate.corpus.nearest import NearestIndex, Search, distances

FRAMES_A_VIDEO = 32
"""Frames of a video that are compared, evenly spread."""

NEAREST = 5
"""Labelled videos that one frame asks."""

_ASKED = NEAREST * FRAMES_A_VIDEO
"""Frames among which they are looked for: all of one video may be alike."""

_TEMPERATURE = 0.07
"""Of the weights exp(cosine / temperature), as in DINO's classification by neighbours (``eval_knn.py``)."""

_NAMED = 3
"""Videos that are named as evidence."""


@dataclass(frozen=True)
class AlikeOptions:
    """How labels are drawn from what looks alike.

    Attributes:
        min_share: Share of a video's frames that must speak for a procedure, 0 to 1.
        search: How nearest frames are looked for.
    """

    min_share: float = 0.5
    search: Search = field(default_factory=Search)


@dataclass(frozen=True)
class Alike:
    """What the neighbours of a video's frames are labelled.

    Attributes:
        procedures: Share of the votes, 0 to 1, by procedure, the largest first; those above the smallest share.
        videos: Ids of the labelled videos that voted most, the first most.
    """

    procedures: Mapping[str, float]
    videos: tuple[str, ...]

    @property
    def evidence(self) -> str:
        """One line for a table: ``procedure: 0.83 of frames; like id, id``."""
        if not self.procedures:
            return ""
        shares = "; ".join(f"{name}: {share:.2f} of frames" for name, share in self.procedures.items())
        return f"{shares}; like {', '.join(self.videos)}"


@dataclass(frozen=True)
class Frames:
    """Frames of some videos.

    Attributes:
        videos: Ids.
        counts: Frames of each video.
        vectors: Unit vectors, float16 (rows, columns), video by video.
    """

    videos: Sequence[str]
    counts: Sequence[int]
    vectors: npt.NDArray[np.float16]


def look_alike(
    unlabelled: Frames, labelled: Frames, procedures: Mapping[str, Sequence[str]], options: AlikeOptions
) -> dict[str, Alike]:
    """Procedures that the nearest labelled frames speak for.

    Each frame asks the `NEAREST` labelled videos, each by its frame that is most alike, so that one long still scene
    does not outvote the others; what is more alike weighs more, and a video of several procedures speaks for each.

    Args:
        unlabelled: Videos that want a label.
        labelled: Videos that have one.
        procedures: Of each labelled video.
        options: How.

    Returns:
        By id of the unlabelled video; without a frame it has no entry.
    """
    if not len(labelled.vectors) or not len(unlabelled.vectors):
        return {}
    owner = np.repeat(np.arange(len(labelled.videos)), labelled.counts)
    index = NearestIndex(labelled.vectors, np.arange(len(labelled.vectors), dtype=np.int64), options.search)
    found: dict[str, Alike] = {}
    start = 0
    for video, count in zip(unlabelled.videos, unlabelled.counts, strict=True):
        queries = unlabelled.vectors[start : start + count].astype(np.float32)
        start += count
        if count:
            rows = index.candidates(queries, _ASKED)
            apart = distances(labelled.vectors, queries, rows)
            spoken = [_weights(owner[near[near >= 0]], far[near >= 0]) for near, far in zip(rows, apart, strict=True)]
            found[video] = _counted(spoken, labelled.videos, procedures, options.min_share)
    return found


def _weights(owners: npt.NDArray[np.int64], apart: npt.NDArray[np.float32]) -> dict[int, float]:
    """What each of the nearest videos weighs for one frame; 1 together."""
    nearest: dict[int, float] = {}
    for place, distance in sorted(zip(owners.tolist(), apart.tolist(), strict=True), key=lambda pair: pair[1]):
        nearest.setdefault(place, distance)
    taken = dict(list(nearest.items())[:NEAREST])
    closest = min(taken.values())
    weights = {place: math.exp((closest**2 - far**2) / 2 / _TEMPERATURE) for place, far in taken.items()}
    return {place: weight / sum(weights.values()) for place, weight in weights.items()}


def _counted(
    spoken: Sequence[Mapping[int, float]], ids: Sequence[str], procedures: Mapping[str, Sequence[str]], smallest: float
) -> Alike:
    votes: dict[str, float] = defaultdict(float)
    by_video: dict[str, float] = defaultdict(float)
    for weights in spoken:
        for place, weight in weights.items():
            by_video[ids[place]] += weight
            for name in procedures[ids[place]]:
                votes[name] += weight / len(spoken)
    taken = {name: share for name, share in _ranked(votes) if share >= smallest}
    spoke = [video for video, _ in _ranked(by_video) if set(procedures[video]) & set(taken)]
    return Alike(taken, tuple(spoke[:_NAMED]))


def _ranked(votes: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(votes.items(), key=lambda item: (-item[1], item[0]))
