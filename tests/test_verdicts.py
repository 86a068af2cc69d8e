"""Verdicts, LEMON's trim rule and smoothing as rules of arrays."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN
from curate.verdicts import Cut, durations, judge, runs, smooth, trim


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
    p = np.array([0.98, 0.98, 0.98, 0.2, 0.98, 0.98, 0.98])
    assert smooth(p, seconds(7), 0.9)[3] > 0.5
    p[3] = 0.0001
    assert smooth(p, seconds(7), 0.9)[3] < 0.5


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=30), st.floats(0.5, 0.99))
def test_smoothing_agrees_with_summing_over_all_histories(p: list[float], stay: float) -> None:
    p = p[:7]
    given_p = np.array(p)
    total, surgical = 0.0, np.zeros(len(p))
    for code in range(2 ** len(p)):
        states = [(code >> i) & 1 for i in range(len(p))]
        weight = np.prod([v if s else 1 - v for s, v in zip(states, p, strict=True)])
        weight *= np.prod([stay if a == b else 1 - stay for a, b in itertools.pairwise(states)])
        total += weight
        surgical += weight * np.array(states)
    np.testing.assert_allclose(smooth(given_p, seconds(len(p)), stay), surgical / total, rtol=1e-6, atol=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_frames_that_say_nothing_of_each_other_stay_as_they_are(p: list[float]) -> None:
    np.testing.assert_allclose(smooth(np.array(p), seconds(len(p)), 0.5), p, atol=2e-6)
