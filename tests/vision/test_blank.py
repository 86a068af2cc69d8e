from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from curate.nets.classifier import load_classifier
from curate.vision.blank import is_blank

RNG = np.random.default_rng(0)


def noisy(level: float, spread: float) -> np.ndarray:
    return np.clip(RNG.normal(level, spread, (360, 640, 3)), 0, 255).astype(np.uint8)


BLANK = {
    "black": np.zeros((360, 640, 3), np.uint8),
    "noise in the dark": noisy(10, 12),
    "dark red, a covered lens": np.full((360, 640, 3), (70, 12, 10), np.uint8),
    "one colour": np.full((90, 160, 3), (20, 90, 200), np.uint8),
    "white": noisy(250, 4),
}


@pytest.mark.parametrize("name", BLANK)
def test_pictures_without_content_are_no_surgery(name: str) -> None:
    assert is_blank(BLANK[name])
    classifier = load_classifier("default", device="cpu", threads=1)
    assert classifier.predict([BLANK[name]]).tolist() == [0.0]


def test_small_things_on_black_and_faint_pictures_are_content() -> None:
    caption = np.zeros((360, 640, 3), np.uint8)
    cv2.putText(caption, "Step 3: clipping the artery", (60, 180), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (255,) * 3, 2)
    assert not is_blank(caption)
    faint = np.tile(np.linspace(40, 80, 640).astype(np.uint8)[None, :, None], (360, 1, 3))
    assert not is_blank(faint)


def test_real_surgery_has_content(shared_data: Path) -> None:
    paths = sorted((shared_data / "frames" / "surgical").rglob("*.jpg"))[::8]
    blank = [path.name for path in paths if is_blank(cv2.imread(str(path)))]
    assert len(paths) > 200 and blank == []
