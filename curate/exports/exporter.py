"""Exporting a whole dataset in every format that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from curate import __version__
from curate.config import ExportOptions, fingerprint_fields
from curate.errors import CurateError
from curate.exports import clips, dinov2, folders, lmdb, parquet, video, webdataset
from curate.exports.card import dataset_card
from curate.exports.dataset import Dataset
from curate.exports.folder import is_whole, read_account, recover, restore, write_account
from curate.exports.plan import BrokenVideo, ExportEntry, Plan, make_plan
from curate.exports.staging import Purpose, broken_before, staged
from curate.exports.tables import write_tables
from curate.exports.tiny import TinyFrames
from curate.workspace import digest

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
        shoot: For formats of video files, called before ``write``: makes the files, whose frames are only known then,
            and returns the plan with what is in them.
    """

    version: int
    write: Callable[[Dataset, Path], dict[str, Any]]
    reading: str
    on_hub: bool = False
    shoot: Callable[[Dataset, Path], Plan] | None = None


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
    "video": Format(video.VERSION, lambda dataset, folder: {}, video.READING, shoot=video.shoot_videos),
    "clips": Format(clips.VERSION, clips.write_lists, clips.READING, shoot=clips.shoot_clips),
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
    """

    name: str
    folder: Path
    written: bool
    videos: int
    frames: int
    size: int
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class ExportSummary:
    """What an export did.

    Attributes:
        formats: Format by format in the order asked for.
        stale: Folders of formats that were not asked for and hold something else: older videos or options. A video
            that was taken down may still be in them.
    """

    formats: tuple[FormatSummary, ...]
    stale: tuple[Path, ...] = ()


def export_dataset(
    entries: Sequence[ExportEntry],
    options: ExportOptions,
    folder: Path,
    *,
    fingerprint: str,
    context: Mapping[str, str],
    progress: Callable[[str, int], None] | None = None,
) -> ExportSummary:
    """Write finished videos as a dataset, one folder a format.

    Each format appears whole under ``folder/{format}`` or not at all. An export that was killed goes on from its last
    finished portion if nothing has changed; see `curate.exports.staging`. What is left of a killed export of another
    format is removed. The same input gives the same bytes. A video whose artefacts cannot be read is left out and
    reported, and costs no other video.

    Args:
        entries: Videos that are done, in manifest order, with distinct ids.
        options: Formats, choice of frames, painting, splits.
        folder: Where the formats' folders go; made if missing. No two exports may write there at once.
        fingerprint: Of all that determines the output: videos, their artefacts, the options. A format that is there
            with the same fingerprint is left untouched.
        context: Facts to be written into every export, such as names and checksums of the weights.
        progress: Called as ``progress(format, frames)`` with the number of frames done in that format so far.

    Raises:
        CurateError: An unknown format, no frame to export, or a folder that cannot be written.
    """
    if unknown := [name for name in options.formats if name not in FORMATS]:
        raise CurateError(f"export.formats: unknown format {unknown[0]!r}; known: {', '.join(FORMATS)}")
    if not options.formats:
        raise CurateError(f"export.formats is empty: name at least one of {', '.join(FORMATS)}")
    if not entries:
        raise CurateError("nothing to export: no video is done at every stage; 'curate status' tells where they stand")
    _check_fields(entries, options)
    count = progress or (lambda name, frames: None)
    run = _Run(entries, options, folder, fingerprint, context, count, TinyFrames(options))
    try:
        for name in FORMATS.keys() - set(options.formats):
            recover(folder / name)
        made = tuple(run.format(name) for name in dict.fromkeys(options.formats))
        return ExportSummary(made, run.stale())
    except OSError as error:
        raise CurateError(f"cannot write the export in {folder}: {error}; check the disk and rights") from error


def _check_fields(entries: Sequence[ExportEntry], options: ExportOptions) -> None:
    asked = [f"crop = {options.crop}"] if options.crop in ("field", "inside") else []
    asked += ["outside = black"] if options.outside == "black" else []
    if asked and any(entry.fields is None for entry in entries):
        raise CurateError(
            f"export: {asked[0]} needs the field of view, and the stage 'field' is switched off: "
            "set field.method to shots, as with 'curate run --field-method shots'"
        )


@dataclass
class _Run:
    """One call of `export_dataset`."""

    entries: Sequence[ExportEntry]
    options: ExportOptions
    folder: Path
    fingerprint: str
    context: Mapping[str, str]
    progress: Callable[[str, int], None]
    tiny: TinyFrames

    def format(self, name: str) -> FormatSummary:
        """Write one format, unless it is there."""
        final = self.folder / name
        restore(final)
        fingerprint = self._fingerprint(name)
        account = read_account(final)
        if account and account["fingerprint"] == fingerprint and not account["left_out"] and is_whole(final, account):
            recover(final)
            return _summary(name, final, account, written=False)
        broken = broken_before(final, fingerprint)
        while True:
            plan = self._plan(name, broken)
            if not plan.videos:
                raise CurateError(_why_empty(plan))
            try:
                account = self._write(name, final, fingerprint, plan, broken)
            except BrokenVideo as error:
                broken[error.video_id] = str(error)
                continue
            return _summary(name, final, account, written=True)

    def _plan(self, name: str, broken: Mapping[str, str]) -> Plan:
        """What a format will hold; videos are not cropped, so none of their frames are too small."""
        if FORMATS[name].shoot is not None:
            return make_plan(self.entries, self.options, broken)
        return make_plan(self.entries, self.options, broken, self.tiny)

    def stale(self) -> tuple[Path, ...]:
        """Folders of other formats that were made from something else."""
        others = [name for name in FORMATS if name not in self.options.formats]
        accounts = {name: read_account(self.folder / name) for name in others}
        return tuple(
            self.folder / name
            for name, account in accounts.items()
            if account and account["fingerprint"] != self._fingerprint(name)
        )

    def _fingerprint(self, name: str) -> str:
        return digest({"export": self.fingerprint, "format": name, "version": FORMATS[name].version})

    def _write(self, name: str, final: Path, fingerprint: str, plan: Plan, broken: Mapping[str, str]) -> dict[str, Any]:
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            self.progress(name, done)

        purpose = Purpose(fingerprint, digest([_MADE_BY, dict(self.context), plan.inputs()]), broken)
        with staged(final, purpose) as staging:
            folder = staging.folder
            if done := sum(portion.frames for portion in staging.portions):
                self.progress(name, done)
            dataset = Dataset(plan, self.options, self.context, count, staging, previous=final)
            if (shoot := FORMATS[name].shoot) is not None:
                plan = shoot(dataset, folder)
                if not plan.videos:
                    raise CurateError(_why_empty(plan))
                dataset = replace(dataset, plan=plan)
            facts = FORMATS[name].write(dataset, folder)
            write_tables(dataset, folder)
            card = dataset_card(dataset, FORMATS[name].reading, header=FORMATS[name].on_hub)
            (folder / "README.md").write_text(card, encoding="utf-8")
            account = {
                **facts,
                "format": name,
                "fingerprint": fingerprint,
                "curate": __version__,
                "options": fingerprint_fields(self.options),
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
                "privacy": plan.audit.to_json(),
                "files": staging.checksums.files(folder),
            }
            write_account(folder, account)
        return account


def _why_empty(plan: Plan) -> str:
    if plan.left_out:
        video_id, why = next(iter(plan.left_out.items()))
        return (
            f"nothing to export: {len(plan.left_out)} videos cannot be read, the first is {video_id}: {why}; "
            "delete its artefacts and run again"
        )
    return (
        f"nothing to export: none of the {len(plan.without_frames)} videos has a frame that export.include and "
        "export.uncertain take; look at their verdicts"
    )


def _summary(name: str, folder: Path, account: Mapping[str, Any], *, written: bool) -> FormatSummary:
    return FormatSummary(
        name=name,
        folder=folder,
        written=written,
        videos=account["counts"]["videos"],
        frames=account["counts"]["frames"],
        size=sum(facts["size"] for facts in account["files"].values()) + account.get("loose_bytes", 0),
        left_out=account["left_out"],
    )
