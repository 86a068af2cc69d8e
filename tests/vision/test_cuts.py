from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curate.vision.cuts import Change, changes
from tests.media.videos import encode, picture


def moving(index: int) -> np.ndarray:
    """Reddish texture that drifts slowly."""
    image = picture(0, 96, 64) // 3
    image[..., 0] += 120
    return np.roll(image, index, axis=1)


def slide(index: int) -> np.ndarray:
    image = np.full((64, 96, 3), 235, np.uint8)
    image[20:24, 10:80] = 10
    return image


@pytest.mark.parametrize("cut", [26, 31, 49, 50])
def test_a_cut_is_found_to_the_frame(tmp_path: Path, cut: int) -> None:
    path = encode(tmp_path / "a.mp4", frames=100, images=lambda i: (moving if i < cut else slide)(i))
    assert changes(path, [(1.0, 2.0)]) == [Change(pytest.approx(cut / 25), pytest.approx(cut / 25))]


def test_spans_that_touch_and_spans_apart(tmp_path: Path) -> None:
    def images(index: int) -> np.ndarray:
        return (slide if 30 <= index < 60 or index >= 110 else moving)(index)

    path = encode(tmp_path / "a.mp4", frames=125, images=images)
    found = changes(path, [(1.0, 2.0), (2.0, 3.0), (4.0, 4.96)])
    assert [change.cut for change in found] == [pytest.approx(30 / 25), pytest.approx(60 / 25), pytest.approx(110 / 25)]
    assert changes(path, []) == []


def test_a_fade_ends_the_old_picture_before_its_middle(tmp_path: Path) -> None:
    def images(index: int) -> np.ndarray:
        share = float(np.clip((index - 30) / 16, 0, 1))
        return ((1 - share) * moving(index) + share * slide(index)).astype(np.uint8)

    path = encode(tmp_path / "a.mp4", frames=75, images=images)
    (found,) = changes(path, [(1.0, 2.0)])
    assert 30 / 25 <= found.first <= 36 / 25 and found.cut is None


def test_a_picture_that_stands_still_changes_at_once(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", frames=75, images=slide)
    (found,) = changes(path, [(1.0, 2.0)])
    assert 1.0 < found.first <= 2.0 and found.cut is None


def test_two_cuts_are_no_single_one(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", frames=75, images=lambda i: (slide if 30 <= i < 40 else moving)(i))
    assert changes(path, [(1.0, 2.0)]) == [Change(pytest.approx(30 / 25), None)]
