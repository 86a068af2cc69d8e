"""The arithmetic of boxes, against pixels that are counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.vision import boxes

SIDE = 24


@st.composite
def box(draw: st.DrawFn) -> boxes.Box:
    x1, y1 = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
    return x1, y1, draw(st.integers(x1 + 1, SIDE)), draw(st.integers(y1 + 1, SIDE))


def pixels(*drawn: boxes.Box) -> np.ndarray:
    """Which pixels of a square picture lie in any of the boxes."""
    ys, xs = np.mgrid[:SIDE, :SIDE]
    inside = [(x1 <= xs) & (xs < x2) & (y1 <= ys) & (ys < y2) for x1, y1, x2, y2 in drawn]
    return np.logical_or.reduce(inside)


@given(box(), box())
def test_shares_are_those_of_counted_pixels(a: boxes.Box, b: boxes.Box) -> None:
    shared, either = (pixels(a) & pixels(b)).sum(), pixels(a, b).sum()
    assert boxes.area(a) == pixels(a).sum()
    assert boxes.intersection(a, b) == shared
    assert boxes.iou(a, b) == shared / either
    assert boxes.share_inside(a, b) == shared / pixels(a).sum()
    assert boxes.contains(b, a) == (shared == pixels(a).sum())
    assert (boxes.cover([a, b], SIDE, SIDE) == pixels(a, b)).all()


@given(box(), box())
def test_a_part_lies_in_both_and_a_union_holds_both(a: boxes.Box, b: boxes.Box) -> None:
    part, whole = boxes.clip(a, b), boxes.union([a, b])
    assert (part is None) == (boxes.intersection(a, b) == 0)
    if part is not None:
        assert (pixels(part) == (pixels(a) & pixels(b))).all()
    assert boxes.contains(whole, a) and boxes.contains(whole, b)
    assert whole == (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))


def test_boxes_without_area_share_nothing() -> None:
    assert boxes.iou((3, 3, 3, 9), (3, 3, 3, 9)) == 0
    assert boxes.share_inside((3, 3, 3, 9), (0, 0, 10, 10)) == 0


def test_another_size_grows_a_box_to_whole_pixels() -> None:
    assert boxes.scale((1, 1, 2, 2), (4, 4), (8, 6)) == (2, 1, 4, 3)
    assert boxes.scale((0, 0, 4, 4), (4, 4), (9, 7)) == (0, 0, 9, 7)
    assert boxes.scale(boxes.grow((0, 0, 2, 2), 1), (4, 4), (8, 8)) == (-2, -2, 6, 6)


@given(st.lists(st.tuples(box(), st.sampled_from([0.1, 0.5, 0.9]), st.integers(0, 1)), max_size=12))
@pytest.mark.parametrize("kind", [np.int64, np.float32, np.float64])
def test_suppression_keeps_the_best_of_what_overlaps(
    kind: type[np.generic], drawn: list[tuple[boxes.Box, float, int]]
) -> None:
    corners = np.array([one for one, _, _ in drawn], kind).reshape(-1, 4)
    scores, classes = (np.array([row[k] for row in drawn]) for k in (1, 2))
    limit = 0.37  # no quotient of small whole numbers
    kept = boxes.suppress(corners, scores, limit, classes=classes).tolist()
    assert [scores[i] for i in kept] == sorted((scores[i] for i in kept), reverse=True)

    def hides(i: int, j: int) -> bool:
        return classes[i] == classes[j] and boxes.iou(drawn[i][0], drawn[j][0]) > limit

    assert not any(hides(i, j) for i in kept for j in kept if i != j)
    for i in set(range(len(drawn))) - set(kept):
        assert any(hides(i, j) and (-scores[j], j) < (-scores[i], i) for j in kept)
    assert boxes.suppress(corners, scores, limit, classes=classes, most=2).tolist() == kept[:2]
