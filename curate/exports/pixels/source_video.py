"""The pictures between the samples: a video at its own frame rate, with verdicts and masks carried over in time.

Samples are looked at by the networks, the frames between them are not. What a sample says holds for the frames from it
to the next one, and where the next one says otherwise, doubt is settled against showing:

- Where a sample that may be shown is followed by one that may not, the frames between are shown only up to the first
  change of the picture (`curate.vision.cuts`). Where one that may not be shown is followed by one that may, the frames
  between are shown only from a hard cut on, if that is the one change between the two, and else not at all.
- Next to a sample that is hidden because of what the privacy audit found, none of the frames between is shown: a window
  with a face may open without much change.
- A frame between two samples is painted over where either of them has a region.
- A sample says nothing about frames that are farther away than twice the typical distance of samples.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.config import ExportOptions
from curate.errors import BadArtefact
from curate.exports.pixels.frames import RegionReader
from curate.exports.pixels.render import fill_of
from curate.exports.plan.plan import BrokenVideo, FramePolicy, PlannedVideo
from curate.media.decode import Sampler
from curate.media.mp4 import mp4_time_base
from curate.media.probe import MediaError, probe
from curate.media.select import TOLERANCE, Selection
from curate.records import Region
from curate.verdicts.rules import durations
from curate.vision.boxes import Box, clip_boxes, grow, scale
from curate.vision.cuts import changes
from curate.vision.paint import paint
from curate.workspace.tables.frames import read_frame_sizes
from curate.workspace.tables.verdicts import read_verdicts

_USUAL_RATE = Fraction(25)
"""Frames a second of a file that does not tell."""

_NEAR = float(TOLERANCE)

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Segment:
    """What a sample says of the frames from it to the next one.

    Attributes:
        n: Number of the sample.
        sample: Seconds from the start of the video at which it appears.
        start: Seconds at which what it says begins: earlier than ``sample`` where a cut was found before it.
        end: Seconds at which what it says ends.
        shown: Whether pixels may be shown.
        p_surgical: Of the sample, in 0..1.
        verdict: Of the sample.
        width: Of the sampled picture in pixels, in which regions are given.
        height: Of the sampled picture in pixels.
    """

    n: int
    sample: float
    start: float
    end: float
    shown: bool
    p_surgical: float
    verdict: str
    width: int
    height: int


@dataclass(frozen=True)
class OutputFrame:
    """A frame of the video as it goes into a video file.

    Attributes:
        number: What the selection counts.
        timestamp: Seconds from the start of the source video.
        source_index: Index in presentation order in the source video.
        segment: What is said of it.
        shown: Whether it is; else the picture is black.
        regions: What is painted over, in pixels of the picture, grown to whole ones and by ``padding``.
        picture: uint8, RGB, shape (height, width, 3), both even.
    """

    number: int
    timestamp: float
    source_index: int
    segment: Segment
    shown: bool
    regions: tuple[Region, ...]
    picture: Picture


class SourceVideo:
    """A video of the plan, opened to be written as video.

    Args:
        video: The video.
        options: What may be shown and how it is painted.
        short_side: Shrink to this many pixels of the shorter side; 0 for no limit.

    Attributes:
        segments: From the first sample inside the trim to the last.
        fps: Frames a second of the source, about.
        time_base: Seconds per tick in which timestamps are whole numbers, for an MP4 track.

    Raises:
        BrokenVideo: Its artefacts or its file cannot be read.
        DamagedArtefact: Its frames or its file are not the ones that the stages left.
    """

    def __init__(self, video: PlannedVideo, options: ExportOptions, *, short_side: int) -> None:
        self.video = video
        self._options = options
        self._short_side = short_side
        if video.entry.source_file is None:
            raise BrokenVideo(video.id, "its video file is not at hand")
        self._path: Path = video.entry.source_file
        video.entry.sealed.check(video.entry.frames, self._path)
        try:
            self.segments = self._judge()
            info = probe(self._path)
        except BadArtefact as error:
            raise BrokenVideo.by(video.id, error) from error
        except MediaError as error:
            raise self._unreadable(error) from error
        self.fps = info.fps or _USUAL_RATE
        self.time_base = mp4_time_base(info.time_base)

    def runs(self) -> list[tuple[float, float]]:
        """Stretches of time without a break in which every frame is shown: ``(start, end)`` in seconds."""
        runs: list[tuple[float, float]] = []
        for segment in self.segments:
            if not segment.shown:
                continue
            if runs and runs[-1][1] >= segment.start - _NEAR:
                runs[-1] = (runs[-1][0], segment.end)
            else:
                runs.append((segment.start, segment.end))
        return runs

    def output_frames(self, selection: Selection) -> Iterator[OutputFrame]:
        """Yield frames inside the trim in presentation order; one picture is held.

        Args:
            selection: Which; frames before the first segment and after the last are left out.

        Raises:
            BrokenVideo: The file or the regions cannot be read.
        """
        reading = iter(Sampler(self._path, selection))
        regions = _Neighbours(self.video, self.segments, FramePolicy.of(self._options))
        canvas: Canvas | None = None
        position, last = 0, -1
        output: OutputFrame | None = None
        while True:
            try:
                frame = next(reading, None)
            except MediaError as error:
                raise self._unreadable(error) from error
            if frame is None or frame.timestamp >= self.segments[-1].end - _NEAR:
                return
            if frame.timestamp < self.segments[0].start - _NEAR:
                continue
            if output is not None and frame.source_index == last:
                yield dataclasses.replace(output, number=frame.n)
                continue
            while position + 1 < len(self.segments) and frame.timestamp >= self.segments[position + 1].start - _NEAR:
                position += 1
            segment = self.segments[position]
            canvas = canvas or Canvas(frame.image.shape[1], frame.image.shape[0], self._short_side)
            shown = segment.shown and frame.timestamp < segment.end - _NEAR
            painted = regions.of(position, between=frame.timestamp > segment.sample + _NEAR) if shown else ()
            last = frame.source_index
            output = OutputFrame(
                number=frame.n,
                timestamp=frame.timestamp,
                source_index=frame.source_index,
                segment=segment,
                shown=shown,
                regions=canvas.regions(painted, self._options.padding),
                picture=canvas.picture(frame.image, painted, self._options) if shown else canvas.black(),
            )
            yield output

    def _judge(self) -> list[Segment]:
        """Read the verdicts and find out until when each holds."""
        rows = list(read_verdicts(self.video.entry.verdicts))
        sizes = list(read_frame_sizes(self.video.entry.frames))
        if [row.n for row in rows] != [size.n for size in sizes]:
            raise BrokenVideo(self.video.id, "frame numbers of its frames and verdicts do not agree")
        times = np.array([row.timestamp for row in rows], np.float64)
        ends = times + durations(times)
        policy = FramePolicy.of(self._options)
        private = [row.n in self.video.private for row in rows]
        shown = [
            row.kept and policy.is_surgical(row.verdict) and not hidden
            for row, hidden in zip(rows, private, strict=True)
        ]
        starts = times.copy()
        near = [ends[i] >= times[i + 1] - _NEAR and times[i + 1] > times[i] for i in range(len(times) - 1)]
        doubtful = [i for i, close in enumerate(near) if close and shown[i] != shown[i + 1]]
        found = changes(self._path, [(float(times[i]), float(times[i + 1])) for i in doubtful])
        for i, change in zip(doubtful, found, strict=True):
            if shown[i]:
                ends[i] = times[i] if private[i + 1] else min(ends[i], change.first)
            elif change.cut is not None and not private[i]:
                ends[i] = starts[i + 1] = change.cut
        inside = np.flatnonzero([row.kept for row in rows])
        return [
            Segment(
                n=rows[i].n,
                sample=float(times[i]),
                start=float(starts[i]),
                end=max(float(ends[i]), float(times[i]) + 2 * _NEAR),
                shown=shown[i],
                p_surgical=rows[i].p_surgical,
                verdict=rows[i].verdict,
                width=sizes[i].width,
                height=sizes[i].height,
            )
            for i in range(int(inside[0]), int(inside[-1]) + 1)
        ]

    def _unreadable(self, error: MediaError) -> BrokenVideo:
        return BrokenVideo(self.video.id, f"its video file cannot be read: {error}")


class Canvas:
    """From pictures of a video to those of a file of one size.

    Videos have an even number of rows and columns (4:2:0): a picture that keeps its size loses an odd last one.

    Args:
        width: Of the video's first picture, in pixels.
        height: Of the video's first picture, in pixels.
        short_side: Largest shorter side in pixels; 0 for no limit. Nothing is enlarged.

    Attributes:
        width: Of the file.
        height: Of the file.
    """

    def __init__(self, width: int, height: int, short_side: int) -> None:
        shorter = min(width, height)
        scale = Fraction(short_side, shorter) if short_side and short_side < shorter else Fraction(1)
        self._source = (width, height)
        self._shrinks = scale != 1
        self.width, self.height = _even(round(width * scale)), _even(round(height * scale))

    def black(self) -> Picture:
        """A picture that shows nothing."""
        return np.zeros((self.height, self.width, 3), np.uint8)

    def picture(self, image: Picture, regions: Sequence[PlacedRegion], options: ExportOptions) -> Picture:
        """Paint an image of the source and bring it to the size of the file.

        Args:
            image: uint8, RGB.
            regions: What to paint over.
            options: How.
        """
        height, width = image.shape[:2]
        hidden = [placed for placed in regions if placed.private] if options.fill == "none" else regions
        boxes = [placed.box(width, height, options.padding) for placed in hidden]
        painted = paint(image, boxes, fill=fill_of(options)) if boxes else image
        if not self._shrinks and (width, height) == self._source:
            return np.ascontiguousarray(painted[: self.height, : self.width])
        import cv2

        resized = cv2.resize(painted, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(resized, np.uint8)

    def regions(self, regions: Sequence[PlacedRegion], padding: int) -> tuple[Region, ...]:
        """The painted regions in pixels of the file; those that lie in a cut-off column or row only are left out."""
        width, height = (self.width, self.height) if self._shrinks else self._source
        found = []
        for placed in regions:
            for x1, y1, x2, y2 in clip_boxes([placed.box(width, height, padding)], self.width, self.height):
                found.append(placed.region._replace(x1=x1, y1=y1, x2=x2, y2=y2))
        return tuple(found)


@dataclass(frozen=True)
class PlacedRegion:
    """A region, and the size of the sampled picture in whose pixels it is given.

    Attributes:
        private: Whether it is covered although the options paint no regions.
    """

    region: Region
    width: int
    height: int
    private: bool = False

    def box(self, width: int, height: int, padding: int) -> Box:
        """Its box, grown by ``padding`` pixels of the sample, in a picture of another size, grown to whole pixels."""
        return scale(grow(self.region.box, padding), (self.width, self.height), (width, height))


class _Neighbours:
    """Regions of a segment and of the one after it, asked for in rising order."""

    def __init__(self, video: PlannedVideo, segments: Sequence[Segment], policy: FramePolicy) -> None:
        self._reader = RegionReader(video, policy)
        self._segments = segments
        self._held: dict[int, tuple[PlacedRegion, ...]] = {}
        self._read = 0

    def of(self, position: int, *, between: bool) -> tuple[PlacedRegion, ...]:
        """What is painted over in a frame.

        Args:
            position: Of its segment.
            between: Whether it comes after the sample of the segment, and the next sample has a say.
        """
        own = self._at(position)
        if not between or position + 1 >= len(self._segments):
            return own
        known = {(placed.region.box, placed.private) for placed in own}
        later = self._at(position + 1)
        return own + tuple(placed for placed in later if (placed.region.box, placed.private) not in known)

    def _at(self, position: int) -> tuple[PlacedRegion, ...]:
        while self._read <= position:
            segment = self._segments[self._read]
            found = self._reader.of(segment.n)
            self._held[self._read] = tuple(
                PlacedRegion(region, segment.width, segment.height, region in found.private) for region in found.regions
            )
            self._held.pop(self._read - 2, None)
            self._read += 1
        return self._held[position]


def _even(length: int) -> int:
    return max(2, length - length % 2)
