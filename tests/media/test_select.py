from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.media.select import AtRate, AtTimes, Clip, During, EveryKth, FrameList, Selection, Spread


def samples(selection: Selection, starts: list[int], end: int, time_base: Fraction, fps: Fraction) -> dict[int, int]:
    match = selection.matcher(Clip(time_base, fps, end))
    ends = [*starts[1:], end]
    return {
        n: rank
        for rank, (start, stop) in enumerate(zip(starts, ends, strict=True))
        for n in match(rank, start, stop, rank == 0)
    }


def constant(frames: int, fps: Fraction, time_base: Fraction) -> tuple[list[int], int]:
    return [round(index / fps / time_base) for index in range(frames)], round(frames / fps / time_base)


@pytest.mark.parametrize(
    ("fps", "time_base"),
    [
        (Fraction(25), Fraction(1, 12800)),
        (Fraction(30), Fraction(1, 15360)),
        (Fraction(30000, 1001), Fraction(1, 30000)),
        (Fraction(24000, 1001), Fraction(1, 24000)),
        (Fraction(60), Fraction(1, 15360)),
        (Fraction(30000, 1001), Fraction(1, 1000)),
    ],
)
@pytest.mark.parametrize("rate", [1.0, 0.1, 2.5, 29.97, 240.0])
def test_rate_is_the_frame_on_screen(fps: Fraction, time_base: Fraction, rate: float) -> None:
    starts, end = constant(80, fps, time_base)
    found = samples(AtRate(rate), starts, end, time_base, fps)
    exact = Fraction(str(rate))
    want, n = {}, 0
    while n / exact < end * time_base:
        want[n] = max(index for index, start in enumerate(starts) if start * time_base <= n / exact)
        n += 1
    assert found == want


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=50), st.integers(1, 10**6), st.floats(0.01, 240))
def test_every_sample_comes_once_and_in_order(gaps: list[int], last: int, rate: float) -> None:
    starts = [sum(gaps[:index]) - gaps[0] if index else 0 for index in range(1, len(gaps) + 1)]
    starts = sorted(set(starts))
    end = starts[-1] + last
    time_base = Fraction(1, 90000)
    match = AtRate(rate).matcher(Clip(time_base, None, end))
    numbers = [
        n
        for rank, (start, stop) in enumerate(zip(starts, [*starts[1:], end], strict=True))
        for n in match(rank, start, stop, False)
    ]
    assert numbers == list(range(len(numbers)))
    assert (len(numbers) - 1) / Fraction(repr(rate)) < end * time_base <= len(numbers) / Fraction(repr(rate))


def test_a_timestamp_read_from_a_frame_means_that_frame() -> None:
    fps, time_base = Fraction(30000, 1001), Fraction(1, 30000)
    starts, end = constant(5000, fps, time_base)
    times = tuple(float(start * time_base) for start in starts)
    assert samples(AtTimes(times), starts, end, time_base, fps) == {index: index for index in range(5000)}


def test_times_in_any_order_and_after_the_end() -> None:
    starts, end = constant(50, Fraction(25), Fraction(1, 1000))
    found = samples(AtTimes((1.5, 0.0, 7.0, 0.039, 1.5)), starts, end, Fraction(1, 1000), Fraction(25))
    assert found == {0: 37, 1: 0, 3: 0, 4: 37}


def test_spread_takes_the_middle_of_equal_parts() -> None:
    starts, end = constant(100, Fraction(25), Fraction(1, 1000))
    assert samples(Spread(4), starts, end, Fraction(1, 1000), Fraction(25)) == {0: 12, 1: 37, 2: 62, 3: 87}


def test_surgenet_numbers_count_by_whole_frames_a_second() -> None:
    fps, time_base = Fraction(30000, 1001), Fraction(1, 30000)
    starts, end = constant(300, fps, time_base)
    found = samples(FrameList((0, 1, 7, 10, 11, 400), seconds=True), starts, end, time_base, fps)
    assert found == {0: 0, 1: 29, 7: 203, 10: 290}
    with pytest.raises(ValueError, match="frame rate"):
        FrameList((1,), seconds=True).matcher(Clip(time_base, None, end))


def test_nonsense_is_refused() -> None:
    for make in (
        lambda: AtRate(0),
        lambda: AtRate(float("nan")),
        lambda: EveryKth(0),
        lambda: Spread(0),
        lambda: AtTimes((-1.0,)),
        lambda: AtTimes((float("inf"),)),
        lambda: FrameList((-1,)),
    ):
        with pytest.raises(ValueError):
            make()


@given(
    st.lists(st.integers(0, 60), min_size=2, max_size=8, unique=True).filter(lambda edges: len(edges) % 2 == 0),
    st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001)]),
)
def test_during_takes_the_frames_that_appear_within_its_spans(edges: list[int], fps: Fraction) -> None:
    time_base = 1 / fps / 512
    starts, end = constant(60, fps, time_base)
    edges = sorted(edges)
    spans = tuple((float(a / fps), float(b / fps)) for a, b in zip(edges[::2], edges[1::2], strict=True))
    found = samples(During(spans), starts, end, time_base, fps)
    expected = {rank for a, b in zip(edges[::2], edges[1::2], strict=True) for rank in range(a, min(b, 60))}
    assert found == {rank: rank for rank in expected}


def test_during_refuses_spans_out_of_order() -> None:
    with pytest.raises(ValueError, match="rise"):
        During(((2.0, 3.0), (1.0, 1.5)))
