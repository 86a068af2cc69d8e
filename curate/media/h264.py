"""H.264 in MP4, as browsers and video readers take it; the same pictures always give the same bytes."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

PRESET = "veryfast"
"""Of x264. At one quality it gives smaller files than the next two slower ones, in half their time."""

KEY_SECONDS = 1
"""Longest distance between key frames, which is what a reader decodes at most to reach a frame."""

_FINEST = 1_000_000
"""Most ticks a second of an MP4 track that are taken over from a source."""

_BROADCAST = Fraction(1, 90_000)
"""Ticks of sources with finer ones."""


def mp4_time_base(source: Fraction) -> Fraction:
    """Seconds per tick that hold all timestamps of a source exactly, or to 6 microseconds if its ticks are too fine."""
    return Fraction(1, source.denominator) if source.denominator <= _FINEST else _BROADCAST


class Mp4Writer:
    """Writes one video without sound; a context manager.

    x264 with one thread and fixed settings: 8-bit 4:2:0, limited range, tagged with the matrix it is encoded in, which
    is the one that players assume for this size where they ignore tags: BT.709 from 720 lines or 1280 columns, BT.601
    below. The index stands at the front of the file (``faststart``). There are no B-frames, at a quarter more bytes:
    frames are stored in the order they are shown, so the file needs no edit list, which readers treat in different
    ways, and its durations hold at a variable frame rate. Nothing in the file depends on the time, the machine or the
    path.

    Args:
        path: File to write; ends in ``.mp4``.
        width: Even, in pixels.
        height: Even, in pixels.
        fps: Frames a second, about, for the encoder's rate control.
        time_base: Seconds per tick, with numerator 1.
        crf: x264's constant rate factor, from 1 (best) to 51.
    """

    def __init__(self, path: Path, *, width: int, height: int, fps: Fraction, time_base: Fraction, crf: int) -> None:
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        self._container = av.open("file:" + os.fspath(path), "w", format="mp4", options=options)
        stream = self._container.add_stream(
            "libx264", rate=fps.limit_denominator(1001), options={"preset": PRESET, "crf": str(crf)}
        )
        context = stream.codec_context
        context.thread_count = 1
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = time_base
        context.max_b_frames = 0
        context.gop_size = max(1, round(KEY_SECONDS * fps))
        wide = height >= 720 or width >= 1280
        self._matrix = Colorspace.ITU709 if wide else Colorspace.ITU601
        # ITU-T H.273: 1 is BT.709, 6 is BT.601 with 525 lines, in all three tables.
        context.colorspace = context.color_primaries = context.color_trc = 1 if wide else 6
        context.color_range = int(ColorRange.MPEG)
        self._stream: Any = stream
        self._time_base = time_base
        self._reformatter = VideoReformatter()

    def __enter__(self) -> Mp4Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def add(self, image: npt.NDArray[np.uint8], pts: int, duration: int) -> None:
        """Append a frame.

        Args:
            image: uint8, RGB, shape (height, width, 3), C-contiguous.
            pts: Ticks at which it appears; above that of the frame before.
            duration: Ticks until the next frame, about; it counts for the last one.
        """
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(image, format="rgb24"),
            format="yuv420p",
            dst_colorspace=self._matrix,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        frame.pts, frame.duration, frame.time_base = pts, duration, self._time_base
        self._container.mux(self._stream.encode(frame))
