"""Faces in windows of real encoded videos: a person who comes is seen at once, and one who stands still once."""

from __future__ import annotations

import csv
from collections import Counter

import cv2
import numpy as np
import pytest

from curate.nets.detect.face_detector import FaceDetector, packaged_model
from curate.nets.detect.face_watch import FaceWatch
from tests.nets.test_watch import HEIGHT, filmed, tissue


@pytest.fixture(scope="module")
def detector():
    return FaceDetector(packaged_model())


@pytest.fixture(scope="module")
def person(shared_data):
    with open(shared_data / "frames" / "labels.csv", newline="") as stream:
        name = next(row["file"] for row in csv.DictReader(stream) if row["source"] == "liveportrait")
    face = cv2.imread(str(shared_data / "frames" / name))[:, :, ::-1]
    return cv2.resize(face, (120, round(120 * face.shape[0] / face.shape[1])), interpolation=cv2.INTER_AREA)


def with_window(image: np.ndarray, person: np.ndarray) -> np.ndarray:
    rows, columns = person.shape[:2]
    image[HEIGHT - rows - 8 : HEIGHT - 8, 8 : 8 + columns] = person
    return image


def faces(detector, frames, seen):
    watch = FaceWatch(detector, seen)
    return [watch.look(n, image, []) for n, image in frames]


def test_a_person_who_comes_is_seen_in_that_frame(detector, person, tmp_path):
    images = [tissue(n) if n < 5 else with_window(tissue(n), person) for n in range(9)]
    seen: Counter[str] = Counter()
    found = faces(detector, filmed(tmp_path / "comes.mp4", images), seen)
    assert [len(one) for one in found] == [0] * 5 + [1] * 4
    assert all(face.x2 <= 140 for one in found[5:] for face in one)
    assert seen["face_tiles"] < 3 * 960


def test_one_who_goes_is_gone(detector, person, tmp_path):
    images = [with_window(tissue(n), person) if n < 4 else tissue(n) for n in range(7)]
    found = faces(detector, filmed(tmp_path / "goes.mp4", images), Counter())
    assert [len(one) for one in found] == [1] * 4 + [0] * 3


def test_a_still_picture_is_looked_at_once(detector, person, tmp_path):
    seen: Counter[str] = Counter()
    found = faces(detector, filmed(tmp_path / "still.mp4", [with_window(tissue(0), person)] * 8), seen)
    assert [len(one) for one in found] == [1] * 8
    assert seen == {"face_frames": 1, "face_tiles": 960}
