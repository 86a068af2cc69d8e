"""Reading the frames of a video for export: one at a time, joined with their verdicts and regions."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.exports.plan.plan import BrokenVideo, FramePolicy, PlannedVideo
from curate.vision.field_of_view import FieldOfView

_ROWS = 4096
"""Rows of small columns read at a time."""


@dataclass(frozen=True)
class Region:
    """One row of the ``regions`` table; the box is in pixels of the sampled frame, half open."""

    kind: str
    score: float
    x1: int
    y1: int
    x2: int
    y2: int
    model: str

    @property
    def box(self) -> tuple[int, int, int, int]:
        """``(x1, y1, x2, y2)``."""
        return self.x1, self.y1, self.x2, self.y2


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
        regions: What is painted over.
        jpeg: The sampled JPEG.
        field: Field of view of its shot; ``None`` where nobody looked for it.
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
    jpeg: bytes
    field: FieldOfView | None = None

    @property
    def key(self) -> str:
        """Key in every format."""
        return self.video.key(self.n)


def read_frames(video: PlannedVideo, policy: FramePolicy, skip: int = 0) -> Iterator[ExportFrame]:
    """Yield the exported frames of a video in order.

    No more than one row group of images is held, and images of row groups without an exported frame are not read.

    Args:
        video: The video.
        policy: Which frames are exported.
        skip: How many of these to pass over at the beginning.

    Raises:
        BrokenVideo: A file cannot be read, or the tables do not fit together.
        DamagedArtefact: The frames are not the ones that were sampled.
    """
    video.entry.sealed.check(video.entry.frames)
    try:
        yield from _join(video, policy, skip)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise BrokenVideo(video.id, f"cannot read its artefacts: {error}") from error


def _join(video: PlannedVideo, policy: FramePolicy, skip: int) -> Iterator[ExportFrame]:
    verdicts = _rows(video.entry.verdicts, ["n", "p_surgical", "verdict", "kept"])
    regions, fields = RegionReader(video), _Fields(video)
    with pq.ParquetFile(video.entry.frames) as frames:
        for group in range(frames.num_row_groups):
            table = frames.read_row_group(group, columns=["n", "timestamp", "width", "height"])
            rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
            judged = list(itertools.islice(verdicts, len(rows)))
            if [row[0] for row in rows] != [verdict[0] for verdict in judged]:
                raise BrokenVideo(
                    video.id, f"frame numbers of {video.entry.frames} and {video.entry.verdicts} do not agree"
                )
            taken = [
                policy.takes(verdict, kept, private=n in video.private) and n not in video.too_small
                for n, _, verdict, kept in judged
            ]
            passed = [i for i, is_taken in enumerate(taken) if is_taken][:skip]
            skip -= len(passed)
            for i in passed:
                taken[i] = False
            if not any(taken):
                continue
            images = frames.read_row_group(group, columns=["image"]).column(0)
            for i, ((n, timestamp, width, height), (_, p_surgical, verdict, _)) in enumerate(
                zip(rows, judged, strict=True)
            ):
                if not taken[i]:
                    continue
                yield ExportFrame(
                    video=video,
                    n=n,
                    timestamp=timestamp,
                    width=width,
                    height=height,
                    p_surgical=p_surgical,
                    verdict=verdict,
                    blank=n in video.private or not policy.is_surgical(verdict),
                    regions=regions.of(n),
                    jpeg=images[i].as_py(),
                    field=fields.of(n, width, height),
                )


class RegionReader:
    """What is painted over in a video, asked for in rising order of frames; only a few rows are held.

    That is its regions and, where the plan says so, what the privacy audit found outside of them.
    """

    def __init__(self, video: PlannedVideo) -> None:
        self._regions = _Ordered(video, video.entry.regions)
        self._findings = _Ordered(video, video.entry.audit if video.covered else None)

    def of(self, n: int) -> tuple[Region, ...]:
        """Regions of a frame.

        Args:
            n: Number of the sample, above that of the call before.

        Raises:
            BrokenVideo: A table is not ordered by ``n``.
        """
        regions = self._regions.of(n)
        found = (replace(one, kind="face" if one.kind == "face" else "text") for one in self._findings.of(n))
        bare = (one for one in found if not any(_lies_in(one, region) for region in regions))
        return (*regions, *dict.fromkeys(bare))


def _lies_in(finding: Region, region: Region) -> bool:
    """Whether a region covers a text that the audit found; faces are told even where something covers them."""
    x1, y1, x2, y2 = finding.box
    inside = region.x1 <= x1 and region.y1 <= y1 and x2 <= region.x2 and y2 <= region.y2
    return inside and finding.kind != "face"


class _Ordered:
    """Rows of a table of regions or findings, by frame."""

    def __init__(self, video: PlannedVideo, path: Path | None) -> None:
        self._video, self._path = video, path
        columns = ["n", "kind", "score", "x1", "y1", "x2", "y2", "model"]
        self._rows = _rows(path, columns) if path else iter(())
        self._next = next(self._rows, None)

    def of(self, n: int) -> tuple[Region, ...]:
        """Rows of a frame; numbers rise from call to call."""
        found = []
        while self._next is not None and self._next[0] <= n:
            row, self._next = self._next, next(self._rows, None)
            if self._next is not None and self._next[0] < row[0]:
                raise BrokenVideo(self._video.id, f"{self._path} is not ordered by n")
            if row[0] == n:
                found.append(Region(*row[1:]))
        return tuple(found)


class _Fields:
    """Fields of view of a video's shots."""

    def __init__(self, video: PlannedVideo) -> None:
        path = video.entry.fields
        names = ["first", "width", "height", "shape", "x1", "y1", "x2", "y2", "cx", "cy", "rx", "ry", "score"]
        self._shots = list(_rows(path, names)) if path else []
        self._firsts = [shot[0] for shot in self._shots]
        if self._firsts != sorted(self._firsts):
            raise BrokenVideo(video.id, f"{path} is not ordered")

    def of(self, n: int, width: int, height: int) -> FieldOfView | None:
        """Field of a frame: that of the shot it is in, or of the shot before where it lies between two."""
        if not self._shots:
            return None
        _, *size, shape, x1, y1, x2, y2, cx, cy, rx, ry, score = self._shots[max(bisect_right(self._firsts, n) - 1, 0)]
        if size != [width, height]:
            return FieldOfView.whole(width, height)
        return FieldOfView(shape, x1, y1, x2, y2, cx, cy, rx, ry, score)


def _rows(path: Path, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS, columns=columns):
            yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
