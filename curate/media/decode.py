"""Exact frames out of any video, at the least decoding.

A video is read twice. The first pass reads packet headers only and plans (`curate.media.plan`): which frames are
wanted, and which packets they depend on. The second pass decodes those packets and no others. Where the headers leave
doubt, or a decoder stumbles over a packet, everything is decoded instead, and the frames are those that plain decoding
gives.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from curate.errors import why_of
from curate.media.colour import Converter, describe, describe_orientation
from curate.media.continuity import TELLING, Continuity, is_cut, is_whole_riff
from curate.media.locks import is_locked
from curate.media.packets import Unplannable
from curate.media.places import PlacesByClock, PlacesByPlan, Timing, stamp, timed, timing_of
from curate.media.plan import Plan, Wanted, end_of, index_packets, plan
from curate.media.probe import MAX_PIXELS, Decoder, MediaError, VideoInfo, open_video
from curate.media.select import AtRate, Clip, FrameList, Selection, Spread
from curate.media.timeline import STORED_IN_ORDER, Clock
from curate.records import Reason

_LOG = logging.getLogger(__name__)

_CHECKED = 4
"""Samples of each video on which the GPU has to agree with the CPU before it is trusted."""


@dataclass(frozen=True)
class SampledFrame:
    """One sample.

    Attributes:
        n: Number of the sample; what it counts is up to the selection.
        timestamp: Seconds from the start of the video to the moment the frame appears.
        source_index: Index of the frame in presentation order.
        key_frame: Whether it is a key frame.
        image: uint8, RGB, height x width x 3. Samples that show the same frame share the array: do not write to it.
    """

    n: int
    timestamp: float
    source_index: int
    key_frame: bool
    image: np.ndarray


@dataclass
class DecodeStatistics:
    """What became of a video; complete once the last sample was taken.

    Attributes:
        duration: Seconds from the start of the first frame to the end of the last.
        frames: Frames in the video.
        sent: Packets that were given to a decoder, those of a broken-off first attempt included.
        damaged: Frames that are lost or that the decoder had to patch, as far as they were decoded.
        missing: Frames that would fill gaps at a frame rate that is otherwise constant, where bytes of the file are
            lost, too.
        listed: How many different frames a `FrameList` asked for.
        absent: Numbers of those that the video does not have.
        jumps: Places where timestamps ran backwards or leapt, and the time axis was closed.
        whole: Why everything had to be decoded; empty if it had not.
        missing_end: Seconds by which the file ends before the time its header states; 0 if it does not.
        decoder: Which decoder gave the samples.
        colours: Matrix and range used for the first sample, e.g. ``bt709 limited``.
        orientation: How the first sample was turned upright, e.g. ``transposed, flipped left-right``; empty if not.
    """

    duration: float = 0.0
    frames: int = 0
    sent: int = 0
    damaged: int = 0
    missing: int = 0
    listed: int = 0
    absent: tuple[int, ...] = ()
    jumps: int = 0
    whole: str = ""
    missing_end: float = 0.0
    decoder: Decoder = "cpu"
    colours: str = ""
    orientation: str = ""

    def losses(self) -> str:
        """What the user should know of lost; empty if nothing was."""
        parts = []
        if self.damaged:
            parts.append(f"{self.damaged} of {self.frames} frames are damaged")
        if self.missing:
            parts.append(f"{self.missing} frames are missing in gaps")
        if self.missing_end:
            parts.append(f"the file ends {self.missing_end:.1f} s before its header says")
        if self.absent:
            named = ", ".join(map(str, self.absent[:10])) + (", ..." if len(self.absent) > 10 else "")
            parts.append(f"{len(self.absent)} of {self.listed} listed frames do not exist: {named}")
        if self.jumps:
            parts.append(f"timestamps jump in {self.jumps} places")
        return "; ".join(parts)


class _HardwareFailed(Exception):
    """The decoder did not give what the plan promised."""


class Sampler:
    """Iterates over the samples of one video, once.

    Args:
        path: A local video file.
        selection: Which frames; see `curate.media.select`.
        max_long_side: Largest long side of the images in pixels; 0 for no limit.
        max_short_side: Largest short side of the images in pixels; 0 for no limit.
        decoder: ``gpu`` decodes on an NVIDIA GPU where there is one and it proves itself on the first samples of this
            very video, bit for bit against the CPU; else, and whenever it stumbles, the CPU decodes.
        whole: Decode everything, whatever the packets say. Gives the same frames; for tests and comparisons.

    Attributes:
        info: What the header says; set when iteration starts.
        statistics: What became of the video; complete when iteration ends.
    """

    def __init__(
        self,
        path: Path,
        selection: Selection,
        *,
        max_long_side: int = 0,
        max_short_side: int = 0,
        decoder: Decoder = "cpu",
        whole: bool = False,
    ) -> None:
        self._path = path
        self._selection = selection
        self._limits = (max_long_side, max_short_side)
        self._decoder = decoder
        self._whole = whole
        self._given = self._skip = self._refused = 0
        self._latest: int | None = None
        self._packets_end: int | None = None
        self._tail = 0
        self._continuity: Continuity | None = None
        self.info: VideoInfo | None = None
        self.statistics = DecodeStatistics()

    def __iter__(self) -> Iterator[SampledFrame]:
        """Yield samples in presentation order.

        Raises:
            MediaError: No frame can be had out of this file; says why.
        """
        if not isinstance(self._selection, FrameList):
            yield from self._sampled()
            return
        absent = set(self._selection.numbers)
        self.statistics.listed = len(absent)
        for sampled in self._sampled():
            absent.discard(sampled.n)
            yield sampled
        self.statistics.absent = tuple(sorted(absent))

    def _sampled(self) -> Iterator[SampledFrame]:
        planned = None if self._whole else self._plan()
        if planned is not None:
            if self._decoder == "gpu" and self._gpu_agrees(planned):
                try:
                    self.statistics.decoder = "gpu"
                    yield from self._decode_planned(planned, "gpu")
                    self._close(planned.end, len(planned.timestamps), planned.jumps, planned)
                    return
                except (_HardwareFailed, MediaError) as error:
                    _LOG.info("%s: the CPU takes over from the GPU: %s", self._path.name, error)
                    self._start_over()
            try:
                self.statistics.decoder = "cpu"
                yield from self._decode_planned(planned, "cpu")
                self._close(planned.end, len(planned.timestamps), planned.jumps, planned)
                return
            except _HardwareFailed as error:
                self.statistics.whole = str(error)
                self._start_over()
        yield from self._decode_whole(planned)

    def _start_over(self) -> None:
        """Make the next attempt leave out the samples that were given already."""
        self._skip, self._given = max(self._skip, self._given), 0

    def _gpu_agrees(self, planned: Plan) -> bool:
        """Whether the GPU gives the same first samples as the CPU."""
        first: dict[str, list[SampledFrame]] = {}
        for decoder in ("cpu", "gpu"):
            try:
                first[decoder] = list(islice(self._decode_planned(planned, decoder), _CHECKED))
            except (_HardwareFailed, MediaError) as error:
                _LOG.info("%s: decoded by the CPU, for the %s decoder fails: %s", self._path.name, decoder, error)
                return False
            finally:
                self._given = 0
        same = len(first["cpu"]) == len(first["gpu"]) and all(
            (one.n, one.source_index, one.key_frame) == (other.n, other.source_index, other.key_frame)
            and np.array_equal(one.image, other.image)
            for one, other in zip(first["cpu"], first["gpu"], strict=True)
        )
        if not same:
            _LOG.info("%s: decoded by the CPU, for the GPU gives other pixels", self._path.name)
        return same

    def _plan(self) -> Plan | None:
        with open_video(self._path) as (container, stream, info):
            try:
                index = index_packets(container, stream)
                index.held += self._empty_slots(stream, info, index.end)
                return plan(index, self._selection, info, self._clock(info))
            except Unplannable as error:
                self.statistics.whole = str(error)
                return None

    def _clock(self, info: VideoInfo) -> Clock:
        def is_splice(before: int, after: int) -> bool:
            return self._course(info).is_splice(before, after)

        stated = info.duration or info.end
        return Clock(info.time_base, info.fps, info.container, stated=stated, is_splice=is_splice)

    def _course(self, info: VideoInfo) -> Continuity:
        """The course of the file, read when it is first asked for."""
        if self._continuity is None:
            self._continuity = Continuity(self._path, info)
        return self._continuity

    def _empty_slots(self, stream: Any, info: VideoInfo, end: int | None) -> int:
        """Ticks of empty slots after the last packet, where a format stores slots and the file is whole."""
        if info.container not in STORED_IN_ORDER or end is None or not stream.duration or stream.duration <= end:
            return 0
        return stream.duration - end if is_whole_riff(self._path) else 0

    def _decode_planned(self, planned: Plan, decoder: Decoder) -> Iterator[SampledFrame]:
        with open_video(self._path, decoder) as (container, stream, info):
            self._start(info)
            context = stream.codec_context
            pending: dict[int, Wanted] = {}
            floor = 0
            last = max(planned.wanted, default=-1)
            packets = (packet for packet in container.demux(stream) if packet.size)
            try:
                for position, packet in enumerate(packets):
                    if position > last:
                        break
                    if not planned.send[position]:
                        continue
                    if position in planned.restart:
                        yield from self._take(context.decode(None), pending, floor)
                        if pending:
                            break
                        context.flush_buffers()
                    if planned.stamps is not None:
                        packet.pts = planned.stamps[position]
                    if position in planned.restart or not position:
                        floor, self._latest = packet.pts, None
                    if position in planned.wanted:
                        pending[packet.pts] = planned.wanted[position]
                    self.statistics.sent += 1
                    yield from self._take(context.decode(packet), pending, floor)
                yield from self._take(context.decode(None), pending, floor)
            except av.FFmpegError as error:
                raise _HardwareFailed(f"a packet cannot be decoded: {why_of(error)}") from error
            if pending:
                raise _HardwareFailed("a frame is missing")

    def _take(self, frames: list[Any], pending: dict[int, Wanted], floor: int) -> Iterator[SampledFrame]:
        """Yield the samples among decoded frames, taking them off the list of the pending.

        Frames shown before ``floor``, the packet at which decoding started, are leading pictures whose references
        were never decoded; none of them is wanted.
        """
        for frame in frames:
            if frame.pts is None:
                raise _HardwareFailed("a frame has lost its timestamp")
            if frame.pts >= floor:
                if frame.is_corrupt:
                    raise _HardwareFailed("a frame is damaged")
                if self._latest is not None and frame.pts <= self._latest:
                    raise _HardwareFailed("frames come out of order")
                self._latest = frame.pts
            wanted = pending.pop(frame.pts, None)
            if wanted is not None:
                yield from self._samples(frame, wanted)

    def _decode_whole(self, planned: Plan | None) -> Iterator[SampledFrame]:
        timing: Timing = "presentation" if planned else timing_of(self._path)
        with open_video(self._path) as (container, stream, info):
            self._start(info)
            end = planned.end if planned else self._measured_end(timing)
            match = self._selection.matcher(Clip(info.time_base, info.fps, end))
            places: PlacesByPlan | PlacesByClock
            places = PlacesByPlan(planned) if planned and not planned.jumps else PlacesByClock(self._clock(info))
            held: tuple[Any, int, int] | None = None
            for frame, pts in timed(self._every_frame(container, stream, timing, planned), timing):
                self.statistics.damaged += bool(frame.is_corrupt)
                place = places.place(frame, pts)
                if place is None:
                    continue
                if held is not None:
                    before, rank, start = held
                    yield from self._samples(
                        before, Wanted(rank, start, match(rank, start, place[1], bool(before.key_frame)))
                    )
                held = (frame, *place)
            if held is None:
                raise MediaError(
                    Reason.NO_FRAMES,
                    f"the {info.codec} decoder gave no frame (frames above {MAX_PIXELS} pixels are refused)",
                )
            frame, rank, start = held
            end = places.finish(self._tail + self._empty_slots(stream, info, self._packets_end))
            yield from self._samples(frame, Wanted(rank, start, match(rank, start, end, bool(frame.key_frame))))
            self.statistics.damaged += places.lost if isinstance(places, PlacesByPlan) else self._refused
            self._close(end, places.frames, places.jumps, planned)

    def _measured_end(self, timing: Timing) -> int:
        """Ticks from the start of the first frame to the end of the last, for the one selection that needs them."""
        if not isinstance(self._selection, Spread):
            return 0
        with open_video(self._path) as (container, stream, info):
            places = PlacesByClock(self._clock(info))
            for frame, pts in timed(self._every_frame(container, stream, timing, None), timing):
                places.place(frame, pts)
            self._refused = 0
            return places.finish(self._tail + self._empty_slots(stream, info, self._packets_end))

    def _every_frame(self, container: Any, stream: Any, timing: Timing, planned: Plan | None) -> Iterator[Any]:
        context = stream.codec_context
        packets = container.demux(stream)
        position = -1
        shown: int | None = None
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                packet = None
            if packet is None:
                break
            if is_locked(packet):
                raise MediaError(Reason.ENCRYPTED, "its packets are encrypted")
            stamp(packet, timing, container.format.name)
            self._packets_end = end_of(
                self._packets_end, packet.dts if timing != "presentation" else packet.pts, packet.duration
            )
            if not packet.size:
                continue
            shown = end_of(shown, packet.pts, packet.duration)
            position += 1
            if planned is not None and planned.stamps is not None and position < len(planned.stamps):
                packet.pts = planned.stamps[position]
            self.statistics.sent += 1
            self._refused += bool(packet.is_corrupt)
            try:
                yield from context.decode(packet)
            except av.FFmpegError:
                self._refused += not packet.is_corrupt
        # What is left in the decoder comes out even if the file broke off.
        with contextlib.suppress(av.FFmpegError):
            yield from context.decode(None)
        self._tail = max(0, (self._packets_end or 0) - (shown or 0)) if shown is not None else 0

    def _samples(self, frame: Any, wanted: Wanted) -> Iterator[SampledFrame]:
        assert self.info is not None
        image = None
        for n in wanted.numbers:
            self._given += 1
            if self._given <= self._skip:
                continue
            if image is None:
                image = self._convert(frame)
                if not self.statistics.colours:
                    self.statistics.colours = describe(frame)
                    self.statistics.orientation = describe_orientation(frame)
            timestamp = float(wanted.start * self.info.time_base)
            yield SampledFrame(n, timestamp, wanted.rank, bool(frame.key_frame), image)

    def _start(self, info: VideoInfo) -> None:
        self.info = info
        self._convert = Converter(
            pixel_aspect=info.pixel_aspect, max_long_side=self._limits[0], max_short_side=self._limits[1]
        )

    def _close(self, end: int, frames: int, jumps: int, planned: Plan | None) -> None:
        assert self.info is not None
        statistics = self.statistics
        statistics.duration = float(end * self.info.time_base)
        statistics.frames = frames
        statistics.jumps = jumps
        statistics.missing_end = self._missing_end(self.info, statistics.duration)
        if planned is not None and planned.gaps and self.info.container in TELLING:
            course = self._course(self.info)
            statistics.missing = sum(count for before, after, count in planned.gaps if course.is_loss(before, after))

    def _missing_end(self, info: VideoInfo, duration: float) -> float:
        """Seconds of the video that its header promises and the file does not have."""
        stated = info.end if info.duration is None else info.duration
        if stated is None or stated - duration <= max(1.0, 0.02 * stated):
            return 0.0
        if info.container.startswith("mov,"):
            with open_video(self._path) as (_, stream, _info):
                return stated - duration if is_cut(self._path, stream) else 0.0
        if info.end is not None:
            # The longest stream may be another one, and jumps that were closed are no loss at the end.
            missing = info.end - self._course(info).reach
            return missing if missing > max(1.0, 0.02 * info.end) else 0.0
        return stated - duration


def sample(
    path: Path, selection: Selection | None = None, *, max_long_side: int = 0, max_short_side: int = 0
) -> Iterator[SampledFrame]:
    """Yield the samples of a video in presentation order; one frame a second by default.

    Args:
        path: A local video file.
        selection: Which frames; see `curate.media.select`.
        max_long_side: Largest long side of the images in pixels; 0 for no limit.
        max_short_side: Largest short side of the images in pixels; 0 for no limit.

    Raises:
        MediaError: No frame can be had out of this file; says why.
    """
    return iter(Sampler(path, selection or AtRate(1), max_long_side=max_long_side, max_short_side=max_short_side))
