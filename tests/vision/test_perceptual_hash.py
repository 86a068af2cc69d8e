from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.vision.perceptual_hash import CROPS, distances, hash_pictures, lit_part, small_picture
from tests.vision.scopes import Scope


def scene(seed: int, size: tuple[int, int] = (480, 270)) -> np.ndarray:
    """A grey scene of blobs, as large as told."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(20, 230, (9, 16)).astype(np.float32)
    return cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def hashed(*pictures: np.ndarray):
    return hash_pictures(np.stack([small_picture(picture) for picture in pictures]))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), quality=st.integers(20, 95), width=st.integers(160, 1280))
def test_encoded_again_and_of_another_size_it_is_near_and_another_scene_is_far(seed, quality, width) -> None:
    picture, other = scene(seed), scene(seed + 1)
    resized = cv2.resize(picture, (width, width * 9 // 16), interpolation=cv2.INTER_AREA)
    again = cv2.imdecode(cv2.imencode(".jpg", resized, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)
    brighter = cv2.convertScaleAbs(picture, alpha=0.8, beta=20)
    found = hashed(picture, again, brighter, other)
    near, bright, far = distances(found.whole[0], found.whole[1:])
    assert near <= 48 and bright <= 16 and far >= 80


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_mirrored_hash_is_that_of_the_mirror_image(seed) -> None:
    picture = scene(seed)
    found = hashed(picture, picture[:, ::-1])
    assert distances(found.mirror[0], found.whole[1]) <= 8
    assert distances(found.whole[0], found.whole[1]) >= 80


@pytest.mark.parametrize("crop", range(len(CROPS)))
def test_a_crop_has_the_hash_of_a_picture_that_was_cut_so(crop: int) -> None:
    x1, y1, x2, y2 = CROPS[crop]
    for seed in range(5):
        picture = scene(seed, (960, 540))
        cut = picture[round(y1 * 540) : round(y2 * 540), round(x1 * 960) : round(x2 * 960)]
        found = hashed(picture, cut)
        assert distances(found.crops[0, crop], found.whole[1]) <= 24
        assert distances(found.whole[0], found.whole[1]) > 40


def test_what_is_not_shown_does_not_count() -> None:
    scope = Scope(circle=(240, 130, 120))
    plain, marked = scope.frame(3, 0)[:, :, 1], scope.frame(3, 0)[:, :, 1].copy()
    marked[100:150, 200:280] = 255
    shown = scope.field()
    shown[100:150, 200:280] = False
    one, other = (hash_pictures(small_picture(grey, shown)[None]) for grey in (plain, marked))
    assert distances(one.whole, other.whole) == 0
    assert distances(hashed(plain).whole, hashed(marked).whole) > 0


def test_quality_tells_content_from_none() -> None:
    rng = np.random.default_rng(0)
    black = np.zeros((270, 480), np.uint8)
    noisy = rng.integers(0, 4, (270, 480)).astype(np.uint8)
    gradient = np.tile(np.linspace(60, 120, 480).astype(np.uint8), (270, 1))
    found = hashed(black, noisy, gradient, scene(1), scene(2))
    assert found.quality[:3].max() <= 4 and found.quality[3:].min() >= 15
    assert not small_picture(black, np.zeros(black.shape, bool)).any()


@given(st.integers(0, 255), st.integers(0, 255))
def test_distances_count_bits(one: int, other: int) -> None:
    left, right = np.full(32, one, np.uint8), np.full((3, 32), other, np.uint8)
    assert distances(left, right).tolist() == [32 * bin(one ^ other).count("1")] * 3


def test_dark_borders_are_told_from_dark_pictures() -> None:
    bars = np.full((100, 160), 8, np.uint8)
    bars[10:90, 20:150] = scene(1, (130, 80))
    assert lit_part(bars) == (20, 10, 150, 90)
    assert lit_part(scene(1)) == (0, 0, 480, 270)
    assert lit_part(np.full((100, 160), 8, np.uint8)) == (0, 0, 160, 100)
    spot = np.zeros((100, 160), np.uint8)
    spot[40:50, 60:70] = 255
    assert lit_part(spot) == (0, 0, 160, 100), "too little would be left"


def test_a_letterboxed_picture_has_the_hash_of_its_lit_part() -> None:
    picture = np.maximum(scene(4), 60)
    framed = np.zeros((360, 480), np.uint8)
    framed[45:315] = picture
    x1, y1, x2, y2 = lit_part(framed)
    assert distances(hashed(framed[y1:y2, x1:x2]).whole, hashed(picture).whole) == 0
