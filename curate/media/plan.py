"""Which packets of a video must be decoded for a selection of frames."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import av

from curate.errors import why_of
from curate.media.locks import is_locked
from curate.media.packets import Flag, Unplannable, inspector_for
from curate.media.probe import MediaError, VideoInfo
from curate.media.select import Clip, Selection
from curate.media.timeline import STORED_IN_ORDER, Clock
from curate.records import Reason

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
        mended: Whether ``pts`` are not those of the file, which are times of decoding.
        end: Ticks on the clock of the file to the end of the last packet, empty ones included.
        held: Ticks for which the last frame stays on screen beyond its duration: empty packets at the end.
    """

    pts: array[int] = field(default_factory=lambda: array("q"))
    durations: array[int] = field(default_factory=lambda: array("q"))
    flags: bytearray = field(default_factory=bytearray)
    reorders: bool = True
    mended: bool = False
    end: int | None = None
    held: int = 0


def index_packets(container: Any, stream: Any) -> Index:
    """Read the headers of all packets of a stream; nothing is decoded.

    Where the file stores no presentation times, or writes times of decoding in their place, which rise from packet to
    packet while the pictures go back and forth, presentation times are worked out: a picture appears at the time of the
    packet at which the decoder can put it out.

    Raises:
        MediaError: The stream is encrypted.
        Unplannable: The stream leaves doubt about what is safe to skip.
    """
    context = stream.codec_context
    inspector = inspector_for(context.codec, context.extradata)
    index = Index(reorders=inspector.reorders)
    by_slot = container.format.name in STORED_IN_ORDER
    order: list[int | None] = []
    inspector.ordered = rising = inspector.reorders
    end = last = None
    try:
        for packet in container.demux(stream):
            time = packet.dts if by_slot else packet.pts
            if not packet.size:
                end = end_of(end, time, packet.duration)
                continue
            if time is None:
                raise Unplannable("a packet has no timestamp")
            if packet.is_corrupt:
                raise Unplannable("a packet is marked as corrupt")
            if packet.has_sidedata("new_extradata") or packet.has_sidedata("param_change"):
                raise Unplannable("the codec configuration changes within the stream")
            if is_locked(packet):
                raise MediaError(Reason.ENCRYPTED, "its packets are encrypted")
            flags = inspector.inspect(memoryview(packet))
            if packet.is_discard:
                flags |= Flag.HIDDEN
            if rising:
                if last is not None and time <= last:
                    inspector.ordered = rising = False
                order.append(inspector.order)
            last = time
            index.pts.append(time)
            index.durations.append(packet.duration or 0)
            index.flags.append(flags)
            end = end_of(end, time, packet.duration)
    except (EOFError, IndexError) as error:
        raise Unplannable(f"a packet is malformed: {error}") from error
    except av.FFmpegError as error:
        raise Unplannable(f"the file cannot be read to its end: {why_of(error)}") from error
    if not index.flags or not index.flags[0] & Flag.CLOSED:
        raise Unplannable("the stream does not begin with a key frame")
    index.end = end
    if end is not None:
        index.held = max(0, end - max(pts + duration for pts, duration in zip(index.pts, index.durations, strict=True)))
    if rising:
        _mend(index, order, context.reorder_depth, by_slot)
    index.mended |= by_slot
    return index


def end_of(end: int | None, time: int | None, duration: int | None) -> int | None:
    """The later of an end and the end of a packet, in ticks; ``None`` where neither is known."""
    if time is None:
        return end
    return time + (duration or 0) if end is None else max(end, time + (duration or 0))


