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

_SETTINGS = {"preset": PRESET, "mbtree": "0", "rc-lookahead": "0"}
"""Of x264. Macroblock-tree rate control (``mbtree``) saves 15 % of the bytes, but now and then, one file in some
hundreds when cores are busy, it takes other decisions on the same pictures, even with one thread; without it nothing is
looked at ahead."""

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
        path: File to write; it is made when the first frame comes.
        fps: Frames a second, about; the last frame stays for as long as that says.
        time_base: Seconds per tick, with numerator 1.
        crf: x264's constant rate factor, from 1 (best) to 51.

    Attributes:
        frames: Frames added.
        end: Ticks from 0 to the end of the last frame.
    """

    def __init__(self, path: Path, *, fps: Fraction, time_base: Fraction, crf: int) -> None:
        self._path, self._fps, self._time_base, self._crf = path, fps, time_base, crf
        self._reformatter = VideoReformatter()
        self._container: Any = None
        self._held: tuple[npt.NDArray[np.uint8], int] | None = None
        self._usual = max(1, round(1 / (fps * time_base)))
        self.frames = 0
        self.end = 0

    def __enter__(self) -> Mp4Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def close(self) -> None:
        """Finish the file."""
        if self._container is not None:
            with self._container:
                self._encode(self._usual)
                self._container.mux(self._stream.encode(None))

    def abandon(self) -> None:
        """Let go of the file without its last frames."""
        if self._container is not None:
            self._container.close()

    def add(self, image: npt.NDArray[np.uint8], pts: int) -> None:
        """Append a frame.

        Args:
            image: uint8, RGB, shape (height, width, 3), C-contiguous; the same even height and width for all.
            pts: Ticks at which it appears; above that of the frame before.
        """
        if self._held is None:
            self._open(*image.shape[:2])
        else:
            self._encode(pts - self._held[1])
        self._held = (image, pts)
        self.frames += 1
        self.end = pts + self._usual

    def _open(self, height: int, width: int) -> None:
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        self._container = av.open("file:" + os.fspath(self._path), "w", format="mp4", options=options)
        rate = self._fps.limit_denominator(1001)
        self._stream: Any = self._container.add_stream(
            "libx264", rate=rate, options={**_SETTINGS, "crf": str(self._crf)}
        )
        context = self._stream.codec_context
        context.thread_count = 1
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = self._time_base
        context.max_b_frames = 0
        context.gop_size = max(1, round(KEY_SECONDS * self._fps))
        wide = height >= 720 or width >= 1280
        # ITU-T H.273: 1 is BT.709, 6 is BT.601 with 525 lines, in all three tables.
        context.colorspace = context.color_primaries = context.color_trc = 1 if wide else 6
        context.color_range = int(ColorRange.MPEG)
        self._matrix = Colorspace.ITU709 if wide else Colorspace.ITU601

    def _encode(self, duration: int) -> None:
        assert self._held is not None
        image, pts = self._held
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
