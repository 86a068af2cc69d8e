"""Opening video files, and what their headers say."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import av
import av.codec.hwaccel
import av.logging

from curate.errors import why_of
from curate.media.locks import locked_by
from curate.records import Reason

MAX_PIXELS = 8192 * 4320
"""Largest frame that is decoded (8K UHD). A header that claims more is refused before anything is allocated."""

FORMATS = (
    # what cameras, recorders, editors and sites write
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpegts",
    "mpeg",
    "flv",
    "live_flv",
    "ogg",
    "asf",
    "mxf",
    "gxf",
    "lxf",
    "dv",
    "dhav",
    "nut",
    "wtv",
    "ty",
    "pva",
    "nsv",
    "rm",
    "ivr",
    "swf",
    "amv",
    "roq",
    "smk",
    "bink",
    "flic",
    "cine",
    "r3d",
    # moving pictures in formats of still ones
    "gif",
    "apng",
    # one codec's packets, one after the other
    "h261",
    "h263",
    "h264",
    "hevc",
    "vvc",
    "evc",
    "ivf",
    "obu",
    "av1",
    "m4v",
    "mpegvideo",
    "mjpeg",
    "mpjpeg",
    "smjpeg",
    "vc1",
    "vc1test",
    "dirac",
    "cavsvideo",
    "avs2",
    "avs3",
    "apv",
    "dnxhd",
    "yuv4mpegpipe",
)
"""FFmpeg demuxers that read one file and nothing else; names that this FFmpeg lacks do no harm.

