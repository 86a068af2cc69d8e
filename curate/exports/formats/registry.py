"""All formats by name, and doing the job of a shard in one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from curate.config import ExportOptions
from curate.errors import CurateError
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.folder import PICTURE
from curate.exports.disk.previous import Offer
from curate.exports.disk.staging import ShardRecord, drop_attempt
from curate.exports.formats import clips, dinov2, encoding, folders, joining, lmdb, parquet, video, webdataset
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.finished import FinishedShard, Holds, is_understood
from curate.exports.formats.making import Job, Making
from curate.exports.formats.taking import try_taking
from curate.exports.plan.plan import BrokenVideo, Plan
from curate.exports.plan.shards import Shard
from curate.workspace.seals import DamagedArtefact, Stamp

TakeShard = Callable[[Making, Offer], None]
"""Fills the folder of an attempt from the export that is being replaced; raises `Refused`, or what it met there."""

WriteShard = Callable[[Making], dict[str, Any]]
"""Fills the folder of an attempt; returns what is needed to put the export together."""


@dataclass(frozen=True)
class Format:
    """One way of writing a dataset.

    Attributes:
        version: Raised when the bytes written for the same input change.
        reading: How to read it, for the card.
        shards: Cuts the frames into shards; nothing but the plan is looked at.
        write: Writes a shard, in a worker.
        assemble: Puts the shards into an empty folder; returns what is to be added to ``export.json``.
        join: For formats with one file for many shards: writes that of a part, in a worker, once all its shards are
            there; it is then what is put together.
        assemble_videos: Instead of ``assemble`` for formats of video files, whose frames are only known when they are
            there: returns the plan with what is in them, too.
        take: Takes over a shard from the export that is being replaced, or with ``join`` the file of a part.
        holds: Whether a shard that is staged is one that ``write`` would leave, loose pictures included.
        holds_joined: The same of what ``join`` leaves.
        labelled: Whether the bytes of a shard depend on the labels of its classes.
        names_classes: Whether they depend on the names of all classes.
        tells_labels: Whether anything of the export tells labels.
        check: Looks at the options before anything is written.
    """

    version: int
    reading: str
    shards: Callable[[Plan, ExportOptions], list[Shard]]
    write: WriteShard
    assemble: Callable[[Dataset, Path], dict[str, Any]] | None = None
    join: WriteShard | None = None
    assemble_videos: Callable[[Dataset, Path], tuple[Plan, dict[str, Any]]] | None = None
    take: TakeShard | None = None
    holds: Holds = lambda finished: True
    holds_joined: Holds = lambda finished: True
    labelled: bool = False
    names_classes: bool = False
    tells_labels: bool = True
    check: Callable[[ExportOptions], None] = lambda options: None

    @property
    def as_video(self) -> bool:
        """Whether its files are videos."""
        return self.assemble_videos is not None

    def put_together(self, dataset: Dataset, folder: Path) -> tuple[Plan, dict[str, Any]]:
        """Put the shards into an empty folder; returns what is in it, and what is to be added to ``export.json``."""
        if self.assemble_videos is not None:
            return self.assemble_videos(dataset, folder)
        assert self.assemble is not None, "a format has one of the two"
        return dataset.plan, self.assemble(dataset, folder)


def _lmdb(reading: str, order: Literal["rgb", "bgr"]) -> Format:
    return Format(
        lmdb.VERSION,
        reading,
        lmdb.shards,
        partial(joining.prepare, swapped=order == "bgr"),
        partial(lmdb.assemble, channel_order=order),
        join=lmdb.write_split,
        holds=joining.holds,
        holds_joined=lmdb.holds_split,
        take=lmdb.take_split,
        tells_labels=False,
    )


FORMATS: Mapping[str, Format] = {
    "parquet": Format(
        parquet.VERSION,
        parquet.READING,
        parquet.shards,
        parquet.write_shard,
        parquet.assemble,
        take=parquet.take_shard,
        holds=parquet.holds,
        labelled=True,
        names_classes=True,
    ),
    "lmdb": _lmdb(lmdb.READING, "rgb"),
    "lmdb-lemon": _lmdb(lmdb.LEMON_READING, "bgr"),
    "webdataset": Format(
        webdataset.VERSION,
        webdataset.READING,
        webdataset.shards,
        webdataset.write_shard,
        webdataset.assemble,
        take=webdataset.take_tars,
        holds=webdataset.holds,
        labelled=True,
    ),
    "folders": Format(
        folders.VERSION,
        folders.READING,
        folders.shards,
        folders.write_folders,
        folders.assemble,
        take=folders.take_folders,
        holds=folders.holds,
    ),
    "surgenet": Format(
        folders.VERSION,
        folders.SURGENET_READING,
        folders.shards,
        folders.write_surgenet,
        folders.assemble_surgenet,
        take=folders.take_surgenet,
        holds=folders.holds,
    ),
    "dinov2": Format(
        dinov2.VERSION,
        dinov2.READING,
        dinov2.shards,
        joining.prepare,
        dinov2.assemble,
        join=dinov2.write_tar,
        holds=joining.holds,
        holds_joined=dinov2.holds_tar,
        take=dinov2.take_tar,
    ),
    "video": Format(
        video.VERSION,
        video.READING,
        encoding.shards,
        video.encode_video,
        assemble_videos=video.assemble_videos,
        holds=video.holds,
    ),
    "clips": Format(
        clips.VERSION,
        clips.READING,
        encoding.shards,
        clips.encode_clips,
        assemble_videos=clips.assemble_clips,
        holds=encoding.holds,
        check=clips.check,
    ),
}
"""All formats by name."""

GONE = {
    "lmdb-generic": "no reader of it could be found, and those that look for __keys__ unpickle the values, which were "
    "JPEGs: take lmdb, or webdataset or parquet for readers of others"
}
"""Formats of curate 0.1 that are not written any more, with the reason and what to take."""


def check_formats(names: Iterable[str]) -> None:
    """Look at names of formats before anything is done.

    Raises:
        CurateError: One is not known, or there is none.
    """
    known = ", ".join(FORMATS)
    wanted = list(names)
    for name in wanted:
        if name in GONE:
            raise CurateError(f"export.formats: the format {name!r} is gone: {GONE[name]}; known: {known}")
        if name not in FORMATS:
            raise CurateError(f"export.formats: unknown format {name!r}; known: {known}")
    if not wanted:
        raise CurateError(f"export.formats is empty: name at least one of {known}")


@dataclass(frozen=True)
class Written:
    """A shard is finished.

    Attributes:
        record: What is known of it.
        token: Of the attempt whose folder holds it; empty if it was there already.
        taken: Whether it was taken over from the export that is being replaced.
        refused: Why what that export offers was not taken over; empty if it was, or nothing was offered.
        sound: Files of the workspace that are as their stages left them, by video.
    """

    record: ShardRecord
    token: str
    taken: bool = False
    refused: str = ""
    sound: Mapping[str, Mapping[str, Stamp]] = field(default_factory=dict)


@dataclass(frozen=True)
class Unreadable:
    """A video of the shard cannot be read."""

    video: str
    why: str


@dataclass(frozen=True)
class Damaged:
    """A file is not the one that its stage left."""

    path: Path
    video: str
    stage: str


@dataclass(frozen=True)
class NotTaken:
    """The file of a part is not taken over: its shards are to be made.

    Attributes:
        refused: Why; empty if that was not tried.
    """

    refused: str


Answer = Written | Unreadable | Damaged | NotTaken
"""What became of a job."""


def do_job(job: Job, token: str, tick: Callable[[], None]) -> Answer:
    """Write a shard, unless it is there and whole, or can be taken over.

    Args:
        job: What to do.
        token: Letters, digits and ``-``, never used before: names the folder that is written to.
        tick: To be called for each frame.

    Returns:
        What became of it. A finished shard lies in the folder of the attempt, for whoever gave out the job to take.

    Raises:
        OSError: The disk is full or fails.
    """
    kind = FORMATS[job.format]
    known = None if job.anew else _known(job, kind, tick)
    if known is not None:
        return Written(known, "")
    folder = job.staging.attempt(token)
    write = kind.join if job.joins and kind.join is not None else kind.write
    try:
        folder.mkdir()
        making = Making(job, folder, tick)
        if _take(making, kind):
            facts: dict[str, Any] = {}
        elif job.joins and job.offer is not None:
            drop_attempt(folder)
            return NotTaken(making.refused)
        else:
            facts = write(making)
        record = ShardRecord(job.shard.frames, _files(making), facts)
        record.write(folder)
    except BrokenVideo as error:
        drop_attempt(folder)
        return Unreadable(error.video_id, str(error))
    except DamagedArtefact as error:
        drop_attempt(folder)
        return Damaged(error.path, error.video, error.stage)
    except BaseException:
        drop_attempt(folder)
        raise
    sound = {video.id: video.entry.sealed.sound for video in job.shard.videos}
    return Written(record, token, making.taken, making.refused, sound)


def _known(job: Job, kind: Format, tick: Callable[[], None]) -> ShardRecord | None:
    """What is known of the shard, if it is finished and one that this code would write."""
    folder = job.staging.shard(job.key)
    record = ShardRecord.read(folder, tick) if job.staging.is_there(job.key) else None
    holds = kind.holds_joined if job.joins else kind.holds
    if record is None or not is_understood(holds, FinishedShard(job, folder, record, tick)):
        return None
    return record


def _take(making: Making, kind: Format) -> bool:
    """Whether the shard could be taken over; else the folder of the attempt is empty."""
    take, offer = kind.take, making.job.offer
    if take is None or offer is None:
        return False

    def taken() -> bool:
        take(making, offer)
        return True

    return try_taking(making, taken) is not None


def _files(making: Making) -> dict[str, FileFacts]:
    """Checksums of all files of an attempt but loose pictures."""
    paths = sorted(path for path in making.folder.rglob("*") if path.suffix != PICTURE and path.is_file())
    names = {path.relative_to(making.folder).as_posix(): path for path in paths}
    return {name: making.summed.get(name) or FileFacts.of(path, making.tick) for name, path in names.items()}
