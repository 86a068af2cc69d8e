"""The packaged text detector on rendered text, on plain pictures, and on real surgical frames."""

from __future__ import annotations

import csv
import math

import cv2
import numpy as np
import pytest
import simplejpeg

from curate.errors import CurateError
from curate.nets.detect.text_detector import TALLEST, TextDetector, boxes_of, network_size, packaged_model


@pytest.fixture(scope="module")
def detector() -> TextDetector:
    return TextDetector(packaged_model())


def tissue(height: int = 360, width: int = 640, seed: int = 0) -> np.ndarray:
    """A smooth reddish picture."""
    coarse = np.random.default_rng(seed).integers(0, 60, (6, 8, 3)) + np.array([130, 50, 40])
    return cv2.resize(coarse.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def write(image: np.ndarray, text: str, x: int, y: int, scale: float) -> tuple[int, int, int, int]:
    """Draw text with its baseline at y and return the tight box of its pixels."""
    before = image.copy()
    cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), max(1, round(2 * scale)))
    ys, xs = np.nonzero((image != before).any(axis=2))
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def share_inside(inner: tuple[int, ...], outer: tuple[int, ...]) -> float:
    across = min(inner[2], outer[2]) - max(inner[0], outer[0])
    down = min(inner[3], outer[3]) - max(inner[1], outer[1])
    return max(across, 0) * max(down, 0) / ((inner[2] - inner[0]) * (inner[3] - inner[1]))


@pytest.mark.parametrize(
    ("height", "width", "scale"), [(360, 640, 0.6), (720, 1280, 0.8), (1080, 1920, 1.5), (480, 480, 0.7)]
)
def test_text_is_boxed_tightly_at_every_image_size(detector, height, width, scale):
    image = tissue(height, width)
    truth = [
        write(image, "Dr. Jane Doe, General Hospital", 20, height // 8, scale),
        write(image, "12:45:07", width // 2, height - height // 10, scale),
    ]
    (boxes,) = detector.detect([image])
    assert len(boxes) == len(truth)
    for box, drawn in zip(boxes, truth, strict=True):
        assert share_inside(drawn, box[:4]) > 0.97
        assert share_inside(box[:4], drawn) > 0.4
        assert box.score >= 0.7


def test_a_picture_without_text_has_no_boxes(detector):
    black = np.zeros((360, 640, 3), np.uint8)
    glint = tissue()
    cv2.circle(glint, (300, 200), 6, (255, 255, 255), -1)
    assert detector.detect([black, glint]) == [[], []]


def test_a_batch_gives_what_single_images_give(detector):
    images = [tissue(seed=seed) for seed in range(3)]
    for place, image in enumerate(images):
        write(image, f"frame {place}", 60 * place, 100 + 60 * place, 0.8)
    alone = [detector.detect([image])[0] for image in images]
    together = detector.detect(images)
    assert [[box[:4] for box in boxes] for boxes in together] == [[box[:4] for box in boxes] for boxes in alone]
    assert all(len(boxes) == 1 for boxes in alone)
    assert detector.detect([]) == []


def test_boxes_at_the_edge_stay_inside_the_image(detector):
    image = tissue()
    write(image, "CORNER TEXT", 0, 18, 0.7)
    write(image, "CORNER TEXT", 640 - 150, 357, 0.7)
    (boxes,) = detector.detect([image])
    assert len(boxes) == 2
    assert all(0 <= b.x1 < b.x2 <= 640 and 0 <= b.y1 < b.y2 <= 360 for b in boxes)


def test_components_that_are_no_lines_of_text_are_left_out():
    rows, columns = 320, 640
    probability = np.zeros((rows, columns), np.float32)
    cv2.rectangle(probability, (20, 20), (180, 35), 0.95, -1)  # a line
    cv2.rectangle(probability, (20, 60), (180, 75), 0.5, -1)  # a faint line
    cv2.rectangle(probability, (300, 100), (500, 100 + math.ceil(TALLEST * rows) + 2), 0.95, -1)  # an organ
    cv2.rectangle(probability, (560, 50), (575, 64), 0.95, -1)  # a dot
    cv2.line(probability, (40, 250), (200, 285), 0.95, 2)
    cv2.line(probability, (40, 285), (200, 250), 0.95, 2)  # a cross fills little of its rectangle
    cv2.rectangle(probability, (400, 300), (420, 301), 0.95, -1)  # too thin
    boxes = boxes_of(probability, 1280, 640, threshold=0.7)
    assert len(boxes) == 1
    assert share_inside((40, 40, 362, 72), boxes[0][:4]) == 1.0
    assert boxes[0].score == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("width", "height", "side", "expected"),
    [(1280, 720, 448, (448, 800)), (100, 50, 448, (96, 192)), (8, 4, 448, (32, 32)), (720, 1280, 448, (800, 448))],
)
def test_network_size(width, height, side, expected):
    assert network_size(width, height, side) == expected


def test_a_file_that_is_no_model_is_the_users_mistake(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(CurateError, match=r"broken\.onnx"):
        TextDetector(broken)


def test_real_surgical_frames_without_text_are_left_alone(detector, shared_data):
    """Sources whose frames carry no burned-in text; glints, instruments and round fields of view are the traps."""
    folder = shared_data / "frames"
    with open(folder / "labels.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    touched = {}
    for source in ("desmoke", "cholecseg", "lowlight", "cataract-mixed"):
        files = sorted(row["file"] for row in rows if row["source"] == source)
        for name in files[:: max(1, len(files) // 10)]:
            image = simplejpeg.decode_jpeg((folder / name).read_bytes())
            touched[name] = bool(detector.detect([image])[0])
    assert len(touched) >= 40
    assert sum(touched.values()) <= 1, [name for name, hit in touched.items() if hit]
