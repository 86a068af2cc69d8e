"""How alike pictures are in their colours."""

from __future__ import annotations

import math

import numpy as np
import pytest

from curate.vision.colour_change import change, colours


def plain(red: int, green: int, blue: int, size: tuple[int, int] = (90, 160)) -> np.ndarray:
    return np.full((*size, 3), (red, green, blue), np.uint8)


def test_the_same_picture_does_not_change_and_another_colour_does_wholly() -> None:
    red, blue = colours(plain(200, 20, 20)), colours(plain(20, 20, 200))
    assert change(red, red) == 0
    assert change(red, blue) == 1


def test_half_a_picture_in_another_colour() -> None:
    half = plain(200, 20, 20)
    half[:, 80:] = (20, 20, 200)
    assert change(colours(plain(200, 20, 20)), colours(half)) == pytest.approx(math.sqrt(1 - math.sqrt(0.5)), abs=0.02)


def test_where_things_stand_and_how_large_the_picture_is_tells_nothing() -> None:
    image = plain(200, 20, 20)
    image[30:60, 20:70] = (20, 200, 20)
    moved = np.roll(image, 64, axis=1)
    large = image.repeat(4, axis=0).repeat(4, axis=1)
    assert change(colours(image), colours(moved)) < 0.1
    assert change(colours(image), colours(large)) < 0.1
