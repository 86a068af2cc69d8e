"""Which packets of a video must be decoded for a selection of frames."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import av

from curate.media.packets import Flag, Unplannable, inspector_for
from curate.media.probe import VideoInfo
from curate.media.select import Clip, Selection
from curate.media.timeline import UNTIMED, Clock

MAX_REORDER = 16
"""Most frames by which a frame may be decoded before it is shown (ITU-T H.264, A.3.1, and H.265, A.4.2: DPB size)."""


@dataclass
class Index:
    """The packets of a stream, in decoding order: 17 bytes a packet, 2 MB an hour.

    Attributes:
        pts: Presentation timestamps in ticks.
        durations: Durations in ticks; 0 where not known.
        flags: `Flag` bits.
        reorders: Whether packets may be stored in another order than they are shown.
    """

    pts: array[int] = field(default_factory=lambda: array("q"))
    durations: array[int] = field(default_factory=lambda: array("q"))
    flags: bytearray = field(default_factory=bytearray)
    reorders: bool = True


def index_packets(container: Any, stream: Any) -> Index:
    """Read the headers of all packets of a stream; nothing is decoded.

    Raises:
        Unplannable: The stream leaves doubt about what is safe to skip.
    """
    context = stream.codec_context
    inspector = inspector_for(context.codec, context.extradata)
    if inspector.reorders and container.format.name in UNTIMED:
        raise Unplannable("the file stores no presentation times")
    index = Index(reorders=inspector.reorders)
    try:
        for packet in container.demux(stream):
            if not packet.size:
                continue
            if packet.pts is None:
                raise Unplannable("a packet has no timestamp")
            if packet.is_corrupt:
                raise Unplannable("a packet is marked as corrupt")
            if packet.has_sidedata("new_extradata") or packet.has_sidedata("param_change"):
                raise Unplannable("the codec configuration changes within the stream")
            flags = inspector.inspect(memoryview(packet))
            if packet.is_discard:
                flags |= Flag.HIDDEN
            index.pts.append(packet.pts)
            index.durations.append(packet.duration or 0)
            index.flags.append(flags)
    except (EOFError, IndexError) as error:
        raise Unplannable(f"a packet is malformed: {error}") from error
    except av.FFmpegError as error:
        raise Unplannable(f"the file cannot be read to its end: {error}") from error
    if not index.flags or not index.flags[0] & Flag.CLOSED:
        raise Unplannable("the stream does not begin with a key frame")
    return index


@dataclass(frozen=True)
class Wanted:
    """A frame to take.

    Attributes:
        rank: Index in presentation order.
        start: Ticks from the start of the video.
        numbers: Numbers of the samples that show it.
    """

    rank: int
    start: int
    numbers: Sequence[int]


@dataclass
class Plan:
    """What to do with each packet, in decoding order.

    Attributes:
        send: 1 for packets to decode.
        restart: Packets before which the decoder is drained and reset, because packets before them were skipped.
        wanted: Frames to take, by position of their packet.
        timestamps: Of each frame, in presentation order.
        starts: Ticks from the start of the video to each frame, in presentation order.
        end: Ticks from the start of the first frame to the end of the last.
        jumps: Places where timestamps jump.
        missing: Frames that seem to be missing: at a frame rate that is otherwise constant, the frames that would fill
            the gaps. Containers that skip over damage leave nothing else to tell it by.
    """

    send: bytearray
    restart: set[int]
    wanted: dict[int, Wanted]
    timestamps: array[int]
    starts: array[int]
    end: int
    jumps: int
    missing: int


def plan(index: Index, selection: Selection, info: VideoInfo) -> Plan:
    """Choose the frames, and the fewest packets that decode to exactly those.

    Raises:
        Unplannable: Timestamps do not tell the order of presentation.
    """
    order, segment_of = _presentation_order(index)
    clock = Clock(info.time_base, info.fps, info.container)
    starts = array("q")
    fresh: set[int] = set()
    for rank, position in enumerate(order):
        jumps = clock.jumps
        start = clock.place(index.pts[position], index.durations[position])
        assert start is not None, "within a segment timestamps rise"
        starts.append(start)
        if clock.jumps > jumps:
            fresh.add(segment_of[rank])
    match = selection.matcher(Clip(info.time_base, info.fps, clock.end))
    wanted: dict[int, Wanted] = {}
    for rank, position in enumerate(order):
        end = starts[rank + 1] if rank + 1 < len(starts) else clock.end
        numbers = match(rank, starts[rank], end, bool(index.flags[position] & Flag.KEY))
        if numbers:
            wanted[position] = Wanted(rank, starts[rank], numbers)
    send, restart = _choose(index, wanted, fresh)
    timestamps = array("q", (index.pts[position] for position in order))
    return Plan(send, restart, wanted, timestamps, starts, clock.end, clock.jumps, _missing_frames(starts))


def _presentation_order(index: Index) -> tuple[array[int], array[int]]:
    """Positions of the frames in the order they are shown, and for each the position at which its segment begins.

    Segments are bounded by closed access points: whatever is decoded before one is also shown before it. Within a
    segment timestamps give the order.
    """
    order, segment_of = array("q"), array("q")
    total = len(index.flags)
    bounds = [position for position in range(total) if index.flags[position] & Flag.CLOSED]
    for first, last in zip(bounds, [*bounds[1:], total], strict=True):
        shown = [position for position in range(first, last) if not index.flags[position] & Flag.HIDDEN]
        ranked = sorted(shown, key=index.pts.__getitem__)
        limit = MAX_REORDER if index.reorders else 0
        for rank, position in enumerate(ranked):
            if rank and index.pts[position] == index.pts[ranked[rank - 1]]:
                raise Unplannable("two frames have the same timestamp")
            # Hidden packets only make the distance smaller than it looks, never larger.
            if position - shown[rank] > limit and bisect_left(shown, position) - rank > limit:
                raise Unplannable("timestamps jump between key frames")
        order.extend(ranked)
        segment_of.extend([first] * len(ranked))
    return order, segment_of


def _choose(index: Index, wanted: dict[int, Wanted], fresh: set[int]) -> tuple[bytearray, set[int]]:
    """Choose the packets to decode.

    Args:
        index: The packets.
        wanted: Frames to take, by position of their packet.
        fresh: Closed access points before which the decoder must be drained, for timestamps repeat from there on.

    Returns:
        Which packets to send, and before which to drain and reset the decoder.
    """
    flags, total = index.flags, len(index.flags)
    send = bytearray(total)
    points = [position for position in range(total) if flags[position] & (Flag.CLOSED | Flag.OPEN)]
    end, leaned_upon = total, False
    for point in reversed(points):
        inside = [position for position in range(point, end) if position in wanted]
        last = end - 1 if leaned_upon else max(inside, default=-1)
        for position in range(point, last + 1):
            send[position] = position in wanted or not flags[position] & Flag.DROPPABLE
        # Leading pictures of an open access point need what was decoded before it.
        leaned_upon = bool(flags[point] & Flag.OPEN) and any(index.pts[i] < index.pts[point] for i in inside)
        end = point
    restart = set()
    skipped = False
    for position in range(total):
        if not send[position]:
            skipped |= not flags[position] & Flag.DROPPABLE
        elif skipped or position in fresh:
            restart.add(position)
            skipped = False
    return send, restart


def _missing_frames(starts: array[int]) -> int:
    gaps = [after - before for before, after in pairwise(starts)]
    if len(gaps) < 20:
        return 0
    usual = sorted(gaps)[len(gaps) // 2]
    wide = [gap for gap in gaps if 2 * gap > 3 * usual]
    narrow = sum(2 * gap < usual for gap in gaps)
    if len(wide) + narrow > 0.05 * len(gaps):
        return 0
    return sum(round(gap / usual) - 1 for gap in wide)
