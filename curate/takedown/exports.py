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
from curate.exports import ExportEntry, ExportSummary, export_dataset
from curate.exports.disk.folder import RECORD, read_record, recover
from curate.exports.exporter import FORMATS, Crew, FormatSummary
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
        done: dict[Path, Rewritten] = {}
        held: list[_Held] = []
        for folder in sorted(path for path in root.iterdir() if path.is_dir()):
            record = read_record(folder)
            if record is None and not _looks_like_export(folder):
                continue
            found = self._look_at(folder, record)
            if isinstance(found, _Held):
                held.append(found)
            elif found is not None:
                done[folder] = found
        for group in _grouped(held):
            done |= {one.folder: Rewritten(one.folder, *what, one.purged) for one, what in self._rewrite(group)}
        return [done[folder] for folder in sorted(done)]

    def _look_at(self, folder: Path, record: Mapping[str, Any] | None) -> Rewritten | _Held | None:
        """What is to be done about an export, or has been done."""
        if record is None:
            return Rewritten(folder, "kept", f"its {RECORD} is missing or damaged; delete the folder and export again")
        try:
            shown = videos_in(folder)
            silent = [*record.get("without_frames", ()), *record["left_out"], *record.get("aside", ())]
            inside = dict.fromkeys([*shown, *silent])
        except BadArtefact as error:
            return Rewritten(folder, "kept", f"it cannot be read ({error.why}); delete it and purge again")
        except TypeError as error:
            return Rewritten(folder, "kept", f"it cannot be read ({error}); delete it and purge again")
        purged = tuple(video for video in inside if video in self.purged.ids)
        if not purged:
            return None
        if (link := _link_elsewhere(folder)) is not None:
            why = (
                f"{link} is a link to {link.resolve()}, and curate writes through none: put what it leads to in its "
                "place, or delete both, and purge again"
            )
            return Rewritten(folder, "kept", why, purged)
        left = frozenset(shown) - self.purged.ids
        name = record["format"]
        if folder.name != name:
            why = f"it was renamed, curate writes {name!r} only to a folder of that name; delete it"
            return Rewritten(folder, "kept", why, purged)
        if not left:
            return Rewritten(folder, *_remove(folder, "it held nothing else"), purged)
        if name not in FORMATS:
            return Rewritten(folder, *_remove(folder, f"this curate cannot write the format {name!r}"), purged)
        try:
            options = with_tables(record["options"])[0]
            config.build(ExportOptions, options, f"{folder}/export.json")
        except (CurateError, KeyError, TypeError, AttributeError) as error:
            why = f"its options are of another version of curate ({error}); export again"
            return Rewritten(folder, *_remove(folder, why), purged)
        return _Held(folder, name, purged, left, left.union(silent), options, record.get("made_with", {}))

    def _rewrite(self, group: Sequence[_Held]) -> list[tuple[_Held, tuple[State, str]]]:
        """Write some exports again without the purged videos; tells what came of each, and why."""
        merged = {name: value for one in group for name, value in one.options.items()}
        options = dataclasses.replace(
            config.build(ExportOptions, merged, f"{group[0].folder}/export.json"),
            formats=tuple(one.format for one in group),
            splits=self.pipeline.config.export.splits,
        )
        stages = ("download", *_READ) if group[0].as_video else _READ
        videos = [video for video in self.pipeline.videos if video.id in group[0].inside and self._has(video, stages)]
        try:
            placed = place_videos(self.pipeline, videos, options)
            enabled = self.pipeline.config.dedup.enabled
            repeats = find_repeats(self.pipeline, videos) if enabled else Repeats()
        except CurateError as error:
            return [(one, ("kept", str(error))) for one in group]
        there = {video.id for video in videos}
        safe: list[_Held] = []
        found: list[tuple[_Held, tuple[State, str]]] = []
        for one in group:
            if gone := sorted(one.left - there):
                why = (
                    f"{len(gone)} other videos in it, such as {gone[0]}, would be lost: they have no artefacts any "
                    "more; make them again with 'curate run', or delete the export, and purge again"
                )
                found.append((one, ("kept", why)))
            else:
                safe.append(one)
        entries = [export_entry(self.pipeline, video, placed, repeats) for video in videos] if safe else []
        together = self._write_all(safe, options, entries) if len(safe) > 1 else {}
        for one in safe:
            found.append((one, together.get(one.format) or self._write(one, options, entries, videos)))
        return found

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

    def _write_all(
        self, group: Sequence[_Held], options: ExportOptions, entries: list[ExportEntry]
    ) -> dict[str, tuple[State, str]]:
        """What came of those formats that could be written together, by name."""
        try:
            made = self._export(group, options, entries).formats
        except CurateError:  # of one of them: each is then asked by itself
            return {}
        return {one.name: ("written", _account(one)) for one in made}

    def _write(
        self, one: _Held, options: ExportOptions, entries: list[ExportEntry], videos: list[Video]
    ) -> tuple[State, str]:
        try:
            (made,) = self._export([one], dataclasses.replace(options, formats=(one.format,)), entries).formats
        except DamagedArtefact as error:
            self.pipeline.send_back_damaged(videos)
            return "kept", f"{error}; then purge again"
        except CurateError as error:
            return "kept", str(error)
        return "written", _account(made)

    def _export(self, group: Sequence[_Held], options: ExportOptions, entries: list[ExportEntry]) -> ExportSummary:
        complete = all(entry.video.id in self._complete for entry in entries)
        return export_dataset(
            entries,
            dataclasses.replace(options, formats=tuple(one.format for one in group)),
            group[0].folder.parent,
            context=export_context(self.pipeline) if complete else group[0].made_with,
            progress=self.progress,
            classes=numbered_classes(self.pipeline.workspace, self.pipeline.videos),
            about=about_workspace(self.pipeline),
            crew=self._crew(len(entries)),
        )


