"""Looks into a finished download: is it a video, how long, how high, does it decode."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import why_of
from curate.files.bounded import open_regular
from curate.records import Reason

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from curate.media.probe import VideoInfo

READ_SIZE = 1 << 20

TAIL_SECONDS = 2.0
"""How long before the stated end the search for the last data begins; a key frame earlier at most."""

_CUT_SHORT = frozenset({Reason.EMPTY_FILE, Reason.NOT_A_VIDEO, Reason.NO_FRAMES})
"""What a download that lost its end looks like: without it many files cannot even be opened."""


class NotDecodable(Exception):
    """Not a single frame of the file decodes; the message says why.

    Attributes:
        reason: ``incomplete``: a download that cannot be opened has usually lost its end; or why no other copy of the
            file would do: ``not_a_video`` (a playlist), ``no_video_stream``, ``unsupported_codec``, ``encrypted``,
            ``too_large``.
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
        duration: Seconds of the video stream, or of the longest stream where the container states only that, or
            ``None`` where it states none.
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
    """Open a video as `curate.media.probe` does, and decode its first frame.

    Raises:
        NotDecodable: It cannot be opened, holds no video stream, or gives no frame.
    """
    import av

    from curate.media.locks import is_locked
    from curate.media.probe import MediaError, open_video

    try:
        with open_video(path) as (container, stream, info):
            frame = None
            for packet in container.demux(stream):
                if is_locked(packet):
                    raise NotDecodable(Reason.ENCRYPTED, "its packets are encrypted")
                frame = next(iter(stream.codec_context.decode(packet if packet.size else None)), None)
                if frame is not None:
                    break
            if frame is None:
                raise NotDecodable(Reason.INCOMPLETE, "no frame could be decoded")
            duration = _duration(container, stream)
            return Probe(
                container=info.container,
                codec=stream.codec_context.name,
                width=frame.width,
                height=frame.height,
                duration=duration,
                reach=_reach(path, info, duration) if duration else None,
                frame_rate=float(info.fps) if info.fps else None,
            )
    except MediaError as error:
        cut = error.reason in _CUT_SHORT and not isinstance(error.__cause__, av.ArgumentError)
        reason = Reason.INCOMPLETE if cut else error.reason
        raise NotDecodable(reason, error.detail) from error
    except (av.FFmpegError, ValueError) as error:
        raise NotDecodable(Reason.INCOMPLETE, why_of(error)) from error


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds of the video stream; the container's figure where the stream has none (Matroska, WebM)."""
    import av

    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _reach(path: Path, info: VideoInfo, duration: float) -> float | None:
    """Seconds up to which packets are there: a cut file keeps the header of the whole one.

    Of the video stream where its length is stated, else of any: the longest stream may be another one.
    """
    import av

    from curate.media.probe import open_packets

    with open_packets(path) as container:
        start = last = (container.start_time or 0) / av.time_base
        try:
            container.seek(int((start + max(duration - TAIL_SECONDS, 0.0)) * av.time_base))
        except av.FFmpegError:
            return None
        with contextlib.suppress(av.FFmpegError):
            for packet in container.demux():
                time = packet.dts if packet.pts is None else packet.pts
                alone = info.end is None and packet.stream_index != info.stream
                if packet.size and time is not None and not alone:
                    last = max(last, float((time + (packet.duration or 0)) * packet.time_base))
        return last - start


@dataclass(frozen=True)
class Digests:
    """Size in bytes and hex digests of a file."""

    bytes: int
    sha256: str
    md5: str


def digests(path: Path, progress: Callable[[], None] | None = None) -> Digests:
    """Read a file once and hash it; MD5 because published manifests carry it.

    Args:
        path: The file.
        progress: Called for every `READ_SIZE` bytes.

    Raises:
        OSError: It cannot be read.
        ValueError: It is a pipe, a device or a socket, which never end.
    """
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with open_regular(path) as stream:
        while block := stream.read(READ_SIZE):
            sha256.update(block)
            md5.update(block)
            size += len(block)
            if progress is not None:
                progress()
    return Digests(size, sha256.hexdigest(), md5.hexdigest())
