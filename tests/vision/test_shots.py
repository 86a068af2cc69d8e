"""Shots by their field of view, on grey frames as the stage gives them."""

from __future__ import annotations

import functools
import itertools
import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.vision.shots import BLOCK, find_shots
from tests.vision.scopes import Scope

SMALL = {"width": 240, "height": 160}
KINDS = {
    "whole": Scope(**SMALL),
    "circle": Scope(**SMALL, circle=(120, 80, 90)),
    "pillars": Scope(**SMALL, box=(40, 0, 200, 10_000)),
    "black": Scope(**SMALL, box=(0, 0, 0, 0)),
}


@functools.cache
def grey(kind: str, n: int) -> np.ndarray:
    picture = KINDS[kind].frame(len(kind), n).mean(axis=2).astype(np.uint8)
    picture.setflags(write=False)
    return picture


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(1, 16)), max_size=9),
    st.integers(1, 4),
)
def test_shots_hold_every_frame_once_and_in_order(parts, gap):
    kinds = [kind for kind, count in parts for _ in range(count)]
    numbers = [gap * n for n in range(len(kinds))]
    shots = list(find_shots((n, grey(kind, n)) for n, kind in zip(numbers, kinds, strict=True)))
    assert sum(shot.frames for shot in shots) == len(numbers)
    place = 0
    for shot in shots:
        assert shot.first == numbers[place]
        place += shot.frames
        assert shot.last == numbers[place - 1]
    for one, other in itertools.pairwise(shots):
        assert one.field.overlap(other.field, 240, 160) < 0.97


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["whole", "circle", "pillars"]), min_size=1, max_size=5), st.integers(15, 20))
def test_lasting_changes_are_cuts_and_nothing_else_is(order, length):
    kinds = [kind for kind in order for _ in range(length)]
    found = list(find_shots((n, grey(kind, n)) for n, kind in enumerate(kinds)))
    cuts = [n for n in range(1, len(kinds)) if kinds[n] != kinds[n - 1]]
    assert [shot.first for shot in found] == [0, *cuts]
    names = {"whole": "none", "circle": "circle", "pillars": "rectangle"}
    assert [shot.field.shape for shot in found] == [names[kinds[shot.first]] for shot in found]


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.integers(1, 4), st.tuples(st.integers(0, BLOCK - 1), st.integers(1, BLOCK // 2))),
    st.sampled_from(["whole", "black", "pillars"]),
)
def test_a_few_strange_frames_do_not_divide_a_shot(strange, kind):
    places = {3 * BLOCK * i + start + k for i, (start, count) in strange.items() for k in range(count)}
    (shot,) = find_shots((n, grey(kind if n in places else "circle", n)) for n in range(16 * BLOCK))
    assert (shot.field.shape, shot.frames) == ("circle", 16 * BLOCK)


def test_a_stub_at_either_end_is_joined():
    kinds = ["whole"] * 2 + ["circle"] * 28 + ["pillars"] * 2
    (shot,) = find_shots((n, grey(kind, n)) for n, kind in enumerate(kinds))
    assert (shot.first, shot.last, shot.field.shape) == (0, 31, "circle")


def test_frames_of_another_size_are_another_shot():
    frames = [(n, grey("circle", n)) for n in range(BLOCK)]
    frames += [(n, np.repeat(grey("circle", n), 2, axis=1)) for n in range(BLOCK, 2 * BLOCK)]
    first, second = find_shots(frames)
    assert (first.shape, second.shape) == ((160, 240), (160, 480))
    assert (first.field.shape, second.field.shape) == ("circle", "ellipse")


def test_no_frames_no_shots():
    assert list(find_shots([])) == []


def test_memory_does_not_grow_with_the_length():
    pictures = [grey("circle", n) for n in range(24)] + [grey("pillars", n) for n in range(24)]

    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in find_shots((n, pictures[n % 48].copy()) for n in range(count)):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(960) < 1.1 * peak(240)
