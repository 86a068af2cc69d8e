"""Verdicts, LEMON's trim rule and smoothing as rules of arrays."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN
from curate.verdicts.rules import Cut, durations, judge, runs, smooth, still, trim


def flags(text: str) -> np.ndarray:
    return np.array([c == "S" for c in text])


def seconds(count: int, rate: float = 1.0) -> np.ndarray:
    return np.arange(count) / rate


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("", None),
        ("...", None),
        ("SS.SS", None),
        ("SSS", Cut(0, 3)),
        ("S..SSS..S", Cut(3, 6)),
        ("..SSS.S.SSSS..", Cut(2, 12)),
        ("SS.SSSS", Cut(3, 7)),
        ("SSSSSSSS", Cut(0, 8)),
        ("....SSS", Cut(4, 7)),
        ("SSS....SS", Cut(0, 3)),
    ],
)
def test_lemons_rule_at_one_frame_a_second(text: str, cut: Cut | None) -> None:
    assert trim(flags(text), seconds(len(text)), 3.0) == cut


@pytest.mark.parametrize(
    ("rate", "short", "enough"), [(0.5, 1, 2), (2.0, 5, 6), (25.0, 74, 75), (30000 / 1001, 89, 90)]
)
def test_three_seconds_at_other_rates(rate: float, short: int, enough: int) -> None:
    rows = np.zeros(200, bool)
    rows[40 : 40 + enough] = True
    assert trim(rows, seconds(200, rate), 3.0) == Cut(40, 40 + enough)
    rows[40 + short - 1 :] = False
    assert trim(rows, seconds(200, rate), 3.0) is None


def test_frames_shown_a_little_before_their_second_count_whole() -> None:
    """At 29.97 frames a second the frame on screen at second n began up to 33 ms before."""
    pts = np.floor(np.arange(12) * 30000 / 1001) * 1001 / 30000
    assert trim(flags("...SSS......"), pts, 3.0) == Cut(3, 6)
    assert trim(flags("...SS......."), pts, 3.0) is None


def test_a_hole_in_the_timestamps_makes_no_run() -> None:
    assert trim(flags("..S....."), np.array([0, 1, 2, 600, 601, 602, 603, 604.0]), 3.0) is None


def test_any_surgical_frame_is_a_run_of_no_length() -> None:
    assert trim(flags(".S."), seconds(3), 0.0) == Cut(1, 2)
    assert trim(flags("S"), seconds(1), 0.0) == Cut(0, 1)
    assert trim(flags("S"), seconds(1), 3.0) is None


rows = st.lists(st.booleans(), max_size=60).map(lambda values: np.array(values, bool))


@given(rows, st.sampled_from([0.25, 1.0, 2.0]), st.floats(0.1, 8))
def test_the_cut_starts_and_ends_in_runs_long_enough_and_leaves_none_outside(
    surgical: np.ndarray, rate: float, min_run: float
) -> None:
    times = seconds(len(surgical), rate)
    needed = max(1, int(np.ceil(min_run * rate - 0.5 - 1e-9)))
    long = [run for run in runs(surgical) if run.stop - run.start >= needed and len(surgical) > 1]
    cut = trim(surgical, times, min_run)
    if not long:
        assert cut is None
    else:
        assert cut == Cut(long[0].start, long[-1].stop)


@given(rows)
def test_runs_cover_exactly_the_true_rows(surgical: np.ndarray) -> None:
    found = runs(surgical)
    covered = [i for run in found for i in range(run.start, run.stop)]
    assert covered == np.flatnonzero(surgical).tolist()
    assert all(a.stop < b.start for a, b in itertools.pairwise(found))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_verdicts_agree_with_threshold_and_band(p: list[float], threshold: float, a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    for value, verdict in zip(p, judge(np.array(p), threshold, (low, high)), strict=True):
        expected = UNCERTAIN if low <= value < high else SURGICAL if value >= threshold else NON_SURGICAL
        assert verdict == expected


@given(st.lists(st.floats(0, 10), min_size=2, max_size=30))
def test_durations_are_positive_and_bounded(gaps: list[float]) -> None:
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    found = durations(times)
    assert len(found) == len(times)
    assert (found >= 0).all()
    assert found.max(initial=0) <= 2 * np.median(np.diff(times)) + 1e-9


def test_a_lone_unsure_frame_is_turned_and_a_sure_one_is_not() -> None:
    p, same = np.array([0.98, 0.98, 0.98, 0.2, 0.98, 0.98, 0.98]), np.zeros(7)
    assert smooth(p, seconds(7), same, 0.9, 0.5)[3] > 0.5
    p[3] = 0.0001
    assert smooth(p, seconds(7), same, 0.9, 0.5)[3] < 0.5


def test_a_frame_of_another_shot_is_judged_more_by_itself() -> None:
    p = np.array([0.98, 0.98, 0.98, 0.05, 0.98, 0.98, 0.98])
    own_shot = np.array([0, 0.1, 0.1, 0.9, 0.9, 0.1, 0.1])
    assert smooth(p, seconds(7), np.full(7, 0.1), 0.99, 0.8)[3] > 0.5
    assert smooth(p, seconds(7), own_shot, 0.99, 0.8)[3] < 0.5


def test_a_short_shot_that_agrees_with_itself_is_believed() -> None:
    p = np.array([0.98, 0.98, 0.98, 0.1, 0.1, 0.98, 0.98, 0.98])
    own_shot = np.array([0, 0.1, 0.1, 0.9, 0.1, 0.9, 0.1, 0.1])
    assert (smooth(p, seconds(8), np.full(8, 0.1), 0.99, 0.8)[3:5] > 0.5).all()
    assert (smooth(p, seconds(8), own_shot, 0.99, 0.8)[3:5] < 0.5).all()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.001, 0.999), st.sampled_from([0.1, 0.8])), min_size=1, max_size=7),
    st.floats(0.5, 0.99),
    st.floats(0.5, 0.99),
)
def test_smoothing_agrees_with_summing_over_all_histories(
    frames: list[tuple[float, float]], stay: float, stay_cut: float
) -> None:
    p, changes = (np.array(values) for values in zip(*frames, strict=True))
    total, surgical = 0.0, np.zeros(len(p))
    for code in range(2 ** len(p)):
        states = [(code >> i) & 1 for i in range(len(p))]
        weight = np.prod([v if s else 1 - v for s, v in zip(states, p, strict=True)])
        for (a, b), changed in zip(itertools.pairwise(states), changes[1:], strict=True):
            chance = stay_cut if changed == 0.8 else stay
            weight *= chance if a == b else 1 - chance
        total += weight
        surgical += weight * np.array(states)
    smoothed = smooth(p, seconds(len(p)), changes, stay, stay_cut)
    np.testing.assert_allclose(smoothed, surgical / total, rtol=1e-6, atol=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_frames_that_say_nothing_of_each_other_stay_as_they_are(p: list[float]) -> None:
    np.testing.assert_allclose(smooth(np.array(p), seconds(len(p)), np.zeros(len(p)), 0.5, 0.9), p, atol=2e-6)


def test_a_run_of_one_still_picture_is_told_from_surgery_at_any_rate() -> None:
    for rate in (1.0, 5.0, 25.0):
        count = round(10 * rate)
        timestamps = np.arange(2 * count) / rate
        surgical = np.ones(2 * count, bool)
        surgical[count] = False
        changes = np.full(2 * count, 0.04 / rate)
        changes[1:count] = 0.0
        changes[count // 2] = 0.03
        found = still(surgical, timestamps, changes, 0.015)
        assert found[:count].all()
        assert not found[count:].any()
    assert not still(surgical, timestamps, changes, 0.0).any()


def test_a_lone_frame_is_no_still_picture() -> None:
    assert not still(np.array([True]), np.zeros(1), np.zeros(1), 0.5).any()
