"""When each frame of a video is on screen."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

SPLICED = frozenset({"mpegts", "mpeg", "ogg"})
"""Formats that recordings are spliced in by putting one after the other, each with a clock of its own."""

STORED_IN_ORDER = frozenset({"avi"})
"""Formats that store no presentation times, only a slot for each frame in decoding order; a slot may be empty."""

UNTIMED = frozenset(
    {
        *("h261", "h263", "h264", "hevc", "vvc", "evc", "m4v", "mpegvideo", "obu", "av1", "mjpeg", "mpjpeg", "vc1"),
        *("dirac", "cavsvideo", "avs2", "avs3", "apv", "dnxhd"),
    }
)
"""Formats that store no times at all: bare packets of one codec. Frames follow one another."""

_SPLICE_GAP = 10
"""Seconds; FFmpeg's own ``-dts_delta_threshold`` for formats that may be spliced."""
_FILE_GAP = 3600
"""Seconds. A file may hold a slide for minutes; for more than an hour only if its header says so, too."""
_STATED_GAP = 24 * 3600
"""Seconds for which a frame may be held where the header agrees."""
_SLACK = 1
"""Seconds by which the time that a header states may be too short."""

IsSplice = Callable[[int, int], bool]
"""Whether a recording ends and another begins between two timestamps, in ticks."""


class Clock:
    """Places frames, given in presentation order, on one unbroken time axis.

    Time 0 is the moment the first frame appears, whatever its timestamp: files start at 1.4 s (MPEG-TS), a few
    milliseconds late (audio first) or before 0 (edit lists), and sample 0 has to be the first frame all the same.

    Timestamps that do not rise, and leaps longer than any video holds a frame, are errors of the recording: there the
    frame follows its predecessor after that one's duration, and the rest of the video moves along. Other leaps are
    believed: the frame before stays on screen (variable frame rate). A frame that is no key frame and comes up to a
    second too late, as happens after damage, never gets on screen.

    A duration is believed unless it is one tick of many: that is what muxers write that know none.

    Args:
        time_base: Seconds per tick.
        fps: Average frame rate in Hz, or ``None``.
        container: FFmpeg's name of the file format.
        stated: Seconds that the video lasts as its header states them, or ``None``.
        is_splice: Asked about leaps of more than 10 s in formats that may be spliced; by default none is a splice.

    Attributes:
        jumps: How many errors of that kind were mended.
        end: Ticks from time 0 to the end of the last frame placed.
    """

    def __init__(
        self,
        time_base: Fraction,
        fps: Fraction | None,
        container: str,
        *,
        stated: float | None = None,
        is_splice: IsSplice | None = None,
    ) -> None:
        self._nominal = max(1, round(1 / (fps * time_base))) if fps else 1
        self._file_gap = int(_FILE_GAP / time_base)
        self._stated_gap = int(_STATED_GAP / time_base)
        self._splice_gap = int(_SPLICE_GAP / time_base) if container in SPLICED else None
        self._stated = int((Fraction(stated) + _SLACK) / time_base) if stated else 0
        self._is_splice = is_splice
        self._late = int(1 / time_base)
        self._timed = container not in UNTIMED
        self._offset: int | None = None
        self._start = 0
        self.jumps = 0
        self.end = 0

    def place(self, pts: int | None, duration: int | None, *, key_frame: bool = True) -> int | None:
        """Place the next frame.

        Args:
            pts: Its presentation timestamp in ticks; ``None`` if it has none.
            duration: Its duration in ticks; ``None`` or 0 if not known.
            key_frame: Whether the recording may have started anew here.

        Returns:
            Ticks from time 0 to the moment it appears; ``None`` if it comes too late to be shown.
        """
        if self._offset is None:
            self._offset = -(pts or 0)
            start = 0
        elif pts is None or not self._timed:
            start = self.end
        else:
            start = pts + self._offset
            if not key_frame and self._start - self._late < start <= self._start:
                return None
            if start <= self._start or self._jumps_to(start):
                self._offset += self.end - start
                start = self.end
                self.jumps += 1
        self._start = start
        known = duration is not None and 0 < duration <= self._file_gap and (duration > 1 or self._nominal <= 2)
        self.end = start + (duration if duration and known else self._nominal)
        return start

    def hold(self, ticks: int) -> None:
        """Keep the last frame on screen for longer than its duration, if any video holds a frame so long."""
        if 0 < ticks <= self._file_gap:
            self.end += ticks

    def _jumps_to(self, start: int) -> bool:
        assert self._offset is not None
        leap = start - self.end
        if self._splice_gap is not None and self._is_splice is not None and leap > self._splice_gap:
            return leap > self._stated_gap or self._is_splice(self._start - self._offset, start - self._offset)
        if leap <= self._file_gap:
            return False
        return leap > self._stated_gap or start > self._stated
