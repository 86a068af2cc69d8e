"""Boxes from the overlay network's probabilities, and the shipped network on drawn overlays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from curate.errors import CurateError
from curate.nets.detect.overlay import CLASSES, OverlayNet, boxes_of, packaged_model
from curate.vision.boxes import cover
from curate.vision.static_content import COLUMNS, ROWS, statistics


def field(*areas: tuple[str, tuple[int, int, int, int], float]) -> np.ndarray:
    """Probabilities that are surgery but for some boxes."""
    probabilities = np.zeros((len(CLASSES), ROWS, COLUMNS), np.float32)
    for kind, (x1, y1, x2, y2), value in areas:
        probabilities[:, y1:y2, x1:x2] = 0
        probabilities[CLASSES.index(kind), y1:y2, x1:x2] = value
    probabilities[0] = 1 - probabilities[1:].sum(axis=0)
    return probabilities


def test_boxes_are_exact_and_carry_kind_and_score():
    found = boxes_of(field(("ui", (0, 180, 320, 192), 0.9), ("logo", (290, 5, 310, 20), 0.75)), 0.5)
    assert [box[:5] for box in found] == [(290, 5, 310, 20, "logo"), (0, 180, 320, 192, "ui")]
    assert [box.score for box in found] == pytest.approx([0.75, 0.9])


def test_a_word_in_a_logo_does_not_split_it():
    found = boxes_of(field(("logo", (20, 20, 60, 60), 0.8), ("text", (25, 35, 55, 45), 0.8)), 0.5)
    assert [box[:5] for box in found] == [(20, 20, 60, 60, "logo")]


def test_a_bar_and_a_window_that_touch_stay_apart():
    found = boxes_of(field(("ui", (0, 0, 320, 12), 0.9), ("pip", (230, 12, 310, 60), 0.9)), 0.5)
    assert [box[:5] for box in found] == [(0, 0, 320, 12, "ui"), (230, 12, 310, 60, "pip")]


def test_thin_outgrowths_do_not_widen_a_box():
    found = boxes_of(field(("pip", (100, 50, 180, 110), 0.9), ("pip", (180, 60, 200, 62), 0.9)), 0.5)
    assert [box[:4] for box in found] == [(100, 50, 180, 110)]


def test_fragments_too_small_for_a_bar_or_a_window_are_logos():
    found = boxes_of(field(("ui", (20, 20, 40, 30), 0.9), ("pip", (100, 100, 120, 110), 0.9)), 0.5)
    assert [box[:5] for box in found] == [(20, 20, 40, 30, "logo"), (100, 100, 120, 110, "logo")]


def test_what_lies_inside_another_box_is_left_out():
    ring = field(
        ("text", (40, 40, 120, 100), 0.8), ("surgery", (50, 50, 110, 90), 0.0), ("text", (70, 60, 90, 70), 0.8)
    )
    assert [box[:4] for box in boxes_of(ring, 0.5)] == [(40, 40, 120, 100)]


def test_specks_and_weak_areas_are_left_out():
    assert (
        boxes_of(
            field(("logo", (20, 20, 23, 23), 0.9), ("text", (50, 50, 90, 60), 0.45), ("ui", (0, 180, 320, 192), 0.3)),
            0.5,
        )
        == []
    )


def test_a_file_that_is_no_model_is_the_users_mistake(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(CurateError, match=r"broken\.onnx"):
        OverlayNet(broken)


@pytest.fixture(scope="module")
def network() -> OverlayNet:
    return OverlayNet(packaged_model())


def clip(seed: int) -> list[np.ndarray]:
    """Eight reduced frames of smooth texture that wanders."""
    rng = np.random.default_rng(seed)
    coarse = (rng.integers(0, 120, (40, 60, 3)) + np.array([90, 30, 20])).astype(np.uint8)
    texture = cv2.resize(coarse, (COLUMNS * 2, ROWS * 2), interpolation=cv2.INTER_CUBIC)
    starts = [(int(x), int(y)) for x, y in rng.integers(100, 160, (8, 2))]
    return [np.ascontiguousarray(texture[y - 90 : y - 90 + ROWS, x - 90 : x - 90 + COLUMNS]) for x, y in starts]


def test_the_shipped_network_finds_drawn_overlays_over_moving_scenes(network):
    disc = cv2.circle(np.zeros((ROWS, COLUMNS), np.uint8), (290, 25), 16, 1, -1) > 0
    for seed in range(3):
        frames = clip(seed)
        for frame in frames:
            frame[178:192] = 40
            for x in range(10, 300, 70):
                cv2.putText(frame, "Menu 12", (x, 188), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (230, 230, 230), 1)
            cv2.circle(frame, (290, 25), 16, (30, 90, 200), -1)
            cv2.putText(frame, "MIS", (279, 29), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (255, 255, 255), 1)
        found, _ = network.find(statistics(frames))
        covered = cover([box[:4] for box in found], COLUMNS, ROWS)
        assert covered[178:192].mean() > 0.95
        assert covered[disc].mean() > 0.9
        assert covered[45:170].mean() < 0.01


def test_the_shipped_network_leaves_moving_scenes_alone(network):
    assert [network.find(statistics(clip(seed)))[0] for seed in range(10, 16)] == [[]] * 6


def test_probabilities_sum_to_one(network):
    probabilities = network.probabilities(statistics(clip(0)))
    assert probabilities.shape == (len(CLASSES), ROWS, COLUMNS)
    assert np.allclose(probabilities.sum(axis=0), 1, atol=1e-4)
