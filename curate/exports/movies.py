"""What the formats of video files share: one video at a time a thread, a row a file, and counts taken afterwards."""

from __future__ import annotations

import dataclasses
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.exports.classes import class_names, class_of
from curate.exports.dataset import Dataset
from curate.exports.footage import Shot
from curate.exports.frames import Region
from curate.exports.plan import BrokenVideo, Plan, PlannedVideo
from curate.exports.tables import REGION, made_with

MOVIES = frozenset({"video", "clips"})
"""Formats whose files are videos."""

SUFFIX = ".mp4"
"""Of every video file."""

METADATA = "metadata.parquet"
"""One row a video file."""

CLASSES = "classes.txt"
"""Names of the procedures, one a line; labels count the lines from 0."""

MOVIE_SCHEMA = pa.schema(
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
    ]
)
"""``file`` is relative to the export; ``label`` is the line of its procedure in `CLASSES`, from 0. ``n`` and
``timestamp`` are the sample and the seconds in the source video at which the file begins, ``seconds`` is how long it
lasts. ``surgical_frames`` are not black. ``p_surgical`` is the mean over the frames. ``regions`` are the distinct ones
that are painted over in any frame of a clip, in pixels; those of curated videos are told frame by frame elsewhere."""


@dataclass(frozen=True)
class Movie:
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
        regions: Regions that are painted over, as `curate.exports.tables.REGION`.
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


class Tally:
    """Counts the frames of a video file as they come.

    Attributes:
        first: The first frame.
        frames: Frames so far.
    """

    def __init__(self) -> None:
        self.first: Shot | None = None
        self.frames = self._shown = 0
        self._p = 0.0

    def add(self, shot: Shot) -> None:
        """Count a frame."""
        self.first = self.first or shot
        self.frames += 1
        self._shown += shot.shown
        self._p += shot.stretch.p_surgical

    def movie(self, key: str, name: str, seconds: float, regions: Iterable[Region] = ()) -> Movie:
        """The row of the file ``name``, which lasts ``seconds``; it has at least one frame."""
        assert self.first is not None
        height, width = self.first.picture.shape[:2]
        return Movie(
            key=key,
            name=name,
            n=self.first.stretch.n,
            timestamp=self.first.timestamp,
            seconds=seconds,
            frames=self.frames,
            surgical_frames=self._shown,
            rate=self.frames / seconds,
            width=width,
            height=height,
            p_surgical=self._p / self.frames,
            regions=tuple(dataclasses.asdict(region) for region in regions),
        )


Shoot = Callable[[PlannedVideo, Path, Callable[[], None]], Sequence[Movie]]
"""Writes the files of a video into an empty folder, calling back for each frame; raises `BrokenVideo`."""


class _Stopped(Exception):
    """The export ends for another reason."""


def shoot_all(dataset: Dataset, folder: Path, place: Callable[[PlannedVideo], str], shoot: Shoot) -> Plan:
    """Write the files of all videos, as many videos at a time as there are cores, and their table.

    A video takes minutes to hours to write, so one that turns out to be broken is left out here and now.

    Args:
        dataset: What to write.
        folder: Existing folder of the export.
        place: Folder of a video's files, relative to the export.
        shoot: Writes one video.

    Returns:
        The plan with the frames and seconds that were really written, without videos that gave none.
    """
    videos = [video for split in dataset.plan.splits().values() for video in split]
    labels = {name: label for label, name in enumerate(class_names(dataset.plan))}
    (folder / CLASSES).write_text("".join(f"{name}\n" for name in labels), encoding="ascii")
    lock, stop = threading.Lock(), threading.Event()

    def tick() -> None:
        if stop.is_set():
            raise _Stopped
        with lock:
            dataset.on_frame()

    def one(video: PlannedVideo) -> Sequence[Movie] | BrokenVideo:
        scratch = folder / f".{video.id}"
        scratch.mkdir()
        try:
            movies = shoot(video, scratch, tick)
        except BrokenVideo as error:
            return error
        else:
            target = folder / place(video)
            target.mkdir(parents=True, exist_ok=True)
            for path in sorted(scratch.iterdir()):
                os.replace(path, target / path.name)
            return movies
        finally:
            shutil.rmtree(scratch)

    written: dict[str, Sequence[Movie] | BrokenVideo] = {}
    schema = MOVIE_SCHEMA.with_metadata(made_with(dataset))
    with (
        pq.ParquetWriter(folder / METADATA, schema, compression="zstd") as table,
        ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool,
    ):
        futures = [pool.submit(one, video) for video in videos]
        try:
            for video, future in zip(videos, futures, strict=True):
                written[video.id] = made = future.result()
                if not isinstance(made, BrokenVideo) and made:
                    rows = [_row(video, movie, f"{place(video)}/{movie.name}", labels) for movie in made]
                    table.write_table(pa.Table.from_pylist(rows, schema))
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise
    return _as_written(dataset.plan, written)


def read_rows(folder: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Some columns of the table of files, a dict a file."""
    rows: list[dict[str, Any]] = pq.read_table(folder / METADATA, columns=list(columns), use_threads=False).to_pylist()
    return rows


def _row(video: PlannedVideo, movie: Movie, file: str, labels: Mapping[str, int]) -> dict[str, Any]:
    fields = {field.name: getattr(movie, field.name) for field in dataclasses.fields(movie) if field.name != "name"}
    return fields | {
        "video_id": video.id,
        "file": file,
        "label": labels[class_of(video)],
        "title": video.title,
        "source": video.source,
        "procedures": list(video.entry.video.procedures),
        "domain": video.entry.video.domain,
        "robotic": video.entry.video.robotic,
        "split": video.split,
        "licence": video.licence,
        "regions": list(movie.regions),
    }


def _as_written(plan: Plan, written: Mapping[str, Sequence[Movie] | BrokenVideo]) -> Plan:
    videos, left_out, without_frames = [], dict(plan.left_out), list(plan.without_frames)
    for video in plan.videos:
        made = written[video.id]
        if isinstance(made, BrokenVideo):
            left_out[video.id] = str(made)
        elif made:
            frames, seconds = sum(movie.frames for movie in made), sum(movie.seconds for movie in made)
            videos.append(dataclasses.replace(video, frames=frames, seconds=seconds))
        else:
            without_frames.append(video.id)
    return Plan(tuple(videos), left_out, tuple(without_frames))
