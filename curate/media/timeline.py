"""When each frame of a video is on screen."""

from __future__ import annotations

from fractions import Fraction

DISCONTINUOUS = frozenset({"mpegts", "mpeg", "mpegvideo", "ogg", "flv"})
"""Formats whose timestamps may jump: recordings restart their clock, and 33-bit clocks wrap after 26.5 hours."""

UNTIMED = frozenset({"avi"})
"""Formats that store no presentation times, only a frame rate: what FFmpeg reports for them is in decoding order."""

_BROADCAST_GAP = 10
"""Seconds; FFmpeg's own ``-dts_delta_threshold`` for these formats."""
_FILE_GAP = 3600
"""Seconds. Files of other formats may hold a slide for minutes; nobody holds one for more than an hour."""


class Clock:
    """Places frames, given in presentation order, on one unbroken time axis.

    Time 0 is the moment the first frame appears, whatever its timestamp: files start at 1.4 s (MPEG-TS), a few
    milliseconds late (audio first) or before 0 (edit lists), and sample 0 has to be the first frame all the same.

    Timestamps that do not rise, and leaps longer than any video holds a frame, are errors of the recording: there the
    frame follows its predecessor after that one's duration, and the rest of the video moves along. Shorter leaps are
    believed: the frame before stays on screen (variable frame rate). A frame that is no key frame and comes up to a
    second too late, as happens after damage, never gets on screen.

    Attributes:
        jumps: How many errors of that kind were mended.
        end: Ticks from time 0 to the end of the last frame placed.
    """

    def __init__(self, time_base: Fraction, fps: Fraction | None, container: str) -> None:
        self._nominal = max(1, round(1 / (fps * time_base))) if fps else 1
        gap = _BROADCAST_GAP if container in DISCONTINUOUS else _FILE_GAP
        self._gap = int(gap / time_base)
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
            if start <= self._start or start > self.end + self._gap:
                self._offset += self.end - start
                start = self.end
                self.jumps += 1
        self._start = start
        known = self._timed and duration is not None and 0 < duration <= self._gap
        self.end = start + (duration if duration and known else self._nominal)
        return start
