"""LemonFM's file of neighbours: its contract on random frames, and what is planted comes back."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.corpus.nearest import NearestIndex, Search, distances
from curate.corpus.neighbours import ENTRIES, NeighbourOptions, SplitFrames, identical, write_neighbours
from curate.errors import CurateError

CLUSTERS = Search(exact=100, probes=4, threads=2)


def frames_of(vectors: np.ndarray, videos: list[int] | None = None, name: str = "train") -> SplitFrames:
    """Frames with these vectors, by default of videos of ten frames each."""
    rows = len(vectors)
    place = np.array(videos if videos is not None else [row // 10 for row in range(rows)], np.int32)
    numbers = np.array([int((place[:row] == place[row]).sum()) for row in range(rows)], np.int32)
    ids = [f"-v_{number}" for number in range(int(place.max(initial=0)) + 1)]
    return SplitFrames(name, ids, place, numbers, numbers.astype(np.float64), vectors.astype(np.float16))


def written(frames: SplitFrames, options: NeighbourOptions | None = None) -> dict[str, list[tuple[str, float]]]:
    stream = io.StringIO()
    write_neighbours(frames, options or NeighbourOptions(), stream)
    return {key: [(k, d) for k, d in entries] for key, entries in json.loads(stream.getvalue()).items()}


def check_contract(found: dict[str, list[tuple[str, float]]], frames: SplitFrames) -> None:
    """What the reader relies on, entry by entry."""
    keys = [frames.key(row) for row in range(len(frames))]
    assert list(found) == keys
    vectors = dict(zip(keys, frames.vectors, strict=True))
    for key, entries in found.items():
        assert len(entries) == ENTRIES == len({other for other, _ in entries})
        assert all(other in vectors and not np.array_equal(vectors[other], vectors[key]) for other, _ in entries)
        apart = [d for _, d in entries]
        assert apart == sorted(apart) and apart[0] > 0 and np.isfinite(apart).all()
        for other, d in entries:
            exact = np.linalg.norm(vectors[other].astype(np.float64) - vectors[key].astype(np.float64))
            assert d == pytest.approx(exact, rel=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    vectors=st.integers(7, 40).flatmap(
        lambda rows: st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=rows, max_size=rows)
    )
)
def test_every_rule_holds_whatever_the_vectors(vectors):
    frames = frames_of(np.array(vectors, float))
    different = len({tuple(row) for row in vectors})
    if different <= ENTRIES:
        with pytest.raises(CurateError, match=rf"{len(vectors)} frames with {different} different"):
            written(frames)
        return
    found = written(frames)
    check_contract(found, frames)
    wide = frames.vectors.astype(float)
    groups, _ = identical(frames.vectors)
    for row in range(len(frames)):
        first = {}
        for other in range(len(frames)):
            if groups[other] != groups[row]:
                first.setdefault(groups[other], float(np.linalg.norm(wide[other] - wide[row])))
        best = sorted(first.values())[:ENTRIES]
        assert [d for _, d in found[frames.key(row)]] == pytest.approx(best, rel=1e-4), "exact below the limit"


def test_the_same_vector_many_times_is_nobodys_neighbour_of_itself():
    """A still picture of hundreds of frames: near ones that differ are found behind it."""
    rng = np.random.default_rng(0)
    still = np.tile(rng.normal(size=(1, 8)), (300, 1))
    frames = frames_of(np.concatenate([still, still[:1] + 0.05 * rng.normal(size=(20, 8))]))
    check_contract(written(frames), frames)
    check_contract(written(frames, NeighbourOptions(search=Search(exact=5, probes=2))), frames)


def test_a_gap_leaves_out_what_is_near_in_the_same_video():
    rng = np.random.default_rng(1)
    walk = np.cumsum(0.01 * rng.normal(size=(60, 8)), axis=0) + 1
    frames = frames_of(walk, [row // 30 for row in range(60)])
    found = written(frames, NeighbourOptions(gap=5.0))
    check_contract(found, frames)
    number = {frames.key(row): (int(frames.videos[row]), int(frames.numbers[row])) for row in range(60)}
    for key, entries in found.items():
        (video, n), others = number[key], [number[other] for other, _ in entries]
        assert all(other != video or abs(m - n) > 5 for other, m in others)
    assert any(abs(number[other][1] - 10) == 1 for other, _ in written(frames)["-v_0_10"]), "without it they are in"
    with pytest.raises(CurateError, match="--gap"):
        written(frames_of(walk, [0] * 60), NeighbourOptions(gap=100.0))


def test_planted_neighbours_come_back_through_clusters():
    """Groups of seven frames that are alike among thousands that are not."""
    rng = np.random.default_rng(2)
    centres = rng.normal(size=(400, 32))
    vectors = np.repeat(centres, 7, axis=0) + 0.01 * rng.normal(size=(2800, 32))
    order = rng.permutation(2800)
    frames = frames_of((vectors / np.linalg.norm(vectors, axis=1, keepdims=True))[order])
    found = written(frames, NeighbourOptions(search=CLUSTERS))
    check_contract(found, frames)
    group = {frames.key(row): int(order[row]) // 7 for row in range(2800)}
    right = [{group[other] for other, _ in entries} == {group[key]} for key, entries in found.items()]
    assert np.mean(right) > 0.995
    assert written(frames, NeighbourOptions(search=CLUSTERS)) == found, "the same again"


def test_recall_of_the_index_against_every_pair():
    rng = np.random.default_rng(3)
    vectors = (rng.normal(size=(60, 16))[rng.integers(0, 60, 3000)] + 0.3 * rng.normal(size=(3000, 16))).astype(
        np.float16
    )
    rows = np.arange(3000)
    queries = vectors[::30].astype(np.float32)
    exact = NearestIndex(vectors, rows, Search(threads=2)).candidates(queries, 7)
    found = NearestIndex(vectors, rows, Search(exact=10, probes=16, threads=2)).candidates(queries, 13)
    nearest = np.take_along_axis(found, np.argsort(distances(vectors, queries, found), axis=1)[:, :7], 1)
    recall = np.mean([len({*a} & {*b}) / 7 for a, b in zip(exact.tolist(), nearest.tolist(), strict=True)])
    assert recall > 0.97