def _mend(index: Index, order: list[int | None], depth: int, by_slot: bool) -> None:
    """Turn times of decoding into those of presentation, if that is what they are.

    Args:
        index: Its timestamps rise from packet to packet.
        order: Where each picture belongs among those since the last closed access point.
        depth: Pictures by which the decoder is said to be behind.
        by_slot: Whether the format stores slots of decoding.

    Raises:
        Unplannable: That is what they are, and the stream does not tell the order of its pictures.
    """
    ranked: list[int] = []
    shown: list[int] = []
    total = len(index.flags)
    bounds = [position for position in range(total) if index.flags[position] & Flag.CLOSED]
    for first, last in zip(bounds, [*bounds[1:], total], strict=True):
        inside = [position for position in range(first, last) if not index.flags[position] & Flag.HIDDEN]
        if any(order[position] is None for position in inside):
            if by_slot:
                raise Unplannable("the file stores no presentation times, and the stream does not tell their order")
            return
        shown.extend(inside)
        ranked.extend(sorted(inside, key=lambda position: order[position] or 0))
    slot_of = {position: slot for slot, position in enumerate(shown)}
    behind = max((slot_of[position] - rank for rank, position in enumerate(ranked)), default=0)
    if behind > MAX_REORDER:
        if by_slot:
            raise Unplannable("the order of the pictures makes no sense")
        return
    if not behind and not by_slot:
        return
    behind = max(behind, depth)
    if not behind:
        return
    slots = [index.pts[position] for position in shown]
    step = sorted(after - before for before, after in pairwise(slots))[len(slots) // 2 - 1] if len(slots) > 1 else 1
    latest = slots[-1]
    slots.extend(latest + step * (beyond + 1) for beyond in range(behind))
    for rank, position in enumerate(ranked):
        index.pts[position] = slots[rank + behind]
    index.mended = True


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
        gaps: Where frames may be missing: timestamps before and after, and, at a frame rate that is otherwise constant,
            how many frames would fill the gap. Containers that skip over damage leave nothing else to tell it by.
        stamps: Timestamps to give to the packets before they are decoded, in decoding order; ``None`` if their own do.
    """

    send: bytearray
    restart: set[int]
    wanted: dict[int, Wanted]
    timestamps: array[int]
    starts: array[int]
    end: int
    jumps: int
    gaps: list[tuple[int, int, int]]
    stamps: array[int] | None


def plan(index: Index, selection: Selection, info: VideoInfo, clock: Clock) -> Plan:
    """Choose the frames, and the fewest packets that decode to exactly those.

    Args:
        index: The packets.
        selection: Which frames are wanted.
        info: The header.
        clock: Places the frames; a fresh one.

    Raises:
        Unplannable: Timestamps do not tell the order of presentation.
    """
    order, segment_of = _presentation_order(index)
    starts = array("q")
    fresh: set[int] = set()
    for rank, position in enumerate(order):
        jumps = clock.jumps
        start = clock.place(index.pts[position], index.durations[position])
        assert start is not None, "within a segment timestamps rise"
        starts.append(start)
        if clock.jumps > jumps:
            fresh.add(segment_of[rank])
    clock.hold(index.held)
    match = selection.matcher(Clip(info.time_base, info.fps, clock.end))
    wanted: dict[int, Wanted] = {}
    for rank, position in enumerate(order):
        end = starts[rank + 1] if rank + 1 < len(starts) else clock.end
        numbers = match(rank, starts[rank], end, bool(index.flags[position] & Flag.KEY))
        if numbers:
            wanted[position] = Wanted(rank, starts[rank], numbers)
    send, restart = _choose(index, wanted, fresh)
    timestamps = array("q", (index.pts[position] for position in order))
    stamps = index.pts if index.mended else None
    return Plan(send, restart, wanted, timestamps, starts, clock.end, clock.jumps, _gaps(starts, timestamps), stamps)


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


def _gaps(starts: array[int], timestamps: array[int]) -> list[tuple[int, int, int]]:
    steps = [after - before for before, after in pairwise(starts)]
    if len(steps) < 20:
        return []
    usual = sorted(steps)[len(steps) // 2]
    wide = [rank for rank, step in enumerate(steps) if 2 * step > 3 * usual]
    narrow = sum(2 * step < usual for step in steps)
    if len(wide) + narrow > 0.05 * len(steps):
        return []
    return [(timestamps[rank], timestamps[rank + 1], round(steps[rank] / usual) - 1) for rank in wide]
