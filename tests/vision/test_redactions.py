"""Boxes of plain black or white that hide something."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from curate.vision.boxes import cover, iou
from curate.vision.redactions import find_redactions
from tests.vision.scopes import Scope

WIDTH, HEIGHT = 640, 360


def tissue(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 70, (12, 20, 3)) + np.array([130, 60, 50])
    return cv2.resize(coarse.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def compressed(image: np.ndarray, quality: int = 60) -> np.ndarray:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


@pytest.mark.parametrize("shade", [0, 255])
@pytest.mark.parametrize("box", [(40, 30, 160, 60), (0, 250, 140, 360), (600, 100, 640, 150)])
def test_a_plain_box_is_found_through_compression(box, shade):
    image = tissue()
    image[box[1] : box[3], box[0] : box[2]] = shade
    (found,) = find_redactions(compressed(image))
    assert iou(found, box) > 0.85


def test_boxes_of_a_large_picture_are_in_its_pixels():
    image = tissue(1, 1920, 1080)
    image[600:700, 300:700] = 0
    (found,) = find_redactions(image)
    assert iou(found, (300, 600, 700, 700)) > 0.9


def test_what_surrounds_the_picture_is_no_box():
    for surround in (0, 255):
        scope = Scope(WIDTH, HEIGHT, circle=(320, 180, 170), surround=surround, notch=True)
        assert find_redactions(compressed(scope.frame(2, 0))) == []
    barred = tissue(3)
    barred[:, :80] = barred[:, -80:] = 0
    assert find_redactions(compressed(barred)) == []
    assert find_redactions(np.zeros((HEIGHT, WIDTH, 3), np.uint8)) == []


def test_shadows_and_glare_are_no_boxes():
    image = tissue(4)
    cv2.ellipse(image, (200, 180), (90, 40), 20, 0, 360, (0, 0, 0), -1)
    cv2.circle(image, (450, 100), 30, (255, 255, 255), -1)
    assert find_redactions(compressed(cv2.GaussianBlur(image, (0, 0), 2))) == []


@pytest.mark.parametrize("flip", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_boxes_that_run_into_each_other_or_into_a_surround_are_found_by_their_corners(flip):
    """Two boxes of different height side by side at the edge of a picture, and one in a black border."""
    image = tissue(5)
    image[:, :60] = image[-50:] = 0
    image[240:, 60:140] = image[280:, 140:200] = 0
    image[250:, 500:600] = 0
    found = find_redactions(compressed(np.ascontiguousarray(image[:: flip[0], :: flip[1]])))
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[240:, 60:140] = hidden[280:, 140:200] = hidden[250:, 500:600] = True
    covered = cover(found, WIDTH, HEIGHT)[:: flip[0], :: flip[1]]
    assert (covered & hidden)[:310].sum() > 0.9 * hidden[:310].sum()
    black = image.max(axis=2) == 0
    assert (covered & ~black).sum() < 0.03 * hidden.sum()


def test_a_picture_in_a_black_frame_has_no_boxes():
    framed = tissue(6)
    framed[:40] = framed[-40:] = 0
    framed[:, :90] = framed[:, -90:] = 0
    assert find_redactions(compressed(framed)) == []
    octagon = np.zeros_like(framed)
    corners = [(150, 20), (490, 20), (560, 90), (560, 270), (490, 340), (150, 340), (80, 270), (80, 90)]
    cv2.fillPoly(octagon, [np.array(corners)], (1, 1, 1))
    assert find_redactions(compressed(tissue(7) * octagon)) == []
