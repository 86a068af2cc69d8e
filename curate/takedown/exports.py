"""Writing a workspace's exports again without the videos that were purged from it."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curate import config
from curate.config import ExportOptions, with_tables
from curate.engine import make_engine
from curate.errors import BadArtefact, CurateError
from curate.exports import ExportEntry, export_dataset
from curate.exports.disk.folder import RECORD, read_record, recover
from curate.exports.exporter import FORMATS, Crew
from curate.exports.formats.video_files import VIDEO_FORMATS
from curate.exports.reading.contents import videos_in
from curate.files.atomic import clear
from curate.manifests.opt_out import OptOuts
from curate.records import Video
from curate.run.deduplicate import Repeats, find_repeats
from curate.run.export_work import EngineCrew
from curate.run.pipeline import Pipeline
from curate.run.placing import numbered_classes
from curate.run.session import export_context, export_entry, place_videos
from curate.run.survivors import about_workspace
from curate.workspace.ledger import read_ledger
from curate.workspace.seals import DamagedArtefact

_READ = ("sample", "trim", "mask")
"""Stages whose artefacts an export reads; the formats of videos read the downloaded file too."""

_MANY = 200
"""Videos of an export from which on worker processes write it."""

State = Literal["written", "removed", "kept"]


@dataclass(frozen=True)
class Rewritten:
    """What became of an export.

    Attributes:
        folder: Where it is, or was.
        state: ``written`` without the videos; ``removed``, since nothing else was in it or it cannot be written again;
            ``kept``, with the videos, since the others would be lost.
        why: What is in it now, or why it was removed or kept, in words.
        videos: Ids of the purged videos that it held.
    """

    folder: Path
    state: State
    why: str
    videos: tuple[str, ...] = ()


class ExportPurge:
    """Takes videos out of all exports of a workspace.

    A shard cannot be trusted to forget a video that is cut out of it: LMDB keeps the bytes of deleted pages, and
    indexes, tables and cards speak of it too. So every export in which it stands is written again, with the options
    that its ``export.json`` tells, whatever they and the weights are today: shards that hold none of its frames are
    taken over, all others are made from the artefacts of the other videos.

    Args:
        pipeline: Of the workspace, over the videos that stay.
        purged: What must not be in any export.
        progress: Called as ``progress(format, frames)``.
        lock: File that worker processes hold; without one, and for few videos, there are none.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        purged: OptOuts,
        progress: Callable[[str, int], None] | None = None,
        lock: Path | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.purged = purged
        self.progress = progress
        self._lock = lock
        self._records = read_ledger(pipeline.workspace.ledger_folder)
        self._complete = {video.id for video in pipeline.complete()}

    def run(self) -> list[Rewritten]:
        """Write or remove each export that holds a purged video; those that hold none are left untouched."""
        root = self.pipeline.workspace.exports_folder
        if not root.is_dir():
            return []
        for leftover in sorted(root.glob(".*")):
            if leftover.suffix in (".tmp", ".old"):
                recover(root / leftover.stem[1:])
        found = []
        for folder in sorted(path for path in root.iterdir() if path.is_dir()):
            record = read_record(folder)
            if record is None and not _looks_like_export(folder):
                continue
            if done := self._purge(folder, record):
                found.append(done)
        return found

    def _purge(self, folder: Path, record: Mapping[str, Any] | None) -> Rewritten | None:
        if record is None:
            return Rewritten(folder, "kept", f"its {RECORD} is missing or damaged; delete the folder and export again")
        try:
            shown = videos_in(folder)
            inside = dict.fromkeys(
                [*shown, *record.get("without_frames", ()), *record["left_out"], *record.get("aside", ())]
            )
        except BadArtefact as error:
            return Rewritten(folder, "kept", f"it cannot be read ({error.why}); delete it and purge again")
        except TypeError as error:
            return Rewritten(folder, "kept", f"it cannot be read ({error}); delete it and purge again")
        purged = tuple(video for video in inside if video in self.purged.ids)
        if not purged:
            return None
        state, why = self._without(folder, record, [video for video in shown if video not in self.purged.ids])
        return Rewritten(folder, state, why, purged)

    def _without(self, folder: Path, record: Mapping[str, Any], left: list[str]) -> tuple[State, str]:
        """Write an export again with the videos ``left``; returns what came of it, and why."""
        name = record["format"]
        if folder.name != name:
            return "kept", f"it was renamed, curate writes {name!r} only to a folder of that name; delete it"
        if not left:
            return _remove(folder, "it held nothing else")
        if name not in FORMATS:
            return _remove(folder, f"this curate cannot write the format {name!r}")
        try:
            options = config.build(ExportOptions, with_tables(record["options"])[0], f"{folder}/export.json")
        except (CurateError, KeyError, TypeError, AttributeError) as error:
            return _remove(folder, f"its options are of another version of curate ({error}); export again")
        options = dataclasses.replace(options, formats=(name,), splits=self.pipeline.config.export.splits)
        inside = {*left, *_silent(record)}
        stages = ("download", *_READ) if name in VIDEO_FORMATS else _READ
        videos = [video for video in self.pipeline.videos if video.id in inside and self._has(video, stages)]
        try:
            placed = place_videos(self.pipeline, videos, options)
            enabled = self.pipeline.config.dedup.enabled
            repeats = find_repeats(self.pipeline, videos) if enabled else Repeats()
        except CurateError as error:
            return "kept", str(error)
        entries = [export_entry(self.pipeline, video, placed, repeats) for video in videos]
        gone = sorted(set(left) - {entry.video.id for entry in entries})
        if gone:
            return "kept", (
                f"{len(gone)} other videos in it, such as {gone[0]}, would be lost: they have no artefacts any more; "
                "make them again with 'curate run', or delete the export, and purge again"
            )
        return self._write(folder, record, options, entries, videos)

    def _crew(self, videos: int) -> Crew | None:
        """Who writes an export of so many videos: workers, if it takes longer than starting them; else this process."""
        if self._lock is None or videos < _MANY:
            return None
        make = functools.partial(make_engine, self.pipeline.config.engine, self.pipeline.workspace.root)
        return EngineCrew(functools.partial(make, lock=self._lock))

    def _has(self, video: Video, stages: Sequence[str]) -> bool:
        """Whether a video has the artefacts of some stages, whatever options made them."""
        for stage in stages:
            record = self._records.get((video.id, stage))
            if record is None or record.last.outcome != "done" or not self.pipeline.artefact(video, stage).exists():
                return False
        return True

    def _write(
        self,
        folder: Path,
        record: Mapping[str, Any],
        options: ExportOptions,
        entries: list[ExportEntry],
        videos: list[Video],
    ) -> tuple[State, str]:
        complete = all(video.id in self._complete for video in videos)
        context = export_context(self.pipeline) if complete else record["made_with"]
        try:
            classes = numbered_classes(self.pipeline.workspace, self.pipeline.videos)
            (made,) = export_dataset(
                entries,
                options,
                folder.parent,
                context=context,
                progress=self.progress,
                classes=classes,
                about=about_workspace(self.pipeline),
                crew=self._crew(len(entries)),
            ).formats
        except DamagedArtefact as error:
            self.pipeline.send_back_damaged(videos)
            return "kept", f"{error}; then purge again"
        except CurateError as error:
            return "kept", str(error)
        why = f"{made.frames} frames of {made.videos} videos"
        if made.left_out:
            why += f"; left out, since they cannot be read: {', '.join(made.left_out)}"
        return "written", why


def _silent(record: Mapping[str, Any]) -> list[str]:
    """Ids that an export's record names although nothing of these videos is in it."""
    return [*record.get("without_frames", ()), *record["left_out"], *record.get("aside", ())]


def _looks_like_export(folder: Path) -> bool:
    """Whether a folder without a record may be what is left of an export, and not something of the user's own."""
    return folder.name in FORMATS or (folder / "videos.parquet").exists() or (folder / RECORD).exists()


def _remove(folder: Path, why: str) -> tuple[State, str]:
    """Remove an export so that a kill in the middle leaves what `recover` clears up."""
    doomed = folder.with_name(f".{folder.name}.tmp")
    clear(doomed)
    os.replace(folder, doomed)
    clear(doomed)
    return "removed", why
