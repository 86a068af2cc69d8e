"""Curated videos: one MP4 a video, trimmed and painted over, with LEMON's JSON of every frame beside it.

The trimmed part keeps its time axis whatever ``export.include`` says: frames that may not be shown are black, as in
LEMON's processed videos (visurg-ai/LEMON, ``src/video_processor.py``). Were they cut out, frames that are minutes apart
would stand side by side and look like motion. There is no sound: voices are personal data, and say names.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.config import ExportOptions
from curate.exports.dataset import Dataset
from curate.exports.footage import Footage, Shot
from curate.exports.movies import SUFFIX, Movie, Tally
from curate.exports.plan import BrokenVideo, Plan, PlannedVideo
from curate.exports.shooting import shoot_all
from curate.exports.tables import REGION
from curate.media.h264 import Mp4Writer
from curate.media.select import During
from curate.records import NON_SURGICAL, SURGICAL

VERSION = 1
"""Raised when the bytes written for the same input change."""

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

_ROWS = 10_000


def shoot_videos(dataset: Dataset, folder: Path) -> Plan:
    """Write ``{split}/{id}.mp4`` with ``{id}.json`` and ``{id}.parquet``.

    Args:
        dataset: What to write.
        folder: Existing folder of the export.

    Returns:
        The plan with what was written: frames are those of the files.
    """

    def shoot(video: PlannedVideo, scratch: Path, tick: Callable[[], None]) -> list[Movie]:
        return [_shoot(video, dataset.options, scratch, tick)]

    return shoot_all(dataset, folder, f"video {VERSION}", lambda video: video.split, shoot)


def frame_key(video_id: str, number: int) -> str:
    """LEMON's key of a frame of a curated video."""
    return f"{video_id}-{number}"


def _shoot(video: PlannedVideo, options: ExportOptions, scratch: Path, tick: Callable[[], None]) -> Movie:
    footage = Footage(video, options, short_side=options.short_side)
    begin, end = footage.stretches[0].start, footage.stretches[-1].end
    path = scratch / f"{video.id}{SUFFIX}"
    tally = Tally()
    with (
        Mp4Writer(path, fps=footage.fps, time_base=footage.time_base, crf=options.video_crf) as writer,
        _Account(scratch / video.id, video.id) as account,
    ):
        for shot in footage.shots(During(((begin, end),))):
            tally.first = tally.first or shot
            pts = round(Fraction(shot.timestamp - tally.first.timestamp) / footage.time_base)
            writer.add(shot.picture, pts)
            account.add(shot, float(pts * footage.time_base))
            tally.add(shot)
            tick()
    if not writer.frames:
        raise BrokenVideo(video.id, "its video file has no frame inside the trim")
    return tally.movie(video.id, path.name, float(writer.end * footage.time_base))


class _Account:
    """What is written about the frames of one video, as they come; a context manager.

    Args:
        stem: Path of the files without suffix.
        video_id: Of the video.
    """

    def __init__(self, stem: Path, video_id: str) -> None:
        self._video_id = video_id
        self._json = open(f"{stem}.json", "w", encoding="ascii")  # noqa: SIM115
        self._table = pq.ParquetWriter(f"{stem}.parquet", FRAMES_SCHEMA, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._frames = 0

    def __enter__(self) -> _Account:
        return self

    def __exit__(self, *_: object) -> None:
        with self._json, self._table:
            self._flush()
            self._json.write("\n}\n" if self._frames else "{}\n")

    def add(self, shot: Shot, time: float) -> None:
        """Note a frame that appears after ``time`` seconds."""
        key = frame_key(self._video_id, self._frames)
        boxes = [list(region.box) for region in shot.regions] or None
        words = {"class": SURGICAL if shot.shown else NON_SURGICAL, "boxes": boxes}
        self._json.write((",\n" if self._frames else "{\n") + f"{json.dumps(key)}: {json.dumps(words)}")
        self._rows.append(
            {
                "key": key,
                "time": time,
                "timestamp": shot.timestamp,
                "source_index": shot.source_index,
                "n": shot.stretch.n,
                "p_surgical": shot.stretch.p_surgical,
                "verdict": shot.stretch.verdict,
                "shown": shot.shown,
                "regions": [dataclasses.asdict(region) for region in shot.regions],
            }
        )
        self._frames += 1
        if len(self._rows) == _ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._table.write_table(pa.Table.from_pylist(self._rows, FRAMES_SCHEMA))
            self._rows = []
