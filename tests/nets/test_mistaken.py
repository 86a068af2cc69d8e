"""What is the picture itself, and no overlay."""

from __future__ import annotations

import numpy as np
import pytest

from curate.nets.detect.mistaken import is_mistaken
from curate.records import Region
from curate.vision.static_content import COLUMNS, ROWS, statistics


def of(box: tuple[int, int, int, int], kind: str, score: float = 0.85) -> Region:
    return Region(*box, kind, score, "overlay")


def scene(colour: tuple[int, int, int] = (160, 80, 70)) -> np.ndarray:
    rng = np.random.default_rng(1)
    shade = rng.uniform(0.6, 1, (ROWS, COLUMNS, 1))
    return (shade * np.array(colour)).astype(np.uint8)


def test_a_small_picture_before_black_is_no_insert_and_a_window_over_a_full_one_is() -> None:
    box = (110, 50, 200, 140)
    small = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    small[45:145, 100:220] = scene()[45:145, 100:220]
    assert is_mistaken(of(box, "pip"), statistics([small]))
    assert not is_mistaken(of(box, "pip"), statistics([scene()]))


def test_a_frame_round_the_picture_is_no_panel() -> None:
    assert is_mistaken(of((0, 0, COLUMNS, ROWS), "ui"), statistics([scene()]))
    assert not is_mistaken(of((0, 0, COLUMNS, 80), "ui"), statistics([scene()]))


def test_white_around_a_picture_is_nothing_drawn() -> None:
    picture = scene()
    picture[:30] = 255
    assert is_mistaken(of((50, 0, 280, 28), "ui"), statistics([picture]))
    picture[8:20, 60:270:4] = 0
    assert not is_mistaken(of((50, 0, 280, 28), "ui"), statistics([picture]))


@pytest.mark.parametrize(
    ("box", "score", "mistaken"), [((10, 10, 90, 80), 0.85, True), ((10, 10, 90, 80), 0.95, False)]
)
def test_large_marks_must_be_sure(box: tuple[int, int, int, int], score: float, mistaken: bool) -> None:
    assert is_mistaken(of(box, "logo", score), statistics([scene()])) == mistaken
    assert not is_mistaken(of((10, 10, 40, 30), "logo", 0.8), statistics([scene()]))


def test_the_light_of_fluorescence_is_no_panel_and_a_panel_in_it_is() -> None:
    picture = scene((10, 160, 30))
    assert is_mistaken(of((180, 150, 320, 192), "ui"), statistics([picture]))
    picture[150:, 180:] = (60, 60, 70)
    assert not is_mistaken(of((180, 150, 320, 192), "ui"), statistics([picture]))
