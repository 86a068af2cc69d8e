"""YOLO files made here: a network that gives the same table whatever it sees, in both output layouts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import CurateError
from curate.nets.detect.yolo import Yolo, letterbox, suppress
from curate.records import Region
from tests.nets.yolo_models import columns, make_model

IMAGE = np.zeros((360, 720, 3), np.uint8)


def test_boxes_come_back_in_pixels_of_the_image(tmp_path):
    table = columns(
        (320, 160, 64, 32, 0.9, 0.1, 0.0), (32, 16, 64, 32, 0.0, 0.6, 0.1), (100, 100, 20, 20, 0.1, 0.2, 0.2)
    )
    found = Yolo(make_model(tmp_path / "lemon.onnx", table)).detect(IMAGE)
    assert [tuple(one) for one in found] == [
        (324, 162, 396, 198, "logo", pytest.approx(0.9), "lemon"),
        (0, 0, 72, 36, "text", pytest.approx(0.6), "lemon"),
    ]


def test_the_layout_with_suppression(tmp_path):
    rows = np.array([[0, 0, 64, 32, 0.8, 2], [320, 160, 400, 200, 0.2, 0]] + [[0] * 6] * 2, np.float32)
    found = Yolo(make_model(tmp_path / "end.onnx", rows)).detect(IMAGE)
    assert [tuple(one) for one in found] == [(0, 0, 72, 36, "other", pytest.approx(0.8), "end")]


def test_bars_of_the_letterbox_are_taken_off_and_boxes_clipped(tmp_path):
    table = columns((320, 160, 640, 320, 0.9, 0, 0))
    tall = np.zeros((640, 320, 3), np.uint8)
    ((x1, y1, x2, y2, *_),) = Yolo(make_model(tmp_path / "m.onnx", table)).detect(tall)
    assert (x1, y1, x2, y2) == (0, 0, 320, 640)


def test_classes_without_names_are_other(tmp_path):
    found = Yolo(make_model(tmp_path / "m.onnx", columns((320, 160, 64, 32, 0.9, 0, 0)), names="")).detect(IMAGE)
    assert [one.kind for one in found] == ["other"]


def test_one_class_is_thinned_and_two_are_not(tmp_path):
    table = columns((320, 160, 64, 32, 0.9, 0, 0), (321, 160, 64, 32, 0.8, 0, 0), (320, 161, 64, 32, 0, 0.7, 0))
    found = Yolo(make_model(tmp_path / "m.onnx", table)).detect(IMAGE)
    assert [(one.kind, round(one.score, 1)) for one in found] == [("logo", 0.9), ("text", 0.7)]
    assert [one.kind for one in suppress(found)] == ["logo"]


def test_letterbox_keeps_proportions():
    image = np.full((100, 400, 3), 255, np.uint8)
    batch, scale, left, top = letterbox(image, 320, 640)
    assert batch.shape == (1, 3, 320, 640) and scale == 1.6
    white = batch[0, 0] == 1
    assert (left, top) == (0, 80) and white[80:240].all() and not white[:80].any() and not white[240:].any()


boxes = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 30), st.integers(1, 30), st.floats(0, 1))


@given(st.lists(boxes, max_size=12))
def test_suppression_keeps_the_best_and_nothing_alike(drawn):
    found = [Region(x, y, x + w, y + h, "logo", score, "m") for x, y, w, h, score in drawn]
    kept = suppress(found)
    assert kept == suppress(kept) == suppress(found[::-1])
    assert not found or kept[0].score == max(one.score for one in found)
    canvas = np.zeros((len(kept), 100, 100), bool)
    for mask, one in zip(canvas, kept, strict=True):
        mask[one.y1 : one.y2, one.x1 : one.x2] = True
    for i in range(len(kept)):
        for j in range(i):
            assert (canvas[i] & canvas[j]).sum() <= 0.7 * (canvas[i] | canvas[j]).sum()


def test_what_is_no_yolo_is_the_users_mistake(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing")
    with pytest.raises(CurateError, match=r"broken\.onnx"):
        Yolo(broken)
    with pytest.raises(CurateError, match="class names"):
        Yolo(make_model(tmp_path / "names.onnx", columns((0, 0, 1, 1, 0, 0, 0)), names="__import__('os')"))
