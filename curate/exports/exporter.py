"""Exporting a whole dataset in every format that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from curate.config import ExportOptions, format_fields
from curate.corpus.splits import assign_splits
from curate.errors import BadArtefact, CurateError
from curate.exports.disk.folder import is_whole, read_record, recover, restore, write_record
from curate.exports.disk.staging import ExportInputs, broken_before, staged
from curate.exports.formats import clips, dinov2, folders, lmdb, parquet, video, webdataset
from curate.exports.formats.card import dataset_card
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.tables import write_tables
from curate.exports.pixels.too_small import TooSmallFrames
from curate.exports.plan.plan import BrokenVideo, ExportEntry, NothingToExport, Plan, make_plan
from curate.exports.reading.contents import videos_in
from curate.files.digest import digest
from curate.version import __version__

_MADE_BY = (__version__, pa.__version__, cv2.__version__, np.__version__)
"""What the bytes may depend on beside the input: an export begun with others is not gone on with."""


@dataclass(frozen=True)
class Format:
    """One way of writing a dataset.

    Attributes:
        version: Raised when the bytes written for the same input change.
        write: Fills an empty folder; returns what is to be added to ``export.json``.
        reading: How to read it, for the card.
        on_hub: Whether its card carries a header for the Hugging Face hub.
        encode: For formats of video files, called before ``write``: makes the files, whose frames are only known then,
            and returns the plan with what is in them.
    """

    version: int
    write: Callable[[Dataset, Path], dict[str, Any]]
    reading: str
    on_hub: bool = False
    encode: Callable[[Dataset, Path], Plan] | None = None


FORMATS: Mapping[str, Format] = {
    "parquet": Format(parquet.VERSION, parquet.write_parquet, parquet.READING, on_hub=True),
    "lmdb": Format(lmdb.VERSION, partial(lmdb.write_lmdb, channel_order="rgb"), lmdb.READING),
    "lmdb-lemon": Format(lmdb.VERSION, partial(lmdb.write_lmdb, channel_order="bgr"), lmdb.LEMON_READING),
    "lmdb-generic": Format(
        lmdb.VERSION, partial(lmdb.write_lmdb, channel_order="rgb", index=True), lmdb.GENERIC_READING
    ),
    "webdataset": Format(webdataset.VERSION, webdataset.write_webdataset, webdataset.READING),
    "folders": Format(folders.VERSION, folders.write_folders, folders.READING),
    "surgenet": Format(folders.VERSION, folders.write_surgenet, folders.SURGENET_READING),
    "dinov2": Format(dinov2.VERSION, dinov2.write_dinov2, dinov2.READING),
    "video": Format(video.VERSION, lambda dataset, folder: {}, video.READING, encode=video.encode_videos),
    "clips": Format(clips.VERSION, clips.write_lists, clips.READING, encode=clips.encode_clips),
}
"""All formats by name."""


@dataclass(frozen=True)
class FormatSummary:
    """One format of an export.

    Attributes:
        name: Of the format.
        folder: Where it is.
        written: False if it was already there, made from the same input with the same options.
        videos: Videos in it.
        frames: Frames in it.
        size: Bytes of its files and loose pictures.
        left_out: Ids of videos that could not be read, with the reason; the next export tries them again.
        aside: Ids of videos that the corpus leaves out, with the reason.
    """

    name: str
    folder: Path
    written: bool
    videos: int
    frames: int
    size: int
    left_out: Mapping[str, str]
    aside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ExportSummary:
    """What an export did.

    Attributes:
        formats: Format by format in the order asked for.
        stale: Folders of formats that were not asked for and hold something else: older videos or options. A video
            that was taken down may still be in them.
        kept: Formats that were not written, since the present export would lose videos, with why each is not there.
        not_made: Formats that were asked for and would have no content, with the reason; an older export stays.
    """

    formats: tuple[FormatSummary, ...]
    stale: tuple[Path, ...] = ()
    kept: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    not_made: Mapping[str, str] = field(default_factory=dict)


def export_dataset(
    entries: Sequence[ExportEntry],
    options: ExportOptions,
    folder: Path,
    *,
    context: Mapping[str, str],
    progress: Callable[[str, int], None] | None = None,
    may_shrink: bool = True,
) -> ExportSummary:
    """Write finished videos as a dataset, one folder a format.

    Each format appears whole under ``folder/{format}`` or not at all. An export that was killed goes on from its last
    finished chunk if nothing has changed; see `curate.exports.disk.staging`. What is left of a killed export of another
    format is removed. The same input gives the same bytes. A video whose artefacts cannot be read is left out and
    reported, and costs no other video; a format without content costs no other format. A format that was made from the
    same content, with the same values of the options that it uses, is left untouched.

    Args:
        entries: Videos that are done, in manifest order, with distinct ids.
        options: Formats, policy of frames, painting, splits.
        folder: Where the formats' folders go; made if missing. No two exports may write there at once.
        context: Facts to be written into every export, such as names and checksums of the weights.
        progress: Called as ``progress(format, frames)`` with the number of frames done in that format so far.
        may_shrink: Whether an export may lose videos that it shows now because they cannot be read; else it is kept.

    Raises:
        CurateError: An unknown format, or a folder that cannot be written.
        NothingToExport: No format has any content.
        DamagedArtefact: A file is not the one that its stage left. What is finished waits for the next call.
    """
    if unknown := [name for name in options.formats if name not in FORMATS]:
        raise CurateError(f"export.formats: unknown format {unknown[0]!r}; known: {', '.join(FORMATS)}")
    if not options.formats:
        raise CurateError(f"export.formats is empty: name at least one of {', '.join(FORMATS)}")
    if not entries:
        raise CurateError("nothing to export: no video is done at every stage; 'curate status' tells where they stand")
    _check_fields(entries, options)
    count = progress or (lambda name, frames: None)
    run = _Run(entries, options, folder, context, count, TooSmallFrames(options), may_shrink)
    made: list[FormatSummary] = []
    kept: dict[str, Mapping[str, str]] = {}
    empty: dict[str, NothingToExport] = {}
    try:
        for name in FORMATS.keys() - set(options.formats):
            recover(folder / name)
        for name in dict.fromkeys(options.formats):
            try:
                made.append(run.format(name))
            except NothingToExport as error:
                empty[name] = error
            except _WouldShrink as error:
                kept[name] = error.lost
    except OSError as error:
        raise CurateError(f"cannot write the export in {folder}: {error}; check the disk and rights") from error
    if empty and not made and not kept:
        raise next(iter(empty.values()))
    return ExportSummary(tuple(made), run.stale(), kept, {name: str(error) for name, error in empty.items()})


def _check_fields(entries: Sequence[ExportEntry], options: ExportOptions) -> None:
    asked = [f"crop = {options.crop}"] if options.crop in ("field", "inside") else []
    asked += ["outside = black"] if options.outside == "black" else []
    if asked and any(entry.fields is None for entry in entries):
        raise CurateError(
            f"export: {asked[0]} needs the field of view, and the stage 'field' is switched off: "
            "set field.method to shots, as with 'curate run --field-method shots'"
        )


def _nothing_in(plan: Plan) -> NothingToExport:
    if plan.left_out:
        video_id, why = next(iter(plan.left_out.items()))
        return NothingToExport(
            f"nothing to export: {len(plan.left_out)} videos cannot be read, the first is {video_id}: {why}; "
            "run again, and if that does not help, delete its artefacts",
            plan.left_out,
        )
    return NothingToExport(
        f"nothing to export: none of the {len(plan.without_frames)} videos has a frame that export.include and "
        "export.uncertain take; look at their verdicts"
    )


class _WouldShrink(Exception):
    """The present export shows videos that cannot be read now.

    Attributes:
        lost: Why each cannot be read, by id.
    """

    def __init__(self, lost: Mapping[str, str]) -> None:
        super().__init__(", ".join(lost))
        self.lost = lost


@dataclass
class _Run:
    """One call of `export_dataset`."""

    entries: Sequence[ExportEntry]
    options: ExportOptions
    folder: Path
    context: Mapping[str, str]
    progress: Callable[[str, int], None]
    too_small: TooSmallFrames
    may_shrink: bool

    def format(self, name: str) -> FormatSummary:
        """Write one format, unless it is there."""
        final = self.folder / name
        restore(final)
        fingerprint = self._fingerprint(name)
        record = read_record(final)
        if record and record["fingerprint"] == fingerprint and not record["left_out"] and is_whole(final, record):
            recover(final)
            return _summary(name, final, record, written=False)
        broken = broken_before(final, fingerprint)
        while True:
            plan = self._plan(name, broken)
            if not self.may_shrink and (lost := _lost(final, plan)):
                raise _WouldShrink(lost)
            if not plan.videos:
                raise _nothing_in(plan)
            try:
                record = self._write(name, final, fingerprint, plan, broken)
            except BrokenVideo as error:
                broken[error.video_id] = str(error)
                continue
            return _summary(name, final, record, written=True)

    def _plan(self, name: str, broken: Mapping[str, str]) -> Plan:
        """What a format will hold; videos are not cropped, so none of their frames are too small."""
        if FORMATS[name].encode is not None:
            return make_plan(self.entries, self.options, broken)
        return make_plan(self.entries, self.options, broken, self.too_small)

    def stale(self) -> tuple[Path, ...]:
        """Folders of other formats that were made from something else."""
        others = [name for name in FORMATS if name not in self.options.formats]
        accounts = {name: read_record(self.folder / name) for name in others}
        return tuple(
            self.folder / name
            for name, record in accounts.items()
            if record and record["fingerprint"] != self._fingerprint(name)
        )

    def _fingerprint(self, name: str) -> str:
        """Of one format: what it shows of the videos, how they were made, and those options that this format uses."""
        taken = [entry.video for entry in self.entries if not entry.aside]
        splits = assign_splits(taken, self.options)
        aside = {entry.video.id: entry.aside for entry in self.entries if entry.aside} | dict(splits.aside)
        as_video = FORMATS[name].encode is not None
        return digest(
            {
                "videos": [
                    [*entry.shown(as_video=as_video), splits.of[entry.video.id]]
                    for entry in self.entries
                    if entry.video.id not in aside
                ],
                "aside": aside,
                "made_with": {key: value for key, value in self.context.items() if key != "curate"},
                "format": name,
                "version": FORMATS[name].version,
                "options": format_fields(self.options, name),
            }
        )

    def _write(self, name: str, final: Path, fingerprint: str, plan: Plan, broken: Mapping[str, str]) -> dict[str, Any]:
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            self.progress(name, done)

        as_video = FORMATS[name].encode is not None
        inputs = ExportInputs(
            fingerprint, digest([_MADE_BY, dict(self.context), plan.inputs(as_video=as_video)]), broken
        )
        with staged(final, inputs) as staging:
            folder = staging.folder
            if done := sum(chunk.frames for chunk in staging.chunks):
                self.progress(name, done)
            dataset = Dataset(name, plan, self.options, self.context, count, staging, previous=final)
            if (encode := FORMATS[name].encode) is not None:
                plan = encode(dataset, folder)
                if not self.may_shrink and (lost := _lost(final, plan)):
                    raise _WouldShrink(lost)
                if not plan.videos:
                    raise _nothing_in(plan)
                dataset = replace(dataset, plan=plan)
            facts = FORMATS[name].write(dataset, folder)
            write_tables(dataset, folder)
            card = dataset_card(dataset, FORMATS[name].reading, header=FORMATS[name].on_hub)
            (folder / "README.md").write_text(card, encoding="utf-8")
            record = {
                **facts,
                "format": name,
                "fingerprint": fingerprint,
                "curate": __version__,
                "options": format_fields(self.options, name),
                "made_with": dict(self.context),
                "counts": {
                    "videos": len(plan.videos),
                    "frames": plan.frames,
                    "splits": {
                        split: {"videos": len(videos), "frames": sum(video.frames for video in videos)}
                        for split, videos in plan.splits().items()
                    },
                },
                "left_out": dict(plan.left_out),
                "without_frames": list(plan.without_frames),
                "aside": dict(plan.aside),
                "privacy": plan.audit.to_json(),
                "files": staging.checksums.files(folder),
            }
            write_record(folder, record)
        return record


def _lost(final: Path, plan: Plan) -> dict[str, str]:
    """Videos that the present export shows and that cannot be read, with the reason."""
    if not plan.left_out:
        return {}
    try:
        return {video: plan.left_out[video] for video in videos_in(final) if video in plan.left_out}
    except BadArtefact:  # there is none, or it cannot be read: nothing to lose
        return {}


def _summary(name: str, folder: Path, record: Mapping[str, Any], *, written: bool) -> FormatSummary:
    return FormatSummary(
        name=name,
        folder=folder,
        written=written,
        videos=record["counts"]["videos"],
        frames=record["counts"]["frames"],
        size=sum(facts["size"] for facts in record["files"].values()) + record.get("loose_bytes", 0),
        left_out=record["left_out"],
        aside=record.get("aside", {}),
    )
