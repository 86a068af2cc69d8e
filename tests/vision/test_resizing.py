"""Pictures at another size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from curate.vision.resizing import resized

PICTURE = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (45, 80, 3)).astype(np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC
)


@pytest.mark.parametrize("size", [(640, 360), (448, 256), (320, 180), (1280, 720), (800, 448)])
def test_a_smaller_picture_shows_means(size):
    small = resized(PICTURE, size)
    assert small.shape == (size[1], size[0], 3) and small.dtype == np.uint8
    means = cv2.resize(PICTURE.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    assert np.abs(small - means).max() < 40 and np.abs(small - means).mean() < 2


def test_quarters_are_means_of_their_pixels_but_for_rounding():
    blocks = PICTURE.reshape(180, 4, 320, 4, 3).mean(axis=(1, 3))
    assert np.abs(resized(PICTURE, (320, 180)) - blocks).max() <= 1


@pytest.mark.parametrize("shape", [(721, 1281, 3), (719, 1280), (2, 2, 3), (1, 640, 3)])
def test_any_size_becomes_any_other(shape):
    image = np.full(shape, 77, dtype=np.uint8)
    for size in ((32, 32), (64, 96), (1, 1)):
        small = resized(image, size)
        assert small.shape[:2] == size[::-1] and (small == 77).all()
