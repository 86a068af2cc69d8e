from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from curate.media.timeline import Clock

MS = Fraction(1, 1000)


def clock(container: str = "mpegts") -> Clock:
    return Clock(MS, Fraction(25), container)


def test_time_zero_is_the_first_frame() -> None:
    for first in (-400, 0, 7, 1_400_000):
        timeline = clock()
        assert [timeline.place(first + 40 * index, 40) for index in range(3)] == [0, 40, 80]
        assert (timeline.end, timeline.jumps) == (120, 0)


def test_gaps_are_believed_and_leaps_are_closed() -> None:
    timeline = clock()
    assert [timeline.place(pts, 40) for pts in (0, 40, 5040, 5080, 95_443_717, 95_443_757)] == [
        *(0, 40, 5040, 5080),
        *(5120, 5160),
    ]
    assert timeline.jumps == 1
    slides = clock("mov,mp4,m4a,3gp,3g2,mj2")
    assert [slides.place(pts, 40) for pts in (0, 600_000)] == [0, 600_000]


def test_a_restarted_clock_goes_on() -> None:
    timeline = clock()
    assert [timeline.place(pts, 40) for pts in (8000, 8040, 0, 40)] == [0, 40, 80, 120]
    assert timeline.jumps == 1


def test_late_frames_are_not_shown_and_shift_nothing() -> None:
    timeline = clock()
    placed = [timeline.place(pts, 40, key_frame=False) for pts in (0, 40, 200, 80, 240, 120, 280)]
    assert placed == [0, 40, 200, None, 240, None, 280]
    assert timeline.jumps == 0


def test_durations_out_of_bounds_are_replaced_by_the_frame_rate() -> None:
    for duration in (None, 0, -5, 10**12):
        timeline = clock()
        timeline.place(0, duration)
        assert timeline.end == 40


@given(
    st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), min_size=1, max_size=40),
    st.sampled_from(["mpegts", "matroska,webm", "avi"]),
)
def test_time_always_rises_and_no_frame_is_held_for_ever(timestamps: list[int | None], container: str) -> None:
    timeline = clock(container)
    starts = [timeline.place(pts, 40) for pts in timestamps]
    assert all(start is not None for start in starts)
    assert starts == sorted(set(starts))  # type: ignore[type-var]
    assert timeline.end <= len(timestamps) * (3600_000 + 40)
