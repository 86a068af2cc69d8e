"""What the formats of video files share: what is told of each file, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from curate.exports.formats.tables import METADATA, REGION
from curate.files.parquet import read_rows
from curate.records import Region

if TYPE_CHECKING:
    from curate.exports.pixels.source_video import OutputFrame

VIDEO_FORMATS = frozenset({"video", "clips"})
"""Formats whose files are videos."""

SUFFIX = ".mp4"
"""Of every video file."""

VIDEO_FILE_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("video_id", pa.string()),
        ("file", pa.string()),
        ("label", pa.int32()),
        ("n", pa.int32()),
        ("timestamp", pa.float64()),
        ("seconds", pa.float64()),
        ("frames", pa.int32()),
        ("surgical_frames", pa.int32()),
        ("rate", pa.float64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("title", pa.string()),
        ("source", pa.string()),
        ("procedures", pa.list_(pa.string())),
        ("domain", pa.string()),
        ("robotic", pa.bool_()),
        ("p_surgical", pa.float32()),
        ("regions", pa.list_(REGION)),
        ("split", pa.string()),
        ("licence", pa.string()),
        ("recipe", pa.string()),
    ]
)
"""``file`` is relative to the export; ``label`` is the line of its procedure in ``classes.txt``, from 0. ``n`` and
``timestamp`` are the sample and the seconds in the source video at which the file begins, ``seconds`` is how long it
lasts. ``surgical_frames`` are not black. ``p_surgical`` is the mean over the frames. ``regions`` are the distinct ones
that are painted over in any frame of a clip, in pixels; those of curated videos are told frame by frame elsewhere.
``recipe`` is the fingerprint of what the file was made from; see `curate.exports.formats.reuse`."""


@dataclass(frozen=True)
class VideoFile:
    """A video file that was written.

    Attributes:
        key: Distinct in the export.
        name: Of the file, without a folder.
        n: Sample of its first frame.
        timestamp: Seconds in the source video at which it begins.
        seconds: How long it lasts.
        frames: Frames in it.
        surgical_frames: Frames that are not black.
        rate: Frames a second, on average.
        width: Pixels.
        height: Pixels.
        p_surgical: Mean over its frames.
        regions: Regions that are painted over, as `curate.exports.formats.tables.REGION`.
    """

    key: str
    name: str
    n: int
    timestamp: float
    seconds: float
    frames: int
    surgical_frames: int
    rate: float
    width: int
    height: int
    p_surgical: float
    regions: tuple[Mapping[str, Any], ...] = ()


class FrameCounts:
    """Counts the frames of a video file as they come.

    Attributes:
        first: The first frame.
        frames: Frames so far.
    """

    def __init__(self) -> None:
        self.first: OutputFrame | None = None
        self.frames = self._shown = 0
        self._p = 0.0

    def add(self, output: OutputFrame) -> None:
        """Count a frame."""
        self.first = self.first or output
        self.frames += 1
        self._shown += output.shown
        self._p += output.segment.p_surgical

    def video_file(self, key: str, name: str, seconds: float, regions: Iterable[Region] = ()) -> VideoFile:
        """The row of the file ``name``, which lasts ``seconds``; it has at least one frame."""
        assert self.first is not None
        height, width = self.first.picture.shape[:2]
        return VideoFile(
            key=key,
            name=name,
            n=self.first.segment.n,
            timestamp=self.first.timestamp,
            seconds=seconds,
            frames=self.frames,
            surgical_frames=self._shown,
            rate=self.frames / seconds,
            width=width,
            height=height,
            p_surgical=self._p / self.frames,
            regions=tuple(region._asdict() for region in regions),
        )


def read_video_files(folder: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Some columns of the table of files, a dict a file.

    Raises:
        BadArtefact: It cannot be read.
    """
    return [dict(zip(columns, row, strict=True)) for row in read_rows(folder / METADATA, columns)]
