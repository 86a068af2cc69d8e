"""What the rest of a file tells about a time without pictures: a still, a splice of two recordings, or a loss.

Timestamps alone do not tell them apart. The other streams do (sound goes on over a still), and so do the bytes between
the pictures.
"""

from __future__ import annotations

import contextlib
from array import array
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Any

import av

from curate.media.probe import VideoInfo, open_packets
from curate.media.transport import is_broken

TELLING = frozenset({"matroska,webm", "flv", "nut", "mpegts"})
"""Formats in which the bytes between packets tell whether any are lost."""

_ALONE = 3600
"""Seconds; a longer time without pictures in which nothing else goes on either is no still."""

_EDGE = 1
"""Seconds by which the streams of a file may be apart."""

_BETWEEN = 256
"""Bytes of headers that may lie between two packets."""

_BEFORE = 1 << 18
"""Bytes before a place that are looked at, too: tables repeat ten times a second."""

_MOST = 1 << 26
"""Bytes between two pictures that are looked at, at most."""


class Continuity:
    """The course of one file: reads the headers of all its packets, 24 bytes a packet.

    Args:
        path: The file.
        info: Its header, and the stream that is sampled.

    Attributes:
        reach: Seconds on the clock of the file up to which any of its streams goes.

    Raises:
        MediaError: The file cannot be opened.
    """

    def __init__(self, path: Path, info: VideoInfo) -> None:
        self._path = path
        self._info = info
        self._others = array("d")
        self._pts, self._places = array("q"), array("q")
        self._holes: list[tuple[float, float]] = []
        self.reach = 0.0
        # Where it cannot be read on, the file ends.
        with open_packets(path) as container, contextlib.suppress(av.FFmpegError):
            self._read(container)
        self._others = array("d", sorted(self._others))

    def is_splice(self, before: int, after: int) -> bool:
        """Whether a recording ends and another begins between two pictures.

        Args:
            before: Timestamp of the last picture before a time without any, in ticks of the stream.
            after: That of the next one.
        """
        start, end = float(before * self._info.time_base), float(after * self._info.time_base)
        if bisect_left(self._others, end - _EDGE) > bisect_right(self._others, start + _EDGE):
            return False
        return end - start > _ALONE or self._is_broken(before, after)

    def is_loss(self, before: int, after: int) -> bool:
        """Whether bytes are lost that lay between two pictures; arguments as in `is_splice`."""
        if self._info.container == "mpegts":
            return self._is_broken(before, after)
        start, end = float(before * self._info.time_base), float(after * self._info.time_base)
        return any(start - _EDGE <= last and first <= end + _EDGE for first, last in self._holes)

    def _read(self, container: Any) -> None:
        end = latest = None
        for packet in container.demux():
            time = packet.dts if packet.pts is None else packet.pts
            if not packet.size or time is None:
                continue
            seconds = float(time * packet.time_base)
            self.reach = max(self.reach, seconds + float((packet.duration or 0) * packet.time_base))
            if packet.stream_index == self._info.stream:
                self._pts.append(time)
                self._places.append(-1 if packet.pos is None else packet.pos)
                if end is not None and latest is not None and (packet.pos or 0) > end + _BETWEEN:
                    self._holes.append((min(latest, seconds), max(latest, seconds)))
                latest = seconds
            else:
                self._others.append(seconds)
            if packet.pos is not None:
                end = max(end or 0, packet.pos + packet.size)

    def _is_broken(self, before: int, after: int) -> bool:
        """Whether the packets between two pictures say that one course of them ends and another begins."""
        last = next((i for i in reversed(range(len(self._pts))) if self._pts[i] == before), None)
        if last is None:
            return False
        following = next((i for i in range(last + 1, len(self._pts)) if self._pts[i] >= after), None)
        if following is None or self._places[following] < 0:
            return False
        start = next((self._places[i] for i in range(last, -1, -1) if self._places[i] >= 0), 0)
        end = self._places[following]
        with open(self._path, "rb") as stream:
            stream.seek(max(0, start - _BEFORE))
            data = stream.read(min(_MOST, max(0, end - stream.tell()) + 6 * 204))
        if self._info.container == "mpegts":
            return is_broken(data)
        # MPEG_program_end_code (ISO/IEC 13818-1, 2.5.3.2)
        return self._info.container == "mpeg" and b"\0\0\1\xb9" in data


def is_whole_riff(path: Path) -> bool:
    """Whether all chunks at the top of an AVI file end within it: it was finished, and nothing is cut off."""
    size = path.stat().st_size
    at = 0
    with open(path, "rb") as stream:
        while at + 8 <= size:
            stream.seek(at)
            head = stream.read(8)
            if head[:4] != b"RIFF":
                break
            length = int.from_bytes(head[4:], "little")
            if not length:
                return False
            at += 8 + length + length % 2
    return 0 < at <= size + 1


def is_cut(path: Path, stream: Any) -> bool:
    """Whether the table of a stream names packets beyond the end of the file."""
    size = path.stat().st_size
    return any(entry.pos + entry.size > size for entry in stream.index_entries[-100:])
