"""Outlines that a program drew, and what is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from curate.vision.outlines import find_outlines


def tissue(seed: int = 0, size: tuple[int, int] = (640, 360)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    patches = cv2.resize(rng.uniform(0.5, 1, (9, 16, 1)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return (patches[..., None] * np.array([150, 90, 75])).astype(np.uint8)


@pytest.mark.parametrize("colour", [(190, 25, 20), (0, 255, 0), (40, 90, 255)])
@pytest.mark.parametrize("scale", [1, 3])
def test_the_lines_of_a_box_are_found_and_not_what_it_encloses(colour: tuple[int, int, int], scale: int) -> None:
    picture = cv2.resize(tissue(), None, fx=scale, fy=scale)
    cv2.rectangle(picture, (200 * scale, 80 * scale), (400 * scale, 300 * scale), colour, 3 * scale)
    boxes = find_outlines(picture)
    assert len(boxes) == 4
    covered = np.zeros(picture.shape[:2], bool)
    for x1, y1, x2, y2 in boxes:
        covered[y1:y2, x1:x2] = True
    assert covered[80 * scale, 210 * scale : 390 * scale].all()
    assert covered[90 * scale : 290 * scale, 400 * scale].all()
    assert not covered[100 * scale : 280 * scale, 220 * scale : 380 * scale].any()


def test_a_line_along_the_edge_counts_beside_another_one() -> None:
    picture = tissue()
    picture[:3, :300] = (200, 20, 20)
    assert find_outlines(picture) == []
    picture[:200, 300:304] = (200, 20, 20)
    assert len(find_outlines(picture)) == 2


def test_instruments_and_pools_in_strong_colours_are_none() -> None:
    picture = tissue()
    cv2.rectangle(picture, (100, 100), (500, 140), (20, 60, 200), -1)
    cv2.ellipse(picture, (300, 250), (150, 40), 0, 0, 360, (190, 10, 15), -1)
    cv2.line(picture, (0, 0), (600, 300), (0, 200, 0), 4)
    assert find_outlines(picture) == []
