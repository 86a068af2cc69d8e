"""Opening video files, and what their headers say."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import av.codec.hwaccel

from curate.records import Reason

MAX_PIXELS = 8192 * 4320
"""Largest frame that is decoded (8K UHD). A header that claims more is refused before anything is allocated."""

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpegts",
    "mpeg",
    "mpegvideo",
    "flv",
    "ogg",
    "asf",
    "mxf",
    "dv",
    "gif",
    "h264",
    "hevc",
    "ivf",
    "obu",
    "av1",
    "m4v",
    "nut",
    "wtv",
)
"""FFmpeg demuxers that read one file and nothing else.

Playlists (HLS, DASH, concat) are left out on purpose: such a file names further files or URLs, which FFmpeg would read
on behalf of whoever made it.
"""

Decoder = Literal["cpu", "gpu"]

_UNSPECIFIED_ASPECT = Fraction(1)
_SANE_ASPECT = (Fraction(1, 4), Fraction(4))


class MediaError(Exception):
    """A file out of which no frame can be had.

    Attributes:
        reason: Why, from the closed set of reasons.
        detail: The raw text of the cause.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class VideoInfo:
    """What the header of a video file says about the stream that is sampled.

    Attributes:
        container: FFmpeg's name of the file format, e.g. ``mov,mp4,m4a,3gp,3g2,mj2``.
        codec: FFmpeg's canonical codec name: ``h264``, ``hevc``, ``vp9``, ``av1``, ...
        width: Coded width in pixels, before rotation and before pixels are made square.
        height: Coded height in pixels.
        fps: Average frame rate in Hz, or ``None`` where the file does not tell.
        duration: Seconds as the header states them, or ``None``. The truth is known only after reading the file.
        frames: Number of frames as the header states it, or ``None``.
        time_base: Seconds per tick of the stream's timestamps.
        pixel_format: E.g. ``yuv420p10le``; empty if unknown.
        pixel_aspect: Width of a pixel over its height. 1 where unknown, or outside 1/4 to 4, which is taken for a
            broken header.
        video_streams: How many video streams there are beside pictures attached to the file (covers).
        stream: Index of the chosen stream in the file.
    """

    container: str
    codec: str
    width: int
    height: int
    fps: Fraction | None
    duration: float | None
    frames: int | None
    time_base: Fraction
    pixel_format: str
    pixel_aspect: Fraction
    video_streams: int
    stream: int


def probe(path: Path) -> VideoInfo:
    """Read the header of a video file.

    Raises:
        MediaError: No frame can be had out of this file; says why.
    """
    with open_video(path) as (_, _, info):
        return info


@contextlib.contextmanager
def open_video(path: Path, decoder: Decoder = "cpu") -> Iterator[tuple[Any, Any, VideoInfo]]:
    """Open a local video file and choose its stream.

    The stream is the one marked as default, then the one with the most pixels, then the first. Attached pictures
    (covers) never count.

    Args:
        path: The file.
        decoder: ``gpu`` for NVDEC, through FFmpeg's CUDA acceleration; frames still arrive in main memory.

    Yields:
        The ``av.container.InputContainer``, the ``av.video.stream.VideoStream``, and what the header says. The
        decoder of the stream is set to one thread: one process a core beats threads
        (``scripts/bench_sampling.py``), and single-threaded decoding is deterministic.

    Raises:
        MediaError: No frame can be had out of this file, or not with this decoder; says why.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise MediaError(Reason.FILE_MISSING, f"{path.name} does not exist") from error
    if size == 0:
        raise MediaError(Reason.EMPTY_FILE, f"{path.name} has 0 bytes")
    options = {
        "format_whitelist": ",".join(FORMATS),
        "protocol_whitelist": "file",
        "max_pixels": str(MAX_PIXELS),
    }
    try:
        hwaccel = av.codec.hwaccel.HWAccel("cuda", allow_software_fallback=False) if decoder == "gpu" else None
        container = av.open("file:" + os.fspath(path), options=options, metadata_errors="replace", hwaccel=hwaccel)
    except (av.FFmpegError, ValueError, RuntimeError) as error:
        raise MediaError(Reason.NOT_A_VIDEO, str(error)) from error
    with container:
        streams = [
            stream for stream in container.streams.video if not stream.disposition & av.stream.Disposition.attached_pic
        ]
        if not streams:
            kinds = sorted({str(stream.type) for stream in container.streams}) or ["nothing"]
            raise MediaError(Reason.NO_VIDEO_STREAM, f"{path.name} holds only: {', '.join(kinds)}")
        playable = [stream for stream in streams if stream.codec_context is not None]
        if not playable:
            raise MediaError(Reason.UNSUPPORTED_CODEC, f"there is no decoder for the video codec of {path.name}")
        stream = min(playable, key=_preference)
        info = _describe(container, stream, len(streams))
        for other in container.streams:
            if other is not stream:
                other.discard = av.stream.Discard.all
        context = stream.codec_context
        context.thread_count = 1
        context.options = {"max_pixels": str(MAX_PIXELS)}
        yield container, stream, info


def _preference(stream: Any) -> tuple[bool, int, int]:
    default = bool(stream.disposition & av.stream.Disposition.default)
    return (not default, -stream.codec_context.width * stream.codec_context.height, stream.index)


def _describe(container: Any, stream: Any, video_streams: int) -> VideoInfo:
    context = stream.codec_context
    width, height = context.width, context.height
    if width * height > MAX_PIXELS:
        raise MediaError(Reason.TOO_LARGE, f"the header claims {width}x{height} pixels, more than {MAX_PIXELS}")
    aspect = stream.sample_aspect_ratio or _UNSPECIFIED_ASPECT
    if not _SANE_ASPECT[0] <= aspect <= _SANE_ASPECT[1]:
        aspect = _UNSPECIFIED_ASPECT
    duration = None
    if stream.duration is not None and stream.duration > 0:
        duration = float(stream.duration * stream.time_base)
    elif container.duration is not None and container.duration > 0:
        duration = container.duration / av.time_base
    return VideoInfo(
        container=container.format.name,
        codec=context.codec.canonical_name,
        width=width,
        height=height,
        fps=stream.average_rate or stream.guessed_rate or None,
        duration=duration,
        frames=stream.frames or None,
        time_base=stream.time_base,
        pixel_format=context.pix_fmt or "",
        pixel_aspect=aspect,
        video_streams=video_streams,
        stream=stream.index,
    )
