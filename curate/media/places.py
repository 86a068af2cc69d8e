"""Where decoded frames belong in time, when everything is decoded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import av

from curate.media.plan import Plan
from curate.media.probe import open_video
from curate.media.timeline import STORED_IN_ORDER, UNTIMED, Clock

Timing = Literal["presentation", "slot", "output"]
"""What tells when a decoded frame appears: the presentation time of its packet; the slot of its packet, where a format
stores no presentation times; or the slot of the packet at which the decoder puts it out, where pictures are stored in
another order than they are shown."""

_LOOKED_AT = 500
"""Packets at the beginning of a video that are decoded to find out."""


def timing_of(path: Path) -> Timing:
    """Decode the beginning of a video to see whether its timestamps are those of presentation.

    They are not if they rise from packet to packet while pictures come out of the decoder in another order.
    """
    with open_video(path) as (container, stream, info):
        by_slot = info.container in STORED_IN_ORDER
        context = stream.codec_context
        delays = context.reorder_depth or info.codec in ("h264", "hevc")
        if info.container in UNTIMED or not delays:
            return "slot" if by_slot else "presentation"
        time: int | None = None
        shown: int | None = None
        with contextlib.suppress(av.FFmpegError):
            for packet in islice(container.demux(stream), _LOOKED_AT):
                if not packet.size:
                    continue
                before, time = time, packet.dts if by_slot else packet.pts
                if time is None or (before is not None and time <= before):
                    return "presentation"
                packet.pts = packet.dts = time
                with contextlib.suppress(av.FFmpegError):
                    for frame in context.decode(packet):
                        if None not in (frame.pts, shown) and frame.pts < shown:
                            return "output"
                        shown = frame.pts
        return "slot" if by_slot else "presentation"


def stamp(packet: Any, timing: Timing, container: str) -> None:
    """Give a packet the timestamps by which its frame will be placed."""
    if timing == "presentation":
        return
    packet.pts = packet.dts = packet.dts if container in STORED_IN_ORDER else packet.pts


def timed(frames: Iterator[Any], timing: Timing) -> Iterator[tuple[Any, int | None]]:
    """Pair frames with their timestamps, or with ``None`` where one strays while its neighbours agree."""
    before: int | None = None
    held: tuple[Any, int | None] | None = None
    for frame in frames:
        after = frame.dts if timing == "output" else frame.pts
        if held is not None:
            pts = held[1]
            if before is not None and pts is not None and after is not None and before < after:
                pts = pts if before < pts < after else None
            yield held[0], pts
            before = before if pts is None else pts
        held = frame, after
    if held is not None:
        yield held


class PlacesByClock:
    """Places frames by their own timestamps as they come out of the decoder.

    Attributes:
        frames: Frames placed.
        lost: 0; what has no place cannot be missed.
    """

    lost = 0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.frames = 0

    def place(self, frame: Any, pts: int | None) -> tuple[int, int] | None:
        """Index in presentation order, and ticks from the start; ``None`` for a frame that comes too late."""
        self.frames += 1
        start = self._clock.place(pts, frame.duration, key_frame=bool(frame.key_frame))
        return None if start is None else (self.frames - 1, start)

    def finish(self, held: int) -> int:
        """Ticks from the start of the first frame to the end of the last.

        Args:
            held: Ticks for which the last frame stays on screen beyond its duration.
        """
        self._clock.hold(held)
        return self._clock.end

    @property
    def jumps(self) -> int:
        """How often timestamps jumped so far."""
        return self._clock.jumps


class PlacesByPlan:
    """Places frames where the plan has them, so that losses shift nothing.

    Attributes:
        frames: Frames in the video, lost ones included.
        lost: Frames that have not come out of the decoder so far.
        jumps: 0; timestamps that jump are ambiguous.
    """

    jumps = 0

    def __init__(self, planned: Plan) -> None:
        self._rank_of = {pts: rank for rank, pts in enumerate(planned.timestamps)}
        self._starts = planned.starts
        self._last = -1
        self._end = planned.end
        self.frames = self.lost = len(planned.timestamps)

    def place(self, frame: Any, pts: int | None) -> tuple[int, int] | None:
        """Index in presentation order, and ticks from the start; ``None`` for a frame out of nowhere."""
        rank = -1 if pts is None else self._rank_of.get(pts, -1)
        if rank <= self._last:
            return None
        self._last = rank
        self.lost -= 1
        return rank, self._starts[rank]

    def finish(self, held: int) -> int:
        """Ticks from the start of the first frame to the end of the last; the plan knows what is held."""
        return self._end
