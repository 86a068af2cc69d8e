"""Exact frames out of any video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from curate.media.colour import Converter, describe, describe_orientation
from curate.media.probe import MediaError, VideoInfo, open_video
from curate.media.select import AtRate, Clip, Match, Selection
from curate.media.timeline import Clock
from curate.records import Reason


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
class Account:
    """What became of a video; complete once the last sample was taken.

    Attributes:
        duration: Seconds from the start of the first frame to the end of the last.
        frames: Frames in the video.
        packets: Packets of the stream in the file.
        sent: Packets that were given to a decoder.
        damaged: Packets the decoder refused.
        jumps: Places where timestamps ran backwards or leapt, and the time axis was closed.
        colours: Matrix and range used for the first sample, e.g. ``bt709 limited``.
        orientation: How the first sample was turned upright, e.g. ``transposed, flipped left-right``; empty if not.
    """

    duration: float = 0.0
    frames: int = 0
    packets: int = 0
    sent: int = 0
    damaged: int = 0
    jumps: int = 0
    colours: str = ""
    orientation: str = ""

    def losses(self) -> str:
        """What the user should know of lost; empty if nothing was."""
        parts = []
        if self.damaged:
            parts.append(f"{self.damaged} of {self.packets} packets are damaged")
        if self.jumps:
            parts.append(f"timestamps jump in {self.jumps} places")
        return "; ".join(parts)


class Sampler:
    """Iterates over the samples of one video, once.

    Attributes:
        info: What the header says; set when iteration starts.
        account: What became of the video; complete when iteration ends.
    """

    def __init__(self, path: Path, selection: Selection, *, max_long_side: int = 0, max_short_side: int = 0) -> None:
        self._path = path
        self._selection = selection
        self._limits = {"max_long_side": max_long_side, "max_short_side": max_short_side}
        self.info: VideoInfo | None = None
        self.account = Account()

    def __iter__(self) -> Iterator[SampledFrame]:
        """Yield samples in presentation order.

        Raises:
            MediaError: No frame can be had out of this file; says why.
        """
        with open_video(self._path) as (container, stream, info):
            self.info = info
            self._convert = Converter(pixel_aspect=info.pixel_aspect, **self._limits)
            end = round(info.duration / info.time_base) if info.duration else 0
            match = self._selection.matcher(Clip(info.time_base, info.fps, end))
            yield from self._everything(container, stream, info, match)

    def _everything(self, container: Any, stream: Any, info: VideoInfo, match: Match) -> Iterator[SampledFrame]:
        clock = Clock(info.time_base, info.fps, info.container)
        held: tuple[Any, int] | None = None
        rank = 0
        for frame in self._decoded(container, stream):
            start = clock.place(frame.pts, frame.duration)
            if held is not None:
                yield from self._samples(*held, rank, start, match)
                rank += 1
            held = (frame, start)
        if held is None:
            raise MediaError(Reason.NO_FRAMES, f"the {info.codec} decoder gave no frame")
        yield from self._samples(*held, rank, clock.end, match)
        self.account.frames = rank + 1
        self.account.duration = float(clock.end * info.time_base)
        self.account.jumps = clock.jumps

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        context = stream.codec_context
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                self.account.damaged += 1
                packet = None
            if packet is None or packet.size == 0:
                break
            self.account.packets += 1
            self.account.sent += 1
            try:
                yield from context.decode(packet)
            except av.FFmpegError:
                self.account.damaged += 1
        try:
            yield from context.decode(None)
        except av.FFmpegError:
            self.account.damaged += 1

    def _samples(self, frame: Any, start: int, rank: int, end: int, match: Match) -> Iterator[SampledFrame]:
        numbers = match(rank, start, end, frame.key_frame)
        if not numbers:
            return
        assert self.info is not None
        if not self.account.colours:
            self.account.colours, self.account.orientation = describe(frame), describe_orientation(frame)
        image = self._convert(frame)
        timestamp = float(start * self.info.time_base)
        for n in numbers:
            yield SampledFrame(n, timestamp, rank, bool(frame.key_frame), image)


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
