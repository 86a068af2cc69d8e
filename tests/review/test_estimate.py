"""Precision and recall from a sample: right on average, and inside of the interval as often as promised."""

from __future__ import annotations

import math

import numpy as np
import pytest

from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN
from curate.review.estimate import Draw, Stratum, clopper_pearson, estimate
from curate.review.judged import JudgedFrame

TAKEN = {SURGICAL: True, UNCERTAIN: False, NON_SURGICAL: False}


@pytest.mark.parametrize(
    ("errors", "drawn"),
    [
        ({SURGICAL: 0.001, UNCERTAIN: 0.5, NON_SURGICAL: 0.01}, (150, 50, 150)),
        ({SURGICAL: 0.05, UNCERTAIN: 0.3, NON_SURGICAL: 0.10}, (100, 30, 100)),
        ({SURGICAL: 0.0, UNCERTAIN: 0.9, NON_SURGICAL: 0.0}, (60, 20, 60)),
    ],
)
def test_intervals_cover_the_truth_in_95_of_100_simulations(
    errors: dict[str, float], drawn: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(1)
    sizes = {SURGICAL: 40_000, UNCERTAIN: 900, NON_SURGICAL: 25_000}
    shows = {v: round(n * (1 - errors[v] if TAKEN[v] else errors[v])) for v, n in sizes.items()}
    precision = shows[SURGICAL] / sizes[SURGICAL]
    recall = shows[SURGICAL] / sum(shows.values())
    covered = {"precision": 0, "recall": 0}
    values = []
    for _ in range(400):
        strata = {}
        for (verdict, size), count in zip(sizes.items(), drawn, strict=True):
            surgical = int(rng.hypergeometric(shows[verdict], size - shows[verdict], count))
            strata[verdict] = Stratum(size, surgical, count - surgical, taken=TAKEN[verdict])
        found = estimate(strata)
        values.append((found.precision.value, found.recall.value))
        covered["precision"] += found.precision.low <= precision <= found.precision.high
        covered["recall"] += found.recall.low <= recall <= found.recall.high
    assert min(covered.values()) >= 0.95 * 400, covered
    assert np.mean(values, axis=0) == pytest.approx((precision, recall), abs=0.01)


def test_the_exact_interval_is_the_published_one() -> None:
    assert clopper_pearson(0, 100) == pytest.approx((0, 0.0362), abs=1e-4)
    assert clopper_pearson(10, 100) == pytest.approx((0.0490, 0.1762), abs=1e-4)
    assert clopper_pearson(0, 0) == (0.0, 1.0)


def test_a_stratum_that_was_seen_whole_is_known() -> None:
    strata = {SURGICAL: Stratum(10, 9, 1), NON_SURGICAL: Stratum(20, 1, 19, taken=False)}
    found = estimate(strata)
    assert (found.precision.low, found.precision.value, found.precision.high) == (0.9, 0.9, 0.9)
    assert found.recall.low == found.recall.high == 0.9


def test_what_nobody_knows_widens_the_interval_on_both_sides() -> None:
    known, unsure = Stratum(1000, 95, 5), Stratum(1000, 90, 5, 5)
    (low, high), (lower, higher) = known.interval(0.05), unsure.interval(0.05)
    assert lower < low and higher >= high


def test_nothing_drawn_says_nothing() -> None:
    found = estimate({SURGICAL: Stratum(10, 0, 0), NON_SURGICAL: Stratum(5, 0, 0, taken=False)})
    assert (found.precision.low, found.precision.high) == (0, 1)
    assert (found.recall.low, found.recall.high) == (0, 1)
    assert math.isnan(estimate({}).recall.value)


def frames(verdicts: str) -> list[JudgedFrame]:
    names = {"s": SURGICAL, "n": NON_SURGICAL, "u": UNCERTAIN}
    return [JudgedFrame(i, 1000 * i, 0.5, names[v], True) for i, v in enumerate(verdicts)]


def test_a_draw_is_the_same_again_and_grows_without_losing_what_it_had() -> None:
    one, other, third = Draw(3), Draw(3, most=40), Draw(4)
    for video, verdicts in (("a", "ssn" * 30), ("b", "snu" * 30)):
        one.add(video, frames(verdicts))
    for video, verdicts in (("b", "snu" * 30), ("a", "ssn" * 30)):
        other.add(video, frames(verdicts))
        third.add(video, frames(verdicts))
    assert one.sizes == {SURGICAL: 90, UNCERTAIN: 30, NON_SURGICAL: 60}
    assert other.order(SURGICAL) == one.order(SURGICAL)[:40]
    assert third.order(SURGICAL) != one.order(SURGICAL)
    first = list(one.interleaved())[:30]
    assert [first[i] in one.order(v) for i, v in enumerate((SURGICAL, UNCERTAIN, NON_SURGICAL) * 10)] == [True] * 30


def test_only_frames_that_were_drawn_count() -> None:
    draw = Draw()
    draw.add("v", frames("s" * 50 + "n" * 50))
    order = draw.order(SURGICAL)
    labels = dict.fromkeys(order[:10], SURGICAL) | {order[10]: NON_SURGICAL, order[30]: NON_SURGICAL}
    assert draw.strata(labels, TAKEN)[SURGICAL] == Stratum(50, 10, 1)
    assert draw.strata(labels, TAKEN)[NON_SURGICAL] == Stratum(50, 0, 0, taken=False)


def test_draws_follow_no_pattern() -> None:
    draw = Draw(0)
    draw.add("v", frames("s" * 4000))
    half = [at for _, at in draw.order(SURGICAL)[:2000]]
    assert abs(np.mean(half) - 2_000_000) < 60_000
