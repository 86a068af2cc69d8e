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

from curate.exports.disk.staging import Chunk
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.reuse import Previous, recipe
from curate.exports.formats.tables import METADATA, made_with
from curate.exports.formats.video_files import CLASSES, VIDEO_FILE_SCHEMA, VideoFile
from curate.exports.plan.classes import class_names, class_of
from curate.exports.plan.plan import BrokenVideo, Plan, PlannedVideo
from curate.files.machine import usable_cores
from curate.files.parquet import RowWriter

EncodeVideo = Callable[[PlannedVideo, Path, Callable[[], None]], Sequence[VideoFile]]
"""Writes the files of a video into an empty folder, calling back for each frame; raises `BrokenVideo`."""


@dataclass(frozen=True)
class _EncodedVideo:
    """What came of one video: its files, or why there are none."""

    video_files: Sequence[VideoFile] = ()
    recipe: str = ""
    broken: str = ""

    def chunk(self, video: PlannedVideo) -> Chunk:
        """What the journal keeps of it."""
        video_files = [dataclasses.asdict(video_file) for video_file in self.video_files]
        frames = sum(video_file.frames for video_file in self.video_files)
        return Chunk(video.id, frames, {"recipe": self.recipe, "video_files": video_files})

    @classmethod
    def of(cls, chunk: Chunk) -> _EncodedVideo:
        """What an export that was killed has made of a video."""
        video_files = [VideoFile(**{**row, "regions": tuple(row["regions"])}) for row in chunk.facts["video_files"]]
        return cls(video_files, chunk.facts["recipe"])


class _Stopped(Exception):
    """The export ends for another reason."""


def encode_all(
    dataset: Dataset, folder: Path, version: int, place: Callable[[PlannedVideo], str], encode: EncodeVideo
) -> Plan:
    """Write the files of all videos, as many videos at a time as there are cores, and their table.

    A video takes minutes to hours to write, so one that turns out to be broken is left out here and now, one that a
    killed export finished is not made again, and one of which nothing has changed is taken over from the export that is
    being replaced.

    Args:
        dataset: What to write.
        folder: Existing folder of the export.
        version: Of the format.
        place: Folder of a video's files, relative to the export.
        encode: Writes one video.

    Returns:
        The plan with the frames and seconds that were really written, without videos that gave none.
    """
    videos = [video for split in dataset.plan.splits().values() for video in split]
    labels = {name: label for label, name in enumerate(class_names(dataset.plan))}
    (folder / CLASSES).write_text("".join(f"{name}\n" for name in labels), encoding="ascii")
    previous = Previous(dataset.previous)
    finished = {chunk.part: _EncodedVideo.of(chunk) for chunk in dataset.staging.chunks}
    lock, stop = threading.Lock(), threading.Event()

    def tick() -> None:
        if stop.is_set():
            raise _Stopped
        with lock:
            dataset.on_frame()

    def one(video: PlannedVideo) -> _EncodedVideo:
        if (there := finished.get(video.id)) is not None:
            return there
        scratch = folder / f".{video.id}"
        scratch.mkdir()
        try:
            made_by = recipe(video, dataset.options, dataset.format, version)
            video_files = previous.take(video.id, made_by, scratch)
            for _ in range(sum(video_file.frames for video_file in video_files or ())):
                tick()
            if video_files is None:
                video_files = encode(video, scratch, tick)
            target = folder / place(video)
            target.mkdir(parents=True, exist_ok=True)
            names = sorted(path.name for path in scratch.iterdir())
            for name in names:
                os.replace(scratch / name, target / name)
        except BrokenVideo as error:
            return _EncodedVideo(broken=str(error))
        finally:
            shutil.rmtree(scratch)
        made = _EncodedVideo(video_files, made_by)
        files = {f"{place(video)}/{name}": dataset.staging.checksums.now(target / name) for name in names}
        dataset.staging.finished(made.chunk(video), (), files)
        return made

    written: dict[str, _EncodedVideo] = {}
    schema = VIDEO_FILE_SCHEMA.with_metadata(made_with(dataset))
    with (
        RowWriter(folder / METADATA, schema) as table,
        ThreadPoolExecutor(usable_cores()) as pool,
    ):
        futures = [pool.submit(one, video) for video in videos]
        try:
            for video, future in zip(videos, futures, strict=True):
                written[video.id] = made = future.result()
                if made.video_files:
                    rows = [
                        _row(video, video_file, place(video), labels, made.recipe) for video_file in made.video_files
                    ]
                    table.add_group(pa.Table.from_pylist(rows, schema))
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise
    return _as_written(dataset.plan, written)


def _row(
    video: PlannedVideo, video_file: VideoFile, place: str, labels: Mapping[str, int], made_by: str
) -> dict[str, Any]:
    """The row of a file, as `VIDEO_FILE_SCHEMA`."""
    fields = {
        field.name: getattr(video_file, field.name) for field in dataclasses.fields(video_file) if field.name != "name"
    }
    return fields | {
        "video_id": video.id,
        "file": f"{place}/{video_file.name}",
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


def _as_written(plan: Plan, written: Mapping[str, _EncodedVideo]) -> Plan:
    videos, left_out, without_frames = [], dict(plan.left_out), list(plan.without_frames)
    for video in plan.videos:
        made = written[video.id]
        if made.broken:
            left_out[video.id] = made.broken
        elif made.video_files:
            frames, seconds = (
                sum(video_file.frames for video_file in made.video_files),
                sum(video_file.seconds for video_file in made.video_files),
            )
            videos.append(dataclasses.replace(video, frames=frames, seconds=seconds))
        else:
            without_frames.append(video.id)
    return Plan(tuple(videos), left_out, tuple(without_frames), plan.audit)
