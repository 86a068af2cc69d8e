"""Taking over video files from the export that is being replaced, where nothing that made them has changed.

Encoding takes by far the longest of all an export does, and a video's files depend on that video alone. So when videos
come or go, by a purge for example, the files of the others are linked into the new export and not made again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curate.config import MOVED, ExportOptions, format_fields
from curate.errors import BadArtefact, why_of
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.folder import read_record
from curate.exports.disk.previous import PreviousExport, Refused
from curate.exports.formats.making import Making
from curate.exports.formats.tables import METADATA
from curate.exports.formats.video_files import VideoFile
from curate.exports.pixels.render import fill_of
from curate.exports.plan.plan import ELSEWHERE, BrokenVideo, ExportEntry, PlannedVideo
from curate.files.digest import digest, file_sha256
from curate.files.parquet import read_columns
from curate.workspace.tables.frames import read_frame_sizes

_ALWAYS = {
    "crop": "none",
    "outside": "keep",
    "clip_seconds": 10.0,
    "clip_stride": 10.0,
    "clip_rate": 10.0,
    "clip_size": 256,
}
"""Recipes of curate 0.1 had these too, whatever the format: with their defaults, its files are taken over."""


def recipe(video: PlannedVideo, options: ExportOptions, name: str, version: int) -> str:
    """Fingerprint of all that a video's files are made from: its file, verdicts, regions, and the options.

    Args:
        video: The video.
        options: Of the export.
        name: Of the format.
        version: Of the format.

    Raises:
        BrokenVideo: Something of it cannot be read.
    """
    entry = video.entry
    try:
        sizes = [(frame.n, frame.width, frame.height) for frame in read_frame_sizes(entry.frames)]
        parts = {
            "kind": f"{name} {version}",
            "options": _options(options, name),
            "sizes": [list(column) for column in zip(*sizes, strict=True)],
            "files": [file_sha256(path) if path else None for path in _files(entry)],
            **({"private": fill_of(options)} if video.covered and options.fill == "none" else {}),
        }
    except BadArtefact as error:
        raise BrokenVideo.by(video.id, error) from error
    except OSError as error:
        raise BrokenVideo(video.id, f"cannot read its artefacts: {why_of(error)}") from error
    return digest(parts)


def _options(options: ExportOptions, name: str) -> dict[str, Any]:
    """What the options say about a format's video files, under the names that recipes know them by."""
    fields = format_fields(options, name)
    own = fields.pop(name)
    former = {option: word for word, places in MOVED.items() for table, option in places if table == name}
    shared = {word: value for word, value in fields.items() if word not in ELSEWHERE}
    return {**_ALWAYS, **shared, **{former.get(option, option): value for option, value in own.items()}}


def _files(entry: ExportEntry) -> tuple[Path | None, ...]:
    return entry.source_file, entry.verdicts, entry.regions, entry.audit


def take(making: Making, video_id: str, made_by: str) -> Sequence[VideoFile] | None:
    """Link a video's files out of the export that is being replaced into the folder of an attempt.

    Args:
        making: The attempt.
        video_id: Of the video.
        made_by: Its `recipe` today.

    Returns:
        The files; ``None`` if there are none of this recipe.

    Raises:
        Refused: They are not as they were written.
        BadArtefact: Their table cannot be read.
        ValueError: A name leads out of the export.
        OSError: They cannot be linked or copied.
    """
    record = read_record(making.job.final)
    if record is None:
        return None
    wanted = [("video_id", "==", video_id), ("recipe", "==", made_by)]
    said = read_columns(making.job.final / METADATA, filters=wanted).to_pylist()
    stems = {_stem(row["file"]) for row in said}
    names = [name for name in record["files"] if _stem(name) in stems]
    if not said:
        return None
    if not {row["file"] for row in said} <= set(names):
        raise Refused(f"{METADATA} names files that the export does not have")
    source = PreviousExport(making.job.final)
    for name in names:
        new = Path(name).name
        making.summed[new] = facts = FileFacts(record["files"][name]["size"], record["files"][name]["sha256"])
        source.take(name, facts, making.folder / new, making.tick)
    return [_video_file(row) for row in said]


def _video_file(row: dict[str, Any]) -> VideoFile:
    fields = {field.name: row[field.name] for field in dataclasses.fields(VideoFile) if field.name != "name"}
    return VideoFile(**{**fields, "name": Path(row["file"]).name, "regions": tuple(row["regions"])})


def _stem(name: str) -> str:
    return str(Path(name).with_suffix(""))
