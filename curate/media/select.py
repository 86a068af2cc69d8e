"""Which frames of a video to take.

A selection says what is wanted; its matcher walks over the frames of a video in presentation order and answers, for
each frame, the numbers of the samples that show it. The same matcher serves the planner, which walks over packets
before anything is decoded, and the fallback, which walks over decoded frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

TOLERANCE = Fraction(1, 1_000_000)
"""Seconds by which a requested time may lie before a frame and still mean it.

Timestamps are kept as float64, which cannot hold most multiples of 1001/30000 s: without a tolerance, asking for the
frame at a timestamp that was read from a frame would often give the frame before it.
"""


class Match(Protocol):
    """Numbers of the samples that show a frame.

    Called once for each frame, in presentation order.
    """

    def __call__(self, rank: int, start: int, end: int, key_frame: bool) -> Sequence[int]:
        """Answer for one frame.

        Args:
            rank: Index of the frame in presentation order.
            start: Ticks from the start of the video to the moment the frame appears.
            end: Ticks to the moment the next frame appears, or the video ends.
            key_frame: Whether it is a key frame.
        """


@dataclass(frozen=True)
class Clip:
    """What a selection may need to know about the video.

    Attributes:
        time_base: Seconds per tick.
        fps: Average frame rate in Hz, or ``None``.
        end: Ticks from the start of the first frame to the end of the last.
    """

    time_base: Fraction
    fps: Fraction | None
    end: int


@dataclass(frozen=True)
class AtRate:
    """Sample n is the frame on screen at n / rate seconds, for all n until the video ends.

    Attributes:
        rate: Samples a second. A float is read as the decimal number it prints as, so 0.1 is one tenth.
    """

    rate: float | Fraction

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise ValueError(f"rate {self.rate} is not above 0")

    def matcher(self, clip: Clip) -> Match:
        """Bind to a video."""
        rate = self.rate if isinstance(self.rate, Fraction) else Fraction(repr(float(self.rate)))
        # Sample n is due at n / rate s: it shows the frame with start <= n / (rate * time_base) < end.
        per_tick = clip.time_base * rate
        numerator, denominator = per_tick.numerator, per_tick.denominator

        def match(rank: int, start: int, end: int, key_frame: bool) -> Sequence[int]:
            return range(-(-start * numerator // denominator), -(-end * numerator // denominator))

        return match


@dataclass(frozen=True)
class Native:
    """Every frame; n is its index."""

    def matcher(self, clip: Clip) -> Match:
        """Bind to a video."""
        return lambda rank, start, end, key_frame: (rank,)


@dataclass(frozen=True)
class During:
    """Every frame that appears within some spans of time; n is its index.

    Attributes:
        spans: ``(start, end)`` in seconds from the start of the video, rising and without overlaps. A frame is taken
            if it appears at or after a start and before the end, both read with a microsecond of tolerance.
    """

    spans: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        edges = [edge for span in self.spans for edge in span]
        if edges != sorted(edges):
            raise ValueError("spans must rise and not overlap")

    def matcher(self, clip: Clip) -> Match:
        """Bind to a video."""
        ticks = [tuple((Fraction(edge) - TOLERANCE) / clip.time_base for edge in span) for span in self.spans]
        following = 0

        def match(rank: int, start: int, end: int, key_frame: bool) -> Sequence[int]:
            nonlocal following
            while following < len(ticks) and start >= ticks[following][1]:
                following += 1
            return (rank,) if following < len(ticks) and start >= ticks[following][0] else ()

        return match


@dataclass(frozen=True)
class EveryKth:
    """Frames 0, k, 2k, ... in presentation order; n counts them."""

    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k {self.k} is not at least 1")

    def matcher(self, clip: Clip) -> Match:
        """Bind to a video."""
        k = self.k
        return lambda rank, start, end, key_frame: () if rank % k else (rank // k,)


@dataclass(frozen=True)
class AtTimes:
    """The frame on screen at each of some times; n is the position of the time in the list.

    Frames come in the order of the times, not of the list. Times at or after the end of the video give nothing.

    Attributes:
        times: Seconds from the start of the video, in any order. A frame that starts within a microsecond after the
            time counts as on screen.
    """

    times: tuple[float, ...]

    def __post_init__(self) -> None:
        if any(not (time >= 0 and math.isfinite(time)) for time in self.times):
            raise ValueError("times must be finite and not negative")

    def matcher(self, clip: Clip) -> Match:
        """Bind to a video."""
        return _at_ticks([(Fraction(time) + TOLERANCE) / clip.time_base for time in self.times])


@dataclass(frozen=True)
class Spread:
    """The frames on screen in the middle of each of ``count`` equal parts of the video; n is the part."""

    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count {self.count} is not at least 1")

    def matcher(self, clip: Clip) -> Match:
        """Bind to a video."""
        return _at_ticks([Fraction(clip.end * (2 * part + 1), 2 * self.count) for part in range(self.count)])


@dataclass(frozen=True)
class KeyFrames:
    """Key frames only; n counts them."""

    def matcher(self, clip: Clip) -> Match:
        """Bind to a video."""
        count = 0

        def match(rank: int, start: int, end: int, key_frame: bool) -> Sequence[int]:
            nonlocal count
            if not key_frame:
                return ()
            count += 1
            return (count - 1,)

        return match


@dataclass(frozen=True)
class FrameList:
    """Named frames; n is the number as it stands in the list.

    Attributes:
        numbers: Frame numbers, in any order.
        seconds: False: a number is a frame index in presentation order. True: the compatibility mode for SurgeNet and
            Surg-3M lists, whose sampling keeps the frames with ``index % int(fps) == 0``: number n is frame
            ``n * int(fps)``. At 29.97 fps that lies at n * 29 / 29.97 s, not at n s.
    """

    numbers: tuple[int, ...]
    seconds: bool = False

    def __post_init__(self) -> None:
        if any(number < 0 for number in self.numbers):
            raise ValueError("frame numbers must not be negative")

    def matcher(self, clip: Clip) -> Match:
        """Bind to a video.

        Raises:
            ValueError: ``seconds`` is asked for, and the file does not tell its frame rate.
        """
        step = 1
        if self.seconds:
            if clip.fps is None:
                raise ValueError("the file does not tell its frame rate, which frame lists count by")
            step = max(1, int(clip.fps))
        wanted = {number * step: (number,) for number in self.numbers}
        return lambda rank, start, end, key_frame: wanted.get(rank, ())


Selection = AtRate | Native | During | EveryKth | AtTimes | Spread | KeyFrames | FrameList


def _at_ticks(ticks: Sequence[Fraction]) -> Match:
    due = sorted((tick, position) for position, tick in enumerate(ticks))
    following = 0

    def match(rank: int, start: int, end: int, key_frame: bool) -> Sequence[int]:
        nonlocal following
        first = following
        while following < len(due) and due[following][0] < end:
            following += 1
        return [position for _, position in due[first:following]]

    return match
