"""Painting: exactly the boxes change, the original never does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.vision.boxes import clip_boxes, cover
from curate.vision.paint import FILLS, paint

WIDTH, HEIGHT = 48, 36


def scene(seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(30, 226, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


coordinates = st.integers(-20, 70)
boxes_strategy = st.lists(st.tuples(coordinates, coordinates, coordinates, coordinates), max_size=4)


@settings(deadline=None, max_examples=60)
@given(boxes=boxes_strategy, fill=st.sampled_from(FILLS), padding=st.integers(0, 5))
def test_only_grown_boxes_change_and_the_result_is_reproducible(boxes, fill, padding):
    image = scene()
    before = image.copy()
    painted = paint(image, boxes, fill=fill, padding=padding)
    covered = cover(clip_boxes(boxes, WIDTH, HEIGHT, padding=padding), WIDTH, HEIGHT)
    assert painted.shape == image.shape and painted.dtype == np.uint8
    assert not np.shares_memory(painted, image)
    assert np.array_equal(image, before)
    assert np.array_equal(painted[~covered], image[~covered])
    assert np.array_equal(painted, paint(image, boxes[::-1], fill=fill, padding=padding))


def test_black_is_exact_at_the_exclusive_edge():
    painted = paint(scene(), [(10, 5, 20, 9)])
    black = (painted == 0).all(axis=2)
    assert black.sum() == 10 * 4
    assert black[5:9, 10:20].all()


def test_padding_grows_every_side():
    black = (paint(scene(), [(10, 5, 20, 9)], padding=2) == 0).all(axis=2)
    assert black[3:11, 8:22].all() and black.sum() == 14 * 8


def test_none_changes_nothing():
    assert np.array_equal(paint(scene(), [(0, 0, 10, 10)], fill="none"), scene())


def test_mean_takes_the_colour_around_and_not_the_overlay():
    image = np.full((HEIGHT, WIDTH, 3), (200, 60, 40), dtype=np.uint8)
    image[10:20, 10:30] = 255
    assert np.array_equal(paint(image, [(10, 10, 30, 20)], fill="mean"), np.full_like(image, (200, 60, 40)))


def test_mean_of_a_wholly_covered_image_is_black():
    assert not paint(scene(), [(0, 0, WIDTH, HEIGHT)], fill="mean").any()


def test_blur_makes_text_unreadable():
    image = np.full((60, 200, 3), 90, dtype=np.uint8)
    cv2.putText(image, "DOE JOHN 1961", (5, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    box = (0, 18, 200, 46)
    blurred = paint(image, [box], fill="blur")[18:46]
    contrast = [float(np.abs(np.diff(part.astype(int), axis=1)).max()) for part in (image[18:46], blurred)]
    assert contrast[0] > 150 and contrast[1] < 10


def test_a_wide_blur_is_that_of_the_gaussian_it_stands_for():
    coarse = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (640, 384), interpolation=cv2.INTER_NEAREST)
    x1, y1, x2, y2 = box = (300, 100, 520, 280)
    exact = cv2.GaussianBlur(image, (0, 0), 90, borderType=cv2.BORDER_REPLICATE)[y1:y2, x1:x2]
    painted = paint(image, [box], fill="blur")
    assert np.abs(painted[y1:y2, x1:x2].astype(int) - exact).max() <= 4
    painted[y1:y2, x1:x2] = image[y1:y2, x1:x2]
    assert np.array_equal(painted, image)


def test_inpaint_draws_from_the_surroundings():
    image = np.full((HEIGHT, WIDTH, 3), (180, 70, 60), dtype=np.uint8)
    image[10:16, 10:30] = (0, 255, 0)
    painted = paint(image, [(10, 10, 30, 16)], fill="inpaint")
    assert np.abs(painted.astype(int) - (180, 70, 60)).max() <= 3


def test_inpaint_of_a_wholly_covered_image_is_black():
    assert not paint(scene(), [(0, 0, WIDTH, HEIGHT)], fill="inpaint").any()


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.zeros((4, 4), np.uint8), {}, "three|3"),
        (np.zeros((4, 4, 3), np.float32), {}, "uint8"),
        (np.zeros((4, 4, 3), np.uint8), {"fill": "pink"}, "known: black"),
        (np.zeros((4, 4, 3), np.uint8), {"padding": -1}, "at least 0"),
    ],
)
def test_misuse_is_said(image, options, message):
    with pytest.raises(ValueError, match=message):
        paint(image, [(0, 0, 2, 2)], **options)
