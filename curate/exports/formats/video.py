"""Curated videos: one MP4 a video, trimmed and painted over, with LEMON's JSON of every frame beside it.

The trimmed part keeps its time axis whatever ``export.include`` says: frames that may not be shown are black, as in
LEMON's processed videos (visurg-ai/LEMON, ``src/video_processor.py``). Were they cut out, frames that are minutes apart
would stand side by side and look like motion. There is no sound: voices are personal data, and say names.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from curate.config import ExportOptions
from curate.exports.formats import encoding
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.finished import FinishedShard
from curate.exports.formats.making import Making
from curate.exports.formats.tables import REGION
from curate.exports.formats.video_files import SUFFIX, FrameCounts, VideoFile
from curate.exports.plan.plan import BrokenVideo, Plan, PlannedVideo
from curate.files.parquet import RowWriter, open_parquet
from curate.records import NON_SURGICAL, SURGICAL

if TYPE_CHECKING:
    from curate.exports.pixels.source_video import OutputFrame

VERSION = 2
"""Raised when the bytes written for the same input change."""

_TABLE = ".parquet"

_FILES = 1
"""The same for the video files alone."""

READING = (
    "`{split}/{{video_id}}.mp4` is the trimmed part of each video at its own frame rate, without sound: H.264, 4:2:0, "
    "the index at the front. What is not surgery is black and keeps its time. Beside each video `{{video_id}}.json` is "
    "LEMON's list with one entry a frame, `{{video_id}}-{{n}}` with `class` and `boxes` (painted over, in pixels; null "
    "where there are none), and `{{video_id}}.parquet` tells for each frame its time here and in the source video, the "
    "sample that speaks for it, and its regions. `metadata.parquet` has one row a video.\n\n"
    "```python\n"
    "import json, av\n\n"
    'with av.open("{split}/VIDEO.mp4") as video, open("{split}/VIDEO.json") as words:\n'
    "    for frame, (key, said) in zip(video.decode(video=0), json.load(words).items()):\n"
    '        image = frame.to_ndarray(format="rgb24")\n'
    "```"
)

FRAMES_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("time", pa.float64()),
        ("timestamp", pa.float64()),
        ("source_index", pa.int64()),
        ("n", pa.int32()),
        ("p_surgical", pa.float32()),
        ("verdict", pa.string()),
        ("shown", pa.bool_()),
        ("regions", pa.list_(REGION)),
    ]
)
"""``{video_id}.parquet``, one row a frame: ``time`` in seconds in the curated video, ``timestamp`` in the source video,
``source_index`` in presentation order there; ``n`` the sample that speaks for the frame, with its ``p_surgical`` and
``verdict``; ``shown`` is false for black frames."""


def encode_video(making: Making) -> dict[str, Any]:
    """Write ``{id}.mp4`` with ``{id}.json`` and ``{id}.parquet``.

    Args:
        making: The video to write.

    Returns:
        What was written.

    Raises:
        BrokenVideo: The video cannot be read.
    """

    def encode(video: PlannedVideo, folder: Path, tick: Callable[[], None]) -> list[VideoFile]:
        return [_encode(video, making.job.options, folder, tick)]

    return encoding.encode_shard(making, _FILES, encode)


def holds(finished: FinishedShard) -> bool:
    """Whether a shard that is staged is one that `encode_video` would leave."""
    if not encoding.holds(finished, beside=(".json", _TABLE)):
        return False
    for name in finished.record.files:
        if name.endswith(_TABLE):
            with open_parquet(finished.folder / name) as table:
                if table.schema_arrow != FRAMES_SCHEMA:
                    return False
    return True


def assemble_videos(dataset: Dataset, folder: Path) -> tuple[Plan, dict[str, Any]]:
    """Put the videos into ``{split}/``.

    Args:
        dataset: With its shards.
        folder: Of the export.

    Returns:
        The plan with what was written: frames are those of the files; and nothing to add to ``export.json``.
    """
    return encoding.assemble(dataset, folder, lambda video: video.split), {}


def frame_key(video_id: str, number: int) -> str:
    """LEMON's key of a frame of a curated video."""
    return f"{video_id}-{number}"


def _encode(video: PlannedVideo, options: ExportOptions, scratch: Path, tick: Callable[[], None]) -> VideoFile:
    from curate.exports.pixels.source_video import SourceVideo  # not at the top: shards of pictures need no decoder
    from curate.media.mp4 import Mp4Writer
    from curate.media.select import During

    source = SourceVideo(video, options, short_side=options.short_side)
    begin, end = source.segments[0].start, source.segments[-1].end
    path = scratch / f"{video.id}{SUFFIX}"
    tally = FrameCounts()
    with (
        Mp4Writer(path, fps=source.fps, time_base=source.time_base, crf=options.video.crf) as writer,
        _FrameRecords(scratch / video.id, video.id) as record,
    ):
        for output in source.output_frames(During(((begin, end),))):
            tally.first = tally.first or output
            pts = round(Fraction(output.timestamp - tally.first.timestamp) / source.time_base)
            writer.add(output.picture, pts)
            record.add(output, float(pts * source.time_base))
            tally.add(output)
            tick()
    if not writer.frames:
        raise BrokenVideo(video.id, "its video file has no frame inside the trim")
    return tally.video_file(video.id, path.name, float(writer.end * source.time_base))


class _FrameRecords:
    """What is written about the frames of one video, as they come; a context manager.

    Args:
        stem: Path of the files without suffix.
        video_id: Of the video.
    """

    def __init__(self, stem: Path, video_id: str) -> None:
        self._video_id = video_id
        self._json = open(f"{stem}.json", "w", encoding="ascii")  # noqa: SIM115
        self._table = RowWriter(f"{stem}{_TABLE}", FRAMES_SCHEMA)
        self._frames = 0

    def __enter__(self) -> _FrameRecords:
        return self

    def __exit__(self, *_: object) -> None:
        with self._json, self._table:
            self._json.write("\n}\n" if self._frames else "{}\n")

    def add(self, output: OutputFrame, time: float) -> None:
        """Note a frame that appears after ``time`` seconds."""
        key = frame_key(self._video_id, self._frames)
        boxes = [list(region.box) for region in output.regions] or None
        words = {"class": SURGICAL if output.shown else NON_SURGICAL, "boxes": boxes}
        self._json.write((",\n" if self._frames else "{\n") + f"{json.dumps(key)}: {json.dumps(words)}")
        self._table.add(
            {
                "key": key,
                "time": time,
                "timestamp": output.timestamp,
                "source_index": output.source_index,
                "n": output.segment.n,
                "p_surgical": output.segment.p_surgical,
                "verdict": output.segment.verdict,
                "shown": output.shown,
                "regions": [region._asdict() for region in output.regions],
            }
        )
        self._frames += 1