Playlists and references (HLS, DASH, concat, image sequences, VobSub, SDP, IMF) are left out on purpose: such a file
names further files or URLs, which FFmpeg would read on behalf of whoever made it.
"""

_STATED_BY_TRACK = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "avi", "mxf", "gxf", "ivf", "gif"})
"""Formats whose header states the length of each track."""

_STATED_BY_FILE = frozenset({"matroska,webm", "flv", "asf", "rm", "wtv", "nut"})
"""Formats whose header states the length of the longest track. Of all others FFmpeg estimates a length: out of the bit
rate, or from timestamps near the end. Nothing is stated there."""

Decoder = Literal["cpu", "gpu"]

_ATTACHED = (
    av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails | av.stream.Disposition.still_image
)
_LOOKED_AT = 2000
"""Packets at the beginning of a file by which moving pictures are told from stills."""
_STILL = 10
"""Times that a still has fewer packets than the moving picture beside it, at least."""

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
        duration: Seconds of this stream as the header states them, or ``None`` where it states none, or only those of
            the longest of several streams. The truth is known only after reading the file.
        end: Seconds on the clock of the file at which its header says that the longest stream ends, or ``None``.
        frames: Number of frames as the header states it, or ``None``.
        time_base: Seconds per tick of the stream's timestamps.
        pixel_format: E.g. ``yuv420p10le``; empty if unknown.
        pixel_aspect: Width of a pixel over its height. 1 where unknown, or outside 1/4 to 4, which is taken for a
            broken header.
        video_streams: How many video streams there are beside pictures attached to the file (covers, thumbnails).
        stream: Index of the chosen stream in the file.
    """

    container: str
    codec: str
    width: int
    height: int
    fps: Fraction | None
    duration: float | None
    end: float | None
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
    """Open a local video file and choose its stream. Every file that curate reads pictures from is opened here.

    Only regular files are opened, only formats that read no other file (`FORMATS`), only by FFmpeg's ``file`` protocol.

    The stream is one whose picture moves: pictures attached to the file (covers, thumbnails) never count, and of
    several others those with a tenth of the packets of the liveliest or less are stills, whatever their flags say.
    Among the rest it is one that can be decoded, then the one marked as default, then the one with the most pixels,
    then the first.

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
    _check_file(path)
    with _open(path, decoder) as container:
        stream, count = _choose(path, container)
        info = _describe(container, stream, count)
        for other in container.streams:
            if other is not stream:
                other.discard = av.stream.Discard.all
        context = stream.codec_context
        context.thread_count = 1
        context.options = {"max_pixels": str(MAX_PIXELS)}
        yield container, stream, info


@contextlib.contextmanager
def open_packets(path: Path) -> Iterator[Any]:
    """Open a local video file to look at the packets of all its streams, with the guards of `open_video`.

    Yields:
        The ``av.container.InputContainer``.

    Raises:
        MediaError: The file cannot be opened; says why.
    """
    _check_file(path)
    with _open(path) as container:
        yield container


def _check_file(path: Path) -> None:
    """Refuse what is no regular file: FIFOs and devices never end."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MediaError(Reason.FILE_MISSING, f"{path.name} does not exist") from error
    except OSError as error:
        raise MediaError(Reason.FILE_MISSING, f"{path.name} cannot be looked at: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise MediaError(Reason.NOT_A_VIDEO, f"{path.name} is no regular file")
    if found.st_size == 0:
        raise MediaError(Reason.EMPTY_FILE, f"{path.name} has 0 bytes")


def _open(path: Path, decoder: Decoder = "cpu") -> Any:
    options = {
        "format_whitelist": ",".join(FORMATS),
        "protocol_whitelist": "file",
        "max_pixels": str(MAX_PIXELS),
    }
    try:
        hwaccel = av.codec.hwaccel.HWAccel("cuda", allow_software_fallback=False) if decoder == "gpu" else None
        return av.open("file:" + os.fspath(path), options=options, metadata_errors="replace", hwaccel=hwaccel)
    except PermissionError as error:
        raise MediaError(Reason.FILE_MISSING, f"{path.name} cannot be read: {error.strerror}") from error
    except av.ArgumentError as error:
        # What FFmpeg answers where the format is none of `FORMATS`.
        raise MediaError(
            Reason.NOT_A_VIDEO,
            f"{path.name} is a playlist or in another format that is not read as a video: {why_of(error)}",
        ) from error
    except (av.FFmpegError, ValueError, RuntimeError) as error:
        raise MediaError(Reason.NOT_A_VIDEO, f"{path.name}: {why_of(error)}") from error


def _choose(path: Path, container: Any) -> tuple[Any, int]:
    """The stream to sample, and among how many it was chosen."""
    lock = locked_by(path, container)
    if lock:
        raise MediaError(Reason.ENCRYPTED, f"{path.name} is encrypted ({lock})")
    streams = [stream for stream in container.streams.video if not stream.disposition & _ATTACHED]
    if not streams:
        kinds = sorted({str(stream.type) for stream in container.streams}) or ["nothing"]
        attached = " (a cover picture or thumbnails)" if container.streams.video else ""
        raise MediaError(Reason.NO_VIDEO_STREAM, f"{path.name} holds only: {', '.join(kinds)}{attached}")
    moving = _moving(path, streams) if len(streams) > 1 else streams
    playable = [stream for stream in moving if stream.codec_context is not None]
    if not playable:
        names = ", ".join(_codec_name(container, stream) for stream in moving)
        raise MediaError(Reason.UNSUPPORTED_CODEC, f"there is no decoder for the video codec of {path.name}: {names}")
    return min(playable, key=_preference), len(streams)


def _moving(path: Path, streams: list[Any]) -> list[Any]:
    """The streams whose picture moves, by the packets at the beginning of the file."""
    counts = dict.fromkeys((stream.index for stream in streams), 0)
    with _open(path) as container:
        for stream in container.streams:
            if stream.index not in counts:
                stream.discard = av.stream.Discard.all
        with contextlib.suppress(av.FFmpegError):
            for packet in islice(container.demux(), _LOOKED_AT):
                if packet.size and packet.stream_index in counts:
                    counts[packet.stream_index] += 1
    most = max(counts.values())
    return [stream for stream in streams if counts[stream.index] * _STILL >= most]


def _codec_name(container: Any, stream: Any) -> str:
    """FFmpeg's name of a codec it has no decoder for, which PyAV tells nowhere else: ``avs3 (avs3 / 0x33737661)``."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        text = container.dumps_format() or ""
    finally:
        av.logging.set_level(level)
    found = re.search(rf"^  Stream #0:{stream.index}\b.*?: Video: (?P<name>[^,\n]+)", text, re.MULTILINE)
    name = found["name"].strip() if found else "none"
    return "unknown to FFmpeg" if name == "none" else name.replace("none ", "unknown to FFmpeg ")


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
    duration = end = None
    if container.format.name in _STATED_BY_TRACK:
        if stream.duration is not None and stream.duration > 0:
            duration = float(stream.duration * stream.time_base)
    elif container.format.name in _STATED_BY_FILE and container.duration is not None and container.duration > 0:
        end = container.duration / av.time_base
        # FFmpeg's duration counts from the first timestamp of the file, save in Matroska and FLV.
        if container.format.name not in ("matroska,webm", "flv"):
            end += (container.start_time or 0) / av.time_base
        if len(container.streams) == 1:
            duration = end - float((stream.start_time or 0) * stream.time_base)
    return VideoInfo(
        container=container.format.name,
        codec=context.codec.canonical_name,
        width=width,
        height=height,
        fps=stream.average_rate or stream.guessed_rate or None,
        duration=duration,
        end=end,
        frames=stream.frames or None,
        time_base=stream.time_base,
        pixel_format=context.pix_fmt or "",
        pixel_aspect=aspect,
        video_streams=video_streams,
        stream=stream.index,
    )
