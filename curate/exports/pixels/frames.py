"""Reading the frames of a video for export: one at a time, joined with their verdicts and regions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from curate.errors import BadArtefact
from curate.exports.plan.plan import BrokenVideo, FramePolicy, PlannedVideo
from curate.records import Finding, Region
from curate.vision.boxes import contains
from curate.vision.field_of_view import FieldOfView
from curate.vision.shot_fields import ShotFields
from curate.workspace.tables.frames import Pictures, read_frame_groups
from curate.workspace.tables.regions import ByFrame, read_findings, read_regions
from curate.workspace.tables.verdicts import read_verdicts


@dataclass(frozen=True)
class ExportFrame:
    """A frame to be exported, as it was sampled.

    Attributes:
        video: The video it belongs to.
        n: Number of the sample, counted from the start of the source video.
        timestamp: Seconds from the start of the source video.
        width: Pixels.
        height: Pixels.
        p_surgical: In 0..1.
        verdict: As in the ``verdicts`` table.
        blank: Whether it only keeps the time: it is exported black.
        regions: What is painted over, or would be if the options painted regions.
        pictures: Of its row group; the sampled JPEG is read when it is asked for.
        row: Its place in the row group.
        field: Field of view of its shot; ``None`` where nobody looked for it.
        private: Those of the regions that are covered although the options paint none.
    """

    video: PlannedVideo
    n: int
    timestamp: float
    width: int
    height: int
    p_surgical: float
    verdict: str
    blank: bool
    regions: tuple[Region, ...]
    pictures: Pictures
    row: int
    field: FieldOfView | None = None
    private: tuple[Region, ...] = ()

    @property
    def key(self) -> str:
        """Key in every format."""
        return self.video.key(self.n)

    @property
    def jpeg(self) -> bytes:
        """The sampled JPEG.

        Raises:
            BrokenVideo: It cannot be read.
        """
        with self._named():
            return self.pictures.get(self.row)

    @property
    def jpeg_size(self) -> int:
        """Bytes of the sampled JPEG; raises as `jpeg`."""
        with self._named():
            return self.pictures.size(self.row)

    @property
    def jpeg_place(self) -> int | None:
        """Offset of the sampled JPEG in the video's table of frames, if it lies there as it is; raises as `jpeg`."""
        with self._named():
            return self.pictures.place(self.row)

    def read_jpeg(self, target: memoryview) -> None:
        """Put the sampled JPEG into a buffer of `jpeg_size`; raises as `jpeg`."""
        with self._named():
            self.pictures.read_into(self.row, target)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Says whose artefact cannot be read."""
        try:
            yield
        except BadArtefact as error:
            raise BrokenVideo.by(self.video.id, error) from error


def read_frames(
    video: PlannedVideo, policy: FramePolicy, start: int = 0, stop: int | None = None
) -> Iterator[ExportFrame]:
    """Yield the exported frames of a video in order.

    A picture is read when it is asked for.

    Args:
        video: The video.
        policy: Which frames are exported.
        start: How many of these to pass over at the beginning.
        stop: Place after the last one; to the end if ``None``.

    Raises:
        BrokenVideo: A file cannot be read, or the tables do not fit together.
        DamagedArtefact: The frames are not the ones that were sampled.
    """
    video.entry.sealed.check(video.entry.frames)
    try:
        yield from _join(video, policy, start, video.frames if stop is None else stop)
    except BadArtefact as error:
        raise BrokenVideo.by(video.id, error) from error


def _join(video: PlannedVideo, policy: FramePolicy, start: int, stop: int) -> Iterator[ExportFrame]:
    place = 0
    verdicts = read_verdicts(video.entry.verdicts)
    regions, fields = RegionReader(video, policy), ShotFields(video.entry.fields)
    for index, group in enumerate(read_frame_groups(video.entry.frames)):
        judged = list(itertools.islice(verdicts, len(group.rows)))
        if [row.n for row in group.rows] != [verdict.n for verdict in judged]:
            raise BrokenVideo(
                video.id, f"frame numbers of {video.entry.frames} and {video.entry.verdicts} do not agree"
            )
        taken = [
            policy.takes(row.verdict, row.kept, private=row.n in video.private) and row.n not in video.too_small
            for row in judged
        ]
        pictures = Pictures(video.entry.frames, index)
        for i, (row, verdict) in enumerate(zip(group.rows, judged, strict=True)):
            if not taken[i]:
                continue
            place += 1
            if place <= start:
                continue
            if place > stop:
                return
            told = regions.of(row.n)
            yield ExportFrame(
                video=video,
                n=row.n,
                timestamp=row.timestamp,
                width=row.width,
                height=row.height,
                p_surgical=verdict.p_surgical,
                verdict=verdict.verdict,
                blank=row.n in video.private or not policy.is_surgical(verdict.verdict),
                regions=told.regions,
                pictures=pictures,
                row=i,
                field=fields.of(row.n, row.width, row.height),
                private=told.private,
            )


class FrameRegions(NamedTuple):
    """What is told of the regions of a frame.

    Attributes:
        regions: What the detectors found, and after it what the privacy audit did.
        private: Those that are covered although the options paint no regions; empty if they do.
    """

    regions: tuple[Region, ...]
    private: tuple[Region, ...]


class RegionReader:
    """What is painted over in a video, asked for in rising order of frames; only a few rows are held.

    That is its regions and, where the plan says so, what the privacy audit found outside of them; all that it found
    where the regions are not painted.

    Args:
        video: The video.
        policy: Whether regions are painted.

    Raises:
        BrokenVideo: A table cannot be read.
    """

    def __init__(self, video: PlannedVideo, policy: FramePolicy) -> None:
        entry = video.entry
        self._id, self._paints = video.id, policy.paints
        try:
            self._regions = ByFrame(entry.regions, read_regions)
            self._findings = ByFrame(entry.audit if video.covered else None, read_findings)
        except BadArtefact as error:
            raise BrokenVideo.by(video.id, error) from error

    def of(self, n: int) -> FrameRegions:
        """Regions of a frame.

        Args:
            n: Number of the sample, above that of the call before.

        Raises:
            BrokenVideo: A table cannot be read, or is not ordered by ``n``.
        """
        try:
            regions, findings = self._regions.of(n), self._findings.of(n)
        except BadArtefact as error:
            raise BrokenVideo.by(self._id, error) from error
        found = tuple(dict.fromkeys(_painted(one) for one in findings))
        if not self._paints:
            return FrameRegions((*regions, *found), found)
        bare = (one for one in found if not any(_lies_in(one, region) for region in regions))
        return FrameRegions((*regions, *bare), ())


def _painted(finding: Finding) -> Region:
    """What the audit found, as a region: a face, or text."""
    kind = "face" if finding.kind == "face" else "text"
    return Region(*finding.box, kind, finding.score, finding.model)


def _lies_in(finding: Region, region: Region) -> bool:
    """Whether a region covers a text that the audit found; faces are told even where something covers them."""
    return finding.kind != "face" and contains(region.box, finding.box)
