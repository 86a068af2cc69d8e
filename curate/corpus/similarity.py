"""What embeddings say of a match: how much more alike its frames are than frames of unrelated videos.

Scenes of one procedure are alike in all videos, so a cosine alone says little. As score normalisation does for copy
detection (E. Pizzi and others, "A Self-Supervised Descriptor for Image Copy Detection", 2022), what is subtracted is
the cosine of each frame with the nearest of a background: frames of videos that share nothing with either of the two.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.errors import BadArtefact
from curate.files.parquet import read_columns
from curate.workspace.tables.duplicates import Match
from curate.workspace.tables.embeddings import read_embedding_model, read_embeddings

FRAMES = 64
"""Frames of a match that are looked at, spread over it."""

BACKGROUND_VIDEOS = 64
BACKGROUND_FRAMES = 16
NEAREST = 3
"""Frames of the background, nearest to a frame, whose mean cosine is subtracted."""

_TOGETHER = 1.0
"""Seconds by which two frames may miss the offset of a match."""

Vectors = npt.NDArray[np.float32]


def with_similarity(matches: Sequence[Match], embeddings: Mapping[str, Path]) -> list[Match]:
    """The same matches, with what embeddings say of them where both videos have some of one model.

    Args:
        matches: In any order.
        embeddings: Tables of embeddings by video.

    Raises:
        BadArtefact: A table cannot be read.
    """
    models = {video: read_embedding_model(path)[0].identity for video, path in sorted(embeddings.items())}
    related: dict[str, set[str]] = {}
    for match in matches:
        related.setdefault(match.a, {match.a}).add(match.b)
        related.setdefault(match.b, {match.b}).add(match.a)
    read = functools.lru_cache(maxsize=8)(lambda video: _read(embeddings[video]))
    grounds: dict[object, dict[str, Vectors]] = {}
    found = []
    for match in matches:
        model = models.get(match.a)
        if model is None or models.get(match.b) != model:
            found.append(match)
            continue
        if model not in grounds:
            grounds[model] = _background([v for v in models if models[v] == model], embeddings)
        strangers = [
            vectors for video, vectors in grounds[model].items() if video not in related[match.a] | related[match.b]
        ]
        found.append(match._replace(similarity=_similarity(match, read(match.a), read(match.b), strangers)))
    return found


def _similarity(
    match: Match,
    a: tuple[npt.NDArray[np.float64], Vectors],
    b: tuple[npt.NDArray[np.float64], Vectors],
    strangers: Sequence[Vectors],
) -> float | None:
    """Mean cosine of the frames of a match above that with strangers; ``None`` where there are no frames or none."""
    times_a, vectors_a = a
    times_b, vectors_b = b
    rows = np.flatnonzero((times_a >= match.start_a) & (times_a < match.end_a))
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), FRAMES)).astype(int))] if len(rows) else rows
    if not len(rows) or not len(times_b) or not strangers:
        return None
    wanted = times_a[rows] + match.offset
    after = np.minimum(np.searchsorted(times_b, wanted), len(times_b) - 1)
    before = np.maximum(after - 1, 0)
    near = np.where(np.abs(times_b[before] - wanted) <= np.abs(times_b[after] - wanted), before, after)
    together = np.abs(times_b[near] - wanted) <= _TOGETHER
    if not together.any():
        return None
    mine, other = vectors_a[rows[together]], vectors_b[near[together]]
    ground = np.concatenate(strangers)
    level = (_nearest(mine, ground) + _nearest(other, ground)) / 2
    return float(((mine * other).sum(axis=1) - level).mean())


def _nearest(vectors: Vectors, ground: Vectors) -> npt.NDArray[np.float32]:
    """Mean cosine of each vector with the nearest ones of the background."""
    cosines = np.sort(vectors @ ground.T, axis=1)[:, -NEAREST:]
    return np.asarray(cosines.mean(axis=1), np.float32)


def _background(videos: Iterable[str], embeddings: Mapping[str, Path]) -> dict[str, Vectors]:
    """Some frames of some videos, spread over each."""
    names = sorted(videos)
    chosen = [
        names[i] for i in np.unique(np.linspace(0, len(names) - 1, min(len(names), BACKGROUND_VIDEOS)).astype(int))
    ]
    found = {}
    for video in chosen:
        _, vectors = _read(embeddings[video])
        if len(vectors):
            places = np.linspace(0, len(vectors) - 1, min(len(vectors), BACKGROUND_FRAMES)).astype(int)
            found[video] = vectors[np.unique(places)]
    return found


def _read(path: Path) -> tuple[npt.NDArray[np.float64], Vectors]:
    """Times of the frames of a table, and their vectors of length 1."""
    times = read_columns(path, ["timestamp"]).column(0).to_numpy()
    parts = [vectors for _, vectors in read_embeddings(path)]
    columns = read_embedding_model(path)[1]
    vectors = np.concatenate([np.zeros((0, columns), np.float16), *parts]).astype(np.float32)
    if len(vectors) != len(times) or (np.diff(times) < 0).any():
        raise BadArtefact(path, "its timestamps fall, or are not as many as its vectors")
    return times, vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