@dataclass(frozen=True)
class _Held:
    """An export that holds purged videos, and is to be written again.

    Attributes:
        folder: Where it is.
        format: Its name.
        purged: Ids of the purged videos that it names.
        left: Ids of the others that it shows.
        inside: Ids of all others that it names.
        options: What it was made with, as its record tells.
        made_with: Facts about how it was made.
    """

    folder: Path
    format: str
    purged: tuple[str, ...]
    left: frozenset[str]
    inside: frozenset[str]
    options: Mapping[str, Any]
    made_with: Mapping[str, str]

    @property
    def as_video(self) -> bool:
        """Whether its files are videos."""
        return self.format in VIDEO_FORMATS

    def goes_with(self, other: _Held) -> bool:
        """Whether the two can be written together: the same videos, by the same options where both have them."""
        common = self.options.keys() & other.options.keys()
        return (
            (self.as_video, self.inside, self.made_with) == (other.as_video, other.inside, other.made_with)
            and self.format != other.format
            and all(self.options[name] == other.options[name] for name in common)
        )


def _grouped(held: Sequence[_Held]) -> list[list[_Held]]:
    """Exports that can be written together, so that the videos are looked at and workers are started once."""
    groups: list[list[_Held]] = []
    for one in held:
        for group in groups:
            if all(one.goes_with(other) for other in group):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


def _account(made: FormatSummary) -> str:
    why = f"{made.frames} frames of {made.videos} videos"
    if made.written:
        why += f" ({made.shards})"
    if made.left_out:
        why += f"; left out, since they cannot be read: {', '.join(made.left_out)}"
    return why


def _link_elsewhere(folder: Path) -> Path | None:
    """An export that is a link, or the first link in it to a file or folder: what lies there would stay as it is."""
    if folder.is_symlink():
        return folder
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(place, name)  # noqa: PTH118 (there may be millions)
            if os.path.islink(path) and (os.path.isdir(path) or os.path.isfile(path)):  # noqa: PTH112, PTH113, PTH114
                return Path(path)
    return None


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
