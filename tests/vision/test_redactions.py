"""Boxes of plain black or white that hide something."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from curate.vision.boxes import iou
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
