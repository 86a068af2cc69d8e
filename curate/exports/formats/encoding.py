"""Writing video files from the source videos: a video is a shard, each whole or not at all, and counted afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.config import ExportOptions
from curate.corpus.classes import class_of
from curate.exports.disk.staging import ShardRecord
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.finished import FinishedShard
from curate.exports.formats.making import Making
from curate.exports.formats.reuse import recipe, take
from curate.exports.formats.tables import METADATA, made_with
from curate.exports.formats.taking import try_taking
from curate.exports.formats.video_files import VIDEO_FILE_SCHEMA, VideoFile
from curate.exports.plan.classes import CLASSES, classes_text
from curate.exports.plan.plan import Plan, PlannedVideo
from curate.exports.plan.shards import Shard, by_video
from curate.files.parquet import RowWriter

EncodeVideo = Callable[[PlannedVideo, Path, Callable[[], None]], Sequence[VideoFile]]
"""Writes the files of a video into an empty folder, calling back for each frame; raises `BrokenVideo`."""


def shards(plan: Plan, options: ExportOptions) -> list[Shard]:
    """A shard a video."""
    return by_video(plan)


def encode_shard(making: Making, version: int, encode: EncodeVideo) -> dict[str, Any]:
    """Write the files of a video; those of which nothing has changed are taken over from the export that is replaced.

    Args:
        making: What to write.
        version: Of the video files of the format.
        encode: Writes a video.

    Returns:
        What is told of the files, and what they were made from.

    Raises:
        BrokenVideo: The video cannot be read.
    """
    (span,) = making.job.shard.spans
    made_by = recipe(span.video, making.job.options, making.job.format, version)
    found = try_taking(making, lambda: take(making, span.video.id, made_by))
    if found is None:
        found = encode(span.video, making.folder, making.tick)
    return {"recipe": made_by, "video_files": [dataclasses.asdict(video_file) for video_file in found]}


def holds(finished: FinishedShard, *, beside: Sequence[str] = ()) -> bool:
    """Whether a shard that is staged is one that `encode_shard` would leave.

    Args:
        finished: The shard.
        beside: Suffixes of the files beside each video file.
    """
    names = [video_file.name for video_file in _video_files(finished.record)]
    others = (str(Path(name).with_suffix(suffix)) for name in names for suffix in beside)
    return isinstance(finished.record.facts["recipe"], str) and finished.has_files(*names, *others)


def assemble(dataset: Dataset, folder: Path, place: Callable[[PlannedVideo], str]) -> Plan:
    """Put the files of all videos into the export, and write their table.

    Args:
        dataset: With its shards.
        folder: Of the export.
        place: Folder of a video's files, relative to the export.

    Returns:
        The plan with the frames and seconds that were really written, without videos that gave none.
    """
    (folder / CLASSES).write_text(classes_text(dataset.labels), encoding="utf-8")
    schema = VIDEO_FILE_SCHEMA.with_metadata(made_with(dataset.context))
    written: dict[str, list[VideoFile]] = {}
    with RowWriter(folder / METADATA, schema) as table:
        for made in dataset.shards:
            video = made.shard.spans[0].video
            written[video.id] = video_files = _video_files(made.record)
            for name in made.record.files:
                dataset.place(made, name, folder, f"{place(video)}/{name}")
            if video_files:
                made_by = str(made.record.facts["recipe"])
                rows = [_row(video, video_file, place(video), dataset.labels, made_by) for video_file in video_files]
                table.add_group(pa.Table.from_pylist(rows, schema))
    return _as_written(dataset.plan, written)


def _video_files(record: ShardRecord) -> list[VideoFile]:
    return [VideoFile(**{**row, "regions": tuple(row["regions"])}) for row in record.facts["video_files"]]


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


def _as_written(plan: Plan, written: Mapping[str, Sequence[VideoFile]]) -> Plan:
    videos, without_frames = [], list(plan.without_frames)
    for video in plan.videos:
        if video_files := written[video.id]:
            frames = sum(video_file.frames for video_file in video_files)
            seconds = sum(video_file.seconds for video_file in video_files)
            videos.append(dataclasses.replace(video, frames=frames, seconds=seconds))
        else:
            without_frames.append(video.id)
    return dataclasses.replace(plan, videos=tuple(videos), without_frames=tuple(without_frames))
