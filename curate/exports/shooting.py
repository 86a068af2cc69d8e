"""Writing the files of many videos: one video a thread, each whole or not at all, and counted afterwards."""

from __future__ import annotations

import dataclasses
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.exports.classes import class_names, class_of
from curate.exports.dataset import Dataset
from curate.exports.movies import CLASSES, METADATA, MOVIE_SCHEMA, Movie
from curate.exports.plan import BrokenVideo, Plan, PlannedVideo
from curate.exports.reuse import Previous, recipe
from curate.exports.staging import Portion
from curate.exports.tables import made_with
from curate.files.machine import usable_cores

Shoot = Callable[[PlannedVideo, Path, Callable[[], None]], Sequence[Movie]]
"""Writes the files of a video into an empty folder, calling back for each frame; raises `BrokenVideo`."""


@dataclass(frozen=True)
class _Made:
    """What came of one video: its files, or why there are none."""

    movies: Sequence[Movie] = ()
    recipe: str = ""
    broken: str = ""

    def portion(self, video: PlannedVideo) -> Portion:
        """What the journal keeps of it."""
        movies = [dataclasses.asdict(movie) for movie in self.movies]
        frames = sum(movie.frames for movie in self.movies)
        return Portion(video.id, frames, {"recipe": self.recipe, "movies": movies})

    @classmethod
    def of(cls, portion: Portion) -> _Made:
        """What an export that was killed has made of a video."""
        movies = [Movie(**{**row, "regions": tuple(row["regions"])}) for row in portion.facts["movies"]]
        return cls(movies, portion.facts["recipe"])


class _Stopped(Exception):
    """The export ends for another reason."""


def shoot_all(dataset: Dataset, folder: Path, kind: str, place: Callable[[PlannedVideo], str], shoot: Shoot) -> Plan:
    """Write the files of all videos, as many videos at a time as there are cores, and their table.

    A video takes minutes to hours to write, so one that turns out to be broken is left out here and now, one that a
    killed export finished is not made again, and one of which nothing has changed is taken over from the export that is
    being replaced.

    Args:
        dataset: What to write.
        folder: Existing folder of the export.
        kind: Format and its version.
        place: Folder of a video's files, relative to the export.
        shoot: Writes one video.

    Returns:
        The plan with the frames and seconds that were really written, without videos that gave none.
    """
    videos = [video for split in dataset.plan.splits().values() for video in split]
    labels = {name: label for label, name in enumerate(class_names(dataset.plan))}
    (folder / CLASSES).write_text("".join(f"{name}\n" for name in labels), encoding="ascii")
    previous = Previous(dataset.previous)
    finished = {portion.part: _Made.of(portion) for portion in dataset.staging.portions}
    lock, stop = threading.Lock(), threading.Event()

    def tick() -> None:
        if stop.is_set():
            raise _Stopped
        with lock:
            dataset.on_frame()

    def one(video: PlannedVideo) -> _Made:
        if (there := finished.get(video.id)) is not None:
            return there
        scratch = folder / f".{video.id}"
        scratch.mkdir()
        try:
            made_by = recipe(video, dataset.options, kind)
            movies = previous.take(video.id, made_by, scratch)
            for _ in range(sum(movie.frames for movie in movies or ())):
                tick()
            if movies is None:
                movies = shoot(video, scratch, tick)
            target = folder / place(video)
            target.mkdir(parents=True, exist_ok=True)
            names = sorted(path.name for path in scratch.iterdir())
            for name in names:
                os.replace(scratch / name, target / name)
        except BrokenVideo as error:
            return _Made(broken=str(error))
        finally:
            shutil.rmtree(scratch)
        made = _Made(movies, made_by)
        files = {f"{place(video)}/{name}": dataset.staging.checksums.now(target / name) for name in names}
        dataset.staging.finished(made.portion(video), (), files)
        return made

    written: dict[str, _Made] = {}
    schema = MOVIE_SCHEMA.with_metadata(made_with(dataset))
    with (
        pq.ParquetWriter(folder / METADATA, schema, compression="zstd") as table,
        ThreadPoolExecutor(usable_cores()) as pool,
    ):
        futures = [pool.submit(one, video) for video in videos]
        try:
            for video, future in zip(videos, futures, strict=True):
                written[video.id] = made = future.result()
                if made.movies:
                    rows = [_row(video, movie, place(video), labels, made.recipe) for movie in made.movies]
                    table.write_table(pa.Table.from_pylist(rows, schema))
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise
    return _as_written(dataset.plan, written)


def _row(video: PlannedVideo, movie: Movie, place: str, labels: Mapping[str, int], made_by: str) -> dict[str, Any]:
    """The row of a file, as `MOVIE_SCHEMA`."""
    fields = {field.name: getattr(movie, field.name) for field in dataclasses.fields(movie) if field.name != "name"}
    return fields | {
        "video_id": video.id,
        "file": f"{place}/{movie.name}",
        "label": labels[class_of(video)],
        "title": video.title,
        "source": video.source,
        "procedures": list(video.entry.video.procedures),
        "domain": video.entry.video.domain,
        "robotic": video.entry.video.robotic,
        "split": video.split,
        "licence": video.licence,
        "recipe": made_by,
    }


def _as_written(plan: Plan, written: Mapping[str, _Made]) -> Plan:
    videos, left_out, without_frames = [], dict(plan.left_out), list(plan.without_frames)
    for video in plan.videos:
        made = written[video.id]
        if made.broken:
            left_out[video.id] = made.broken
        elif made.movies:
            frames, seconds = sum(movie.frames for movie in made.movies), sum(movie.seconds for movie in made.movies)
            videos.append(dataclasses.replace(video, frames=frames, seconds=seconds))
        else:
            without_frames.append(video.id)
    return Plan(tuple(videos), left_out, tuple(without_frames), plan.audit)
