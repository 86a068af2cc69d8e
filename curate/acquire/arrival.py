"""Looks into a finished download: is it a video, how long, how high, does it decode."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.records import Reason

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

READ_SIZE = 1 << 20

TAIL_SECONDS = 2.0
"""How long before the stated end the search for the last data begins; a key frame earlier at most."""


class NotDecodable(Exception):
    """Not a single frame of the file decodes; the message says why.

    Attributes:
        reason: ``no_video_stream``, or ``incomplete``: a download that cannot be opened has usually lost its end.
    """

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Probe:
    """What a video file says of itself.

    Attributes:
        container: PyAV's name of the container, e.g. ``mov,mp4,m4a,3gp,3g2,mj2``.
        codec: Name of the video codec, e.g. ``h264``.
        width: Coded width in pixels.
        height: Coded height in pixels.
        duration: Seconds of the video stream, or ``None`` where the container does not say.
        reach: Seconds from the start up to which data can be read, or ``None`` where the container cannot be searched.
        frame_rate: Average frames a second, or ``None``.
    """

    container: str
    codec: str
    width: int
    height: int
    duration: float | None
    reach: float | None
    frame_rate: float | None


def probe(path: Path) -> Probe:
    """Open a video and decode its first frame.

    Raises:
        NotDecodable: It cannot be opened, holds no video stream, or gives no frame.
    """
    import av

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            stream = container.streams.best("video")
            if not isinstance(stream, av.VideoStream):
                raise NotDecodable(Reason.NO_VIDEO_STREAM, "no video stream")
            frame = next(container.decode(stream), None)
            if frame is None:
                raise NotDecodable(Reason.INCOMPLETE, "no frame could be decoded")
            duration = _duration(container, stream)
            return Probe(
                container=container.format.name,
                codec=stream.codec_context.name,
                width=frame.width,
                height=frame.height,
                duration=duration,
                reach=_reach(container, stream, duration) if duration else None,
                frame_rate=float(stream.average_rate) if stream.average_rate else None,
            )
    except (av.FFmpegError, ValueError) as error:
        raise NotDecodable(Reason.INCOMPLETE, f"{error}") from error


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds of the video stream; the container's figure where the stream has none (Matroska, WebM)."""
    import av

    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _reach(container: InputContainer, stream: VideoStream, duration: float) -> float | None:
    """Seconds up to which packets are there: a cut file keeps the header of the whole one."""
    import av

    assert stream.time_base is not None
    base, start = float(stream.time_base), stream.start_time or 0
    last = float(start)
    try:
        container.seek(start + int(max(duration - TAIL_SECONDS, 0.0) / base), stream=stream)
    except av.FFmpegError:
        return None
    try:
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                last = max(last, packet.pts + (packet.duration or 0))
    except av.FFmpegError:
        pass
    return (last - start) * base


@dataclass(frozen=True)
class Digests:
    """Size in bytes and hex digests of a file."""

    bytes: int
    sha256: str
    md5: str


def digests(path: Path) -> Digests:
    """Read a file once and hash it; MD5 because published manifests carry it."""
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with open(path, "rb") as stream:
        while block := stream.read(READ_SIZE):
            sha256.update(block)
            md5.update(block)
            size += len(block)
    return Digests(size, sha256.hexdigest(), md5.hexdigest())
