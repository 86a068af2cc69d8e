"""Figures against values worked out elsewhere or by counting."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from curate.evaluation.statistics import (
    calibration_error,
    choose_operating_point,
    fit_temperature,
    precision_at_recall,
    wilson,
)


def test_wilson_interval_against_the_published_example() -> None:
    """R. G. Newcombe, Statistics in Medicine 17, 1998, table I: 81 of 263, and 0 of 20."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(0, 50), st.integers(1, 50))
def test_wilson_interval_holds_the_share(right: int, more: int) -> None:
    low, high = wilson(right, right + more)
    assert 0 <= low <= right / (right + more) <= high <= 1


def test_calibration_error_by_hand() -> None:
    p = np.array([0.95, 0.95, 0.05, 0.05])
    assert calibration_error(p, np.array([True, True, False, False])) == pytest.approx(0.05)
    assert calibration_error(p, np.array([True, False, False, False])) == pytest.approx((2 * 0.45 + 2 * 0.05) / 4)
    weights = np.array([1.0, 0.0, 0.0, 0.0])
    assert calibration_error(p, np.array([True, False, True, True]), weights) == pytest.approx(0.05)


def test_precision_at_recall_by_counting() -> None:
    p = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    truth = np.array([True, True, False, True, False])
    assert precision_at_recall(p, truth, 0.6) == (1.0, 0.8)
    assert precision_at_recall(p, truth, 1.0) == (0.75, 0.6)
    assert precision_at_recall(np.full(4, 0.5), np.array([True, False, False, True]), 0.5) == (0.5, 0.5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_is_found_again(temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 40000)
    truth = rng.random(40000) < 1 / (1 + np.exp(-logits))
    assert fit_temperature(logits * temperature, truth, np.ones(40000)) == pytest.approx(temperature, rel=0.05)


def test_the_threshold_rises_only_as_far_as_precision_asks() -> None:
    p = np.concatenate([np.full(98, 0.99), np.full(2, 0.3), np.full(4, 0.62), np.full(96, 0.01)])
    truth = np.arange(200) < 100
    point = choose_operating_point(p, truth, np.full(200, 1 / 200))
    assert point.threshold == 0.63
    low, high = point.uncertain
    assert 0.62 <= low <= 0.63
    assert 0.63 <= high <= 0.64


def test_the_uncertain_band_hides_no_side_that_is_right() -> None:
    p = np.concatenate([np.full(90, 0.99), np.full(8, 0.75), np.full(2, 0.5), np.full(6, 0.66), np.full(94, 0.01)])
    truth = np.arange(200) < 100
    low, high = choose_operating_point(p, truth, np.full(200, 1 / 200), share=0.1).uncertain
    assert low <= 0.5
    assert high < 0.75


def test_the_threshold_stays_where_recall_would_be_lost() -> None:
    p = np.concatenate([np.full(60, 0.99), np.full(40, 0.55), np.full(4, 0.62), np.full(96, 0.01)])
    point = choose_operating_point(p, np.arange(200) < 100, np.full(200, 1 / 200))
    assert point.threshold == 0.5
