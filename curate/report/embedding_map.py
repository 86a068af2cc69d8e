"""The kept frames of a workspace as points in the plane: the vectors of `embed`, by their two main directions.

Nothing is learned from it but whether frames of one procedure lie together, and what lies apart. The work is bounded:
some frames, spread over time, of some videos, taken from all procedures in turn.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.charts.scatter import Group, scatter
from curate.charts.svg import GROUPS
from curate.errors import BadArtefact
from curate.records import Video
from curate.report.funnel import NO_PROCEDURE
from curate.run.pipeline import Pipeline
from curate.workspace.tables.embeddings import read_embedding_model, read_some_embeddings
from curate.workspace.tables.verdicts import read_verdicts

MOST_VIDEOS = 400
"""Videos that are read."""

MOST_POINTS = 4_000
"""Frames that are shown."""


@dataclass(frozen=True)
class EmbeddingMap:
    """Frames in the plane.

    Attributes:
        places: float64 (frames, 2), along the first and the second principal component.
        procedures: The first procedure of each frame's video, or `NO_PROCEDURE`.
        share: Of the variance of the vectors that each of the two directions holds, 0..1.
        model: What made the vectors, for people.
        videos: Videos that the frames are of.
        of_videos: Videos that have vectors.
    """

    places: npt.NDArray[np.float64]
    procedures: tuple[str, ...]
    share: tuple[float, float]
    model: str
    videos: int
    of_videos: int

    @property
    def note(self) -> str:
        """How it is to be read."""
        return (
            f"{len(self.procedures):,} kept frames of {self.videos:,} of {self.of_videos:,} videos by the vectors of "
            f"{self.model}, on their two main directions, which hold {sum(self.share):.0%} of the variance: close "
            "points look alike to the network, and distant ones need not differ much in what is not shown."
        )

    def svg(self) -> str:
        """The plot, with the most frequent procedures in colours of their own."""
        frequent = [name for name, _ in _by_count(self.procedures) if name != NO_PROCEDURE][: len(GROUPS)]
        points: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for (x, y), name in zip(self.places.tolist(), self.procedures, strict=True):
            points[name if name in frequent else ""].append((x, y))
        left = len(set(self.procedures) - set(frequent))
        unnamed = left == 1 and NO_PROCEDURE in self.procedures
        others = Group("no procedure" if unnamed else f"{left} others", points[""])
        across, up = (f"component {i + 1} ({share:.0%})" for i, share in enumerate(self.share))
        groups = [Group(name, points[name]) for name in frequent]
        return scatter("Frames by procedure on an embedding map", groups, others, across=across, up=up)


def _by_count(names: Sequence[str]) -> list[tuple[str, int]]:
    return sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))


def embedding_map(pipeline: Pipeline, problems: list[tuple[str, str]] | None = None) -> EmbeddingMap | None:
    """Draw the map of a workspace; the same for the same vectors.

    Args:
        pipeline: Of the open workspace.
        problems: Gets id and cause of each table that cannot be read; its video is left out.

    Returns:
        The map; ``None`` if there are not three frames with vectors of one model.
    """
    tables = {video.id: path for video in pipeline.videos if (path := pipeline.made(video, "embed")) is not None}
    chosen = list(itertools.islice(_in_turn([v for v in pipeline.videos if v.id in tables]), MOST_VIDEOS))
    found: dict[tuple[object, ...], list[tuple[Video, npt.NDArray[np.float32]]]] = defaultdict(list)
    names: dict[tuple[object, ...], str] = {}
    for video in chosen:
        try:
            model, columns = read_embedding_model(tables[video.id])
            each = max(1, MOST_POINTS // len(chosen))
            vectors = _unit(read_some_embeddings(tables[video.id], each, _kept(pipeline, video)))
        except BadArtefact as error:
            if problems is not None:
                problems.append((video.id, str(error)))
            continue
        if not len(vectors):
            continue
        found[(*model.identity, columns)].append((video, vectors))
        names[(*model.identity, columns)] = model.name
    if not found:
        return None
    kind = max(found, key=lambda kind: (len(found[kind]), str(kind)))
    vectors = np.concatenate([rows for _, rows in found[kind]])
    procedures = tuple(
        name
        for video, rows in found[kind]
        for name in itertools.repeat(video.procedures[0] if video.procedures else NO_PROCEDURE, len(rows))
    )
    if min(vectors.shape) < 2 or len(vectors) < 3:
        return None
    places, share = _principal(vectors)
    return EmbeddingMap(places, procedures, share, names[kind], len(found[kind]), len(tables))


def _in_turn(videos: Sequence[Video]) -> Iterator[Video]:
    """All videos, one of each procedure after the other; within a procedure in an order that chance gave them."""
    by_name: dict[str, list[Video]] = defaultdict(list)
    for video in sorted(videos, key=lambda video: hashlib.sha256(video.id.encode()).digest()):
        by_name[video.procedures[0] if video.procedures else NO_PROCEDURE].append(video)
    rounds = itertools.zip_longest(*(by_name[name] for name in sorted(by_name)))
    return (video for one in rounds for video in one if video is not None)


def _kept(pipeline: Pipeline, video: Video) -> npt.NDArray[np.int32] | None:
    """Numbers of the frames of a video that are kept; ``None`` where there is no verdict yet: then all are shown."""
    verdicts = pipeline.made(video, "trim")
    return None if verdicts is None else np.array([row.n for row in read_verdicts(verdicts) if row.kept], np.int32)


def _unit(rows: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """Vectors at unit length."""
    vectors = rows.astype(np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def _principal(vectors: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float64], tuple[float, float]]:
    from sklearn.decomposition import PCA

    pca = PCA(2, svd_solver="covariance_eigh" if vectors.shape[1] <= 2_000 else "randomized", random_state=0)
    places = np.asarray(pca.fit_transform(vectors), np.float64)
    first, second = (float(share) for share in np.nan_to_num(pca.explained_variance_ratio_))
    return places, (first, second)
