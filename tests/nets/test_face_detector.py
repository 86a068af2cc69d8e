from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import CurateError
from curate.nets.detect.face_detector import CELL, FaceDetector, centres_to_boxes, packaged_model


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(packaged_model())


@given(st.integers(0, 11), st.integers(0, 19), st.floats(1, 12), st.floats(1, 12), st.floats(0.5, 1))
def test_a_centre_becomes_its_box(row, column, tall, wide, score):
    faces = np.zeros((12, 20), np.float32)
    faces[row, column] = score
    sizes = np.log(np.broadcast_to(np.array([tall, wide], np.float32)[:, None, None], (2, 12, 20)))
    offsets = np.full((2, 12, 20), 0.25, np.float32)
    ((x1, y1, x2, y2, found),) = centres_to_boxes(faces, sizes, offsets, 0.5)
    assert found == pytest.approx(score)
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((CELL * (column + 0.75), CELL * (row + 0.75)))
    assert (x2 - x1, y2 - y1) == pytest.approx((CELL * wide, CELL * tall), rel=1e-5)


def test_nothing_is_found_in_smooth_pictures_and_noise(detector):
    rng = np.random.default_rng(0)
    assert detector.detect(np.full((360, 640, 3), 120, np.uint8)) == []
    assert detector.detect(rng.integers(0, 255, (360, 640, 3)).astype(np.uint8)) == []


@pytest.mark.parametrize("width", [96, 320, 1280])
def test_faces_are_found_at_any_size_inside_the_image(detector, shared_data, width):
    with open(shared_data / "frames" / "labels.csv", newline="") as stream:
        people = {row["group"]: row["file"] for row in csv.DictReader(stream) if row["source"] == "liveportrait"}
    assert len(people) > 10
    for name in list(people.values())[:8]:
        image = cv2.imread(str(shared_data / "frames" / name))
        height = round(width * image.shape[0] / image.shape[1])
        (face, *more) = detector.detect(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)[:, :, ::-1])
        assert not more and face.score > 0.6
        assert 0 <= face.x1 < face.x2 <= width and 0 <= face.y1 < face.y2 <= height
        assert (face.x2 - face.x1) * (face.y2 - face.y1) > 0.05 * width * height


def test_tissue_is_no_face(detector, shared_data):
    with open(shared_data / "frames" / "labels.csv", newline="") as stream:
        files = [row["file"] for row in csv.DictReader(stream) if row["label"] == "surgical"][::20]
    found = [f for f in files if detector.detect(cv2.imread(str(shared_data / "frames" / f))[:, :, ::-1])]
    assert len(files) > 90 and len(found) <= 1


def test_a_file_that_is_no_network_is_a_named_error(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(CurateError, match=r"cannot load the face detector .*bad\.onnx"):
        FaceDetector(tmp_path / "bad.onnx")
