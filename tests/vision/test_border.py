"""LEMON's crops on pictures whose right answer is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.vision.border import lemon_crop


def canvas(height: int = 200, width: int = 300) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


@settings(deadline=None, max_examples=50)
@given(left=st.integers(0, 90), top=st.integers(0, 40), right=st.integers(0, 90), bottom=st.integers(0, 40))
def test_black_borders_go_and_nothing_else(left, top, right, bottom):
    image = canvas()
    image[top : 200 - bottom, left : 300 - right] = (180, 60, 50)
    assert lemon_crop(image) == (left, top, 300 - right, 200 - bottom)


def test_a_full_picture_stays_whole():
    assert lemon_crop(canvas() + np.uint8(90)) == (0, 0, 300, 200)


def test_a_disc_is_cropped_to_rows_and_columns_that_are_mostly_light():
    image = canvas(400, 600)
    cv2.circle(image, (300, 200), 190, (180, 60, 50), -1)
    x1, y1, x2, y2 = lemon_crop(image)
    assert abs((x1 + x2) / 2 - 300) <= 1 and abs((y1 + y2) / 2 - 200) <= 1
    # A chord of a disc of radius r at distance d is 2 sqrt(r^2 - d^2) long; 65 % of 2 r is reached at d = 0.76 r.
    assert (x2 - x1) / 2 == pytest.approx(0.76 * 190, abs=2)
    assert (y2 - y1) / 2 == pytest.approx(0.76 * 190, abs=2)


def test_exactly_35_percent_black_is_kept():
    image = canvas(200, 200) + np.uint8(90)
    image[0, :70] = 0
    assert lemon_crop(image) == (0, 0, 200, 200)
    image[0, :71] = 0
    assert lemon_crop(image) == (0, 1, 200, 200)


def test_dark_rows_inside_the_picture_stay():
    image = canvas(200, 200) + np.uint8(90)
    image[100:120] = 0
    assert lemon_crop(image) == (0, 0, 200, 200)


def test_black_is_a_grey_value_of_zero():
    image = canvas(200, 200) + np.uint8(90)
    image[:, :50] = (1, 0, 0)
    image[:, -50:] = (0, 1, 0)
    assert lemon_crop(image) == (50, 0, 200, 200)


@pytest.mark.parametrize(("height", "width", "kept"), [(100, 200, False), (101, 51, True), (101, 50, False)])
def test_small_remains_are_dropped(height, width, kept):
    image = canvas()
    image[40 : 40 + height, 60 : 60 + width] = 90
    assert lemon_crop(image) == ((60, 40, 60 + width, 40 + height) if kept else None)


def test_a_black_frame_is_kept_whole_as_lemon_does():
    assert lemon_crop(canvas()) == (0, 0, 300, 200)
