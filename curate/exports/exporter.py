"""Exporting a whole dataset in every format that is asked for.

An export is planned, cut into shards, and given out as jobs: one a shard. Whoever does them (`Crew`), here or in the
workers of an engine, tells what became of each; once a format has all its shards, it is put together and takes the
place of the older export.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa

from curate.config import ExportOptions, format_fields
from curate.corpus.classes import class_of
from curate.corpus.splits import assign_splits
from curate.errors import BadArtefact, CurateError, why_of
from curate.exports.cards.about import About
from curate.exports.cards.facts import CARDS
from curate.exports.cards.write import knows, refresh_cards, with_cards
from curate.exports.disk.checksums import files_below
from curate.exports.disk.folder import is_whole, read_record, recover, restore, write_record
from curate.exports.disk.previous import SHARDS, offers, told
from curate.exports.disk.staging import ShardRecord, Staging
from curate.exports.formats.dataset import Dataset, MadeShard
from curate.exports.formats.making import Job
from curate.exports.formats.registry import (
    FORMATS,
    Answer,
    Damaged,
    NotTaken,
    Unreadable,
    Written,
    check_formats,
    do_job,
)
from curate.exports.formats.tables import METADATA, write_tables
from curate.exports.pixels.too_small import TooSmallFrames
from curate.exports.plan.classes import class_labels
from curate.exports.plan.plan import ELSEWHERE, ExportEntry, NothingToExport, Plan, make_plan
from curate.exports.plan.shards import Shard
from curate.exports.reading.contents import videos_in
from curate.files.digest import digest
from curate.version import __version__
from curate.workspace.seals import DamagedArtefact

log = logging.getLogger(__name__)


def _made_by() -> list[str]:
    """What the bytes may depend on beside the input: shards that were made by others are not taken over."""
    import cv2  # not at the top: workers load this module, and few of them shrink pictures

    return [__version__, pa.__version__, cv2.__version__, np.__version__]


@dataclass(frozen=True)
class Trouble:
    """A job could not be done, and was tried again: the shard of no video in particular is missing.

    Attributes:
        why: In words.
    """

    why: str


Origin = Literal["new", "taken_over", "finished_before"]
"""Where a shard comes from: a field of `ShardCounts`."""

Settle = Callable[[Job, Answer | Trouble], Iterable[Job]]
"""Told of what became of a job, one call at a time; returns the jobs that this makes possible."""


class Crew(Protocol):
    """Whoever does the jobs of an export."""

    def work(self, jobs: Iterable[Job], settle: Settle) -> None:
        """Do jobs, and all that follow from them; each is settled once.

        Raises:
            CurateError: It cannot go on, for a full disk for example.
        """
        ...


class InProcess:
    """Does one job after the other, in the process at hand."""

    def work(self, jobs: Iterable[Job], settle: Settle) -> None:
        """See `Crew.work`.

        Raises:
            OSError: The disk is full or fails.
        """
        waiting = list(jobs)[::-1]
        while waiting:
            job = waiting.pop()
            waiting += reversed(list(settle(job, do_job(job, secrets.token_hex(8), lambda: None))))


@dataclass(frozen=True)
class ShardCounts:
    """Where the shards of an export that was written come from; of files that join shards, those files.

    Attributes:
        new: Written now.
        taken_over: Files of the export that was replaced.
        finished_before: Written by an export that did not come to its end.
    """

    new: int = 0
    taken_over: int = 0
    finished_before: int = 0

    def __str__(self) -> str:
        """In words, those of which there are any; ``new`` always."""
        told = {name.replace("_", " "): count for name, count in dataclasses.asdict(self).items()}
        return "shards: " + ", ".join(f"{count} {words}" for words, count in told.items() if count or words == "new")


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
        shards: Where its shards come from, if it was written.
    """

    name: str
    folder: Path
    written: bool
    videos: int
    frames: int
    size: int
    left_out: Mapping[str, str]
    aside: Mapping[str, str] = field(default_factory=dict)
    shards: ShardCounts = field(default_factory=ShardCounts)


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
    crew: Crew | None = None,
    classes: Sequence[str] = (),
    about: About | None = None,
) -> ExportSummary:
    """Write finished videos as a dataset, one folder a format.

    Each format appears whole under ``folder/{format}`` or not at all. An export that did not come to its end goes on
    with the shards that are finished; see `curate.exports.disk.staging`. What is left of an export of another format is
    removed. The same input gives the same bytes. A video whose artefacts cannot be read is left out and
    reported, and costs no other video; a format without content costs no other format. A format that was made from the
    same content, with the same values of the options that it uses, is left untouched, but for its cards if ``about``
    says something else now.

    Args:
        entries: Videos that are done, in manifest order, with distinct ids.
        options: Formats, policy of frames, painting, splits.
        folder: Where the formats' folders go; made if missing. No two exports may write there at once.
        context: Facts to be written into every export, such as names and checksums of the weights.
        progress: Called as ``progress(format, frames)`` with the number of frames done in that format so far.
        may_shrink: Whether an export may lose videos that it shows now because they cannot be read; else it is kept.
        crew: Does the jobs; this process if not given. The bytes do not depend on it.
        classes: Names of the classes that have numbers already, in their order (`curate.corpus.classes`).
        about: What the cards tell beside what stands in the export.

    Raises:
        CurateError: An unknown format, or a folder that cannot be written.
        NothingToExport: No format has any content.
        DamagedArtefact: A file is not the one that its stage left. All shards without it are finished and wait for the
            next call.
    """
    check_formats(options.formats)
    if not entries:
        raise CurateError("nothing to export: no video is done at every stage; 'curate status' tells where they stand")
    _check_fields(entries, options)
    for name in options.formats:
        FORMATS[name].check(options)
    tell = progress or (lambda name, frames: None)
    export = _Export(entries, options, folder, context, tell, may_shrink, classes, about or About())
    try:
        return export.run(crew or InProcess())
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise CurateError(
            f"cannot write the export in {folder}: {why_of(error)}{where}; check the disk and rights"
        ) from error


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


class _Export:
    """One call of `export_dataset`."""

    def __init__(
        self,
        entries: Sequence[ExportEntry],
        options: ExportOptions,
        folder: Path,
        context: Mapping[str, str],
        progress: Callable[[str, int], None],
        may_shrink: bool,
        classes: Sequence[str],
        about: About,
    ) -> None:
        self.entries, self.options, self.folder, self.context = entries, options, folder, context
        self.progress, self.may_shrink, self.classes, self.about = progress, may_shrink, classes, about
        self._too_small = TooSmallFrames(options)
        self._plans: dict[bool, Plan] = {}
        self._made: dict[str, FormatSummary] = {}
        self._kept: dict[str, Mapping[str, str]] = {}
        self._not_made: dict[str, CurateError] = {}
        self._damage: Damaged | None = None
        self._fingerprints: dict[str, str] = {}

    def run(self, crew: Crew) -> ExportSummary:
        """Write all formats that are not there."""
        for name in FORMATS.keys() - set(self.options.formats):
            recover(self.folder / name)
        formats: dict[str, _FormatExport] = {}
        for name in dict.fromkeys(self.options.formats):
            if made := self._there(name):
                self._made[name] = made
            elif (begun := self._begin(name)) is not None:
                formats[name] = begun

        def settle(job: Job, answer: Answer | Trouble) -> Iterable[Job]:
            one = formats[job.format]
            if isinstance(answer, Damaged):
                self._damage = self._damage or answer
                one.given_up = True
                return ()
            if isinstance(answer, Trouble):
                self._not_made[job.format] = CurateError(answer.why)
                one.given_up = True
                return ()
            following = one.settle(job, answer)
            self._finish_if_ready(one)
            return following

        if jobs := [job for one in formats.values() for job in one.first_jobs()]:
            try:
                crew.work(jobs, settle)
            finally:
                for one in formats.values():
                    one.warn_of_refusals()
        for one in formats.values():
            self._finish_if_ready(one)  # those of which nothing is left to write
        if self._damage is not None:
            raise DamagedArtefact(self._damage.path, self._damage.video, self._damage.stage)
        return self._summary()

    def _summary(self) -> ExportSummary:
        if self._not_made and not self._made and not self._kept:
            raise next(iter(self._not_made.values()))
        return ExportSummary(
            tuple(self._made[name] for name in dict.fromkeys(self.options.formats) if name in self._made),
            self._stale(),
            self._kept,
            {name: str(error) for name, error in self._not_made.items()},
        )

    def _there(self, name: str) -> FormatSummary | None:
        """A format that need not be written."""
        final = self.folder / name
        restore(final)
        record = read_record(final)
        if not record or record["fingerprint"] != self.fingerprint(name) or record["left_out"]:
            return None
        if not is_whole(final, record, but=CARDS):
            return None
        recover(final)
        if not knows(record, self.about) or not is_whole(final, record):
            try:
                refresh_cards(final, record, self.about)
            except (BadArtefact, CurateError):  # a table cannot be read: all of it is written anew
                return None
            record = read_record(final) or record
        return _summary(name, final, record, written=False)

    def _begin(self, name: str) -> _FormatExport | None:
        """Plan a format; ``None`` if it has nothing to write, or would lose something."""
        plan = self.plan(as_video=FORMATS[name].as_video)
        if self._shrinks(name, plan):
            return None
        if not plan.videos:
            self._not_made[name] = _nothing_in(plan)
            return None
        return _FormatExport(self, name, plan)

    def _finish_if_ready(self, one: _FormatExport) -> None:
        if not one.is_ready() or one.name in self._made or one.name in self._not_made:
            return
        if one.left_out and self._shrinks(one.name, one.plan_as_read()):
            one.given_up = True
            return
        try:
            self._made[one.name] = one.finish()
        except NothingToExport as error:
            self._not_made[one.name] = error
            recover(self.folder / one.name)

    def _shrinks(self, name: str, plan: Plan) -> bool:
        """Whether the present export would lose videos that cannot be read, without leave; notes it."""
        if self.may_shrink or not (lost := _lost(self.folder / name, plan)):
            return False
        self._kept[name] = lost
        return True

    def plan(self, *, as_video: bool) -> Plan:
        """What an export will hold; videos are not cropped, so none of their frames are too small."""
        if as_video not in self._plans:
            too_small = (self._too_small,) if not as_video else ()
            self._plans[as_video] = make_plan(self.entries, self.options, {}, *too_small)
        return self._plans[as_video]

    def plan_without(self, broken: Mapping[str, str], *, as_video: bool) -> Plan:
        """The same without some videos."""
        too_small = (self._too_small,) if not as_video else ()
        return make_plan(self.entries, self.options, broken, *too_small)

    def _stale(self) -> tuple[Path, ...]:
        """Folders of other formats that were made from something else."""
        others = [name for name in FORMATS if name not in self.options.formats]
        accounts = {name: read_record(self.folder / name) for name in others}
        return tuple(
            self.folder / name
            for name, record in accounts.items()
            if record and record["fingerprint"] != self.fingerprint(name)
        )

    def fingerprint(self, name: str) -> str:
        """Of one format: what it shows of the videos, how they were made, and those options that this format uses."""
        if name not in self._fingerprints:
            self._fingerprints[name] = self._digest(name)
        return self._fingerprints[name]

    def _digest(self, name: str) -> str:
        taken = [entry.video for entry in self.entries if not entry.aside]
        splits = assign_splits(taken, self.options)
        aside = {entry.video.id: entry.aside for entry in self.entries if entry.aside} | dict(splits.aside)
        as_video = FORMATS[name].as_video
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
                **({"classes": list(class_labels(taken, self.classes))} if FORMATS[name].tells_labels else {}),
            }
        )


class _FormatExport:
    """One format that is being written.

    Attributes:
        name: Of the format.
        left_out: Videos that turned out to be broken, with the reason.
        given_up: Whether it is not to be put together in this run; what is finished stays.
    """

    def __init__(self, export: _Export, name: str, plan: Plan) -> None:
        self._export, self.name, self._plan = export, name, plan
        self._format = FORMATS[name]
        self._final = export.folder / name
        self._staging = Staging(self._final)
        self._labels = class_labels(plan.videos, export.classes)
        self._options = format_fields(export.options, name)
        self._shown = {video.id: digest(video.entry.shown(as_video=self._format.as_video)) for video in plan.videos}
        self.given_up = False
        self._records: dict[str, ShardRecord] = {}
        self._origins: dict[str, Origin] = {}
        self._refused: list[str] = []
        self._frames = 0
        noted = self._staging.broken().items()
        self.left_out = {video: why for video, (was, why) in noted if self._shown.get(video) == was}
        self._shards: dict[str, Shard] = {}
        for shard in self._format.shards(plan, export.options):
            for video in self.left_out:
                shard = shard.without(video)
            if shard.spans:
                self._shards[self._key(shard)] = shard
        self._joins = self._join_keys()
        self._offers = offers(self._final, name, METADATA) if self._format.take is not None else {}
        self._staging.open(self._shards.keys() | set(self._joins.values()))
        if self.left_out:
            self._note_broken()

    def _key(self, shard: Shard) -> str:
        """Fingerprint of all that the bytes of a shard depend on."""
        return digest(
            {
                "made_by": [*_made_by(), dict(self._export.context)],
                "format": [self.name, self._format.version],
                "options": {name: value for name, value in self._options.items() if name not in ELSEWHERE},
                "part": shard.part,
                **({"classes": list(self._labels)} if self._format.names_classes else {}),
                "spans": [
                    [
                        *(self._shown[span.video.id], span.start, span.stop),
                        *(span.video.first, span.video.split, span.video.covered, class_of(span.video)),
                        *(sorted(span.video.too_small), sorted(span.video.private)),
                        self._labels[class_of(span.video)] if self._format.labelled else "",
                    ]
                    for span in shard.spans
                ],
            }
        )

    def _join_keys(self) -> dict[str, str]:
        """For formats that join shards: the key of the file of each part."""
        parts: dict[str, list[str]] = {}
        for key, shard in self._shards.items() if self._format.join is not None else ():
            parts.setdefault(shard.part, []).append(key)
        return {part: digest({"part": part, "joins": keys}) for part, keys in parts.items()}

    def first_jobs(self) -> Iterator[Job]:
        """A job a shard, in the order of the export, or one a part where that may be taken over as a whole."""
        offered = {part for part, key in self._joins.items() if key in self._offers}
        yield from (self._join(part) for part in sorted(offered))
        yield from (self._job(key, shard) for key, shard in self._shards.items() if shard.part not in offered)

    def _job(self, key: str, shard: Shard, joins: tuple[tuple[str, Shard], ...] = ()) -> Job:
        export, offer = self._export, self._offers.get(key)
        return Job(self.name, key, shard, export.options, export.context, self._final, self._labels, joins, offer)

    def _join(self, part: str) -> Job:
        """The job that joins the shards of a part."""
        shards = self._of(part)
        whole = Shard(part, tuple(span for shard in shards.values() for span in shard.spans))
        return self._job(self._joins[part], whole, tuple(shards.items()))

    def _of(self, part: str) -> dict[str, Shard]:
        return {key: shard for key, shard in self._shards.items() if shard.part == part}

    def settle(self, job: Job, answer: Written | Unreadable | NotTaken) -> list[Job]:
        """Take note of what became of a job; returns those that it makes possible."""
        if not isinstance(answer, Unreadable) and answer.refused:
            self._refused.append(answer.refused)
        if isinstance(answer, NotTaken):
            del self._offers[job.key]
            missing = [item for item in self._of(job.shard.part).items() if item[0] not in self._records]
            return [self._job(key, shard) for key, shard in missing] or self._joinable(job.shard.part)
        if isinstance(answer, Unreadable):
            return self._leave_out(answer.video, answer.why) if answer.video not in self.left_out else []
        for video in job.shard.videos:
            video.entry.sealed.trust(answer.sound.get(video.id, {}))
        if answer.token:
            self._staging.commit(answer.token, job.key)
        self._origins[job.key] = _origin(answer)
        if job.joins:
            self._records[job.key] = answer.record
            if job.offer is not None:
                self._count(job)
            return []
        if job.key not in self._shards:
            return []  # a video of it turned out to be broken in the meantime
        self._records[job.key] = answer.record
        self._count(job)
        return self._joinable(job.shard.part)

    def warn_of_refusals(self) -> None:
        """Say which file of the export that is being replaced kept a shard from being taken over, if any did."""
        if not self._refused:
            return
        first, count = self._refused[0], len(self._refused)
        which = "a shard" if count == 1 else f"{count} shards"
        more = "" if count == 1 else "the first: "
        log.warning(
            "%s: %s of %s could not be taken over: %s%s; written anew", self.name, which, self._final, more, first
        )

    def _shard_counts(self) -> ShardCounts:
        wanted = self._joins.values() if self._format.join is not None else self._shards
        counts: Counter[str] = Counter(self._origins[key] for key in wanted)
        return ShardCounts(**counts)

    def _count(self, job: Job) -> None:
        self._frames += job.shard.frames
        self._export.progress(self.name, self._frames)

    def _joinable(self, part: str) -> list[Job]:
        """The job that joins the shards of a part, if all of them are there."""
        if part not in self._joins or not self._of(part).keys() <= self._records.keys():
            return []
        return [self._join(part)]

    def _leave_out(self, video: str, why: str) -> list[Job]:
        """Do without a video from here on; returns the jobs of those of its shards that hold others too."""
        self.left_out[video] = why
        self._note_broken()
        parts = {shard.part for shard in self._shards.values() if shard.shows(video)}
        fresh: dict[str, Shard] = {}
        kept: dict[str, Shard] = {}
        for key, shard in self._shards.items():
            if not shard.shows(video):
                kept[key] = shard
            elif (less := shard.without(video)).spans:
                fresh[self._key(less)] = kept[self._key(less)] = less
        self._shards = kept
        self._joins = self._join_keys()
        waiting = {shard.part for shard in fresh.values()}
        jobs = [self._job(key, shard) for key, shard in fresh.items()]
        return jobs + [job for part in parts - waiting for job in self._joinable(part)]

    def _note_broken(self) -> None:
        self._staging.note_broken({video: (self._shown[video], why) for video, why in self.left_out.items()})

    def is_ready(self) -> bool:
        """Whether everything is there that is to be put together."""
        wanted = self._joins.values() if self._format.join is not None else self._shards
        return not self.given_up and all(key in self._records for key in wanted)

    def plan_as_read(self) -> Plan:
        """The plan without the videos that turned out to be broken."""
        if not self.left_out:
            return self._plan
        return self._export.plan_without(self.left_out, as_video=self._format.as_video)

    def finish(self) -> FormatSummary:
        """Put the shards together, and the export into its place.

        Raises:
            NothingToExport: There would be nothing in it.
        """
        export, plan = self._export, self.plan_as_read()
        if not plan.videos:
            raise _nothing_in(plan)
        folder = self._staging.begin()
        dataset = Dataset(self.name, plan, export.options, export.context, self._in_order(), self._labels)
        plan, facts = self._format.put_together(dataset, folder)
        if not plan.videos:
            raise _nothing_in(plan)
        dataset = dataclasses.replace(dataset, plan=plan)
        write_tables(dataset, folder)
        record = {
            **facts,
            "format": self.name,
            "fingerprint": export.fingerprint(self.name),
            "curate": __version__,
            "options": self._options,
            "made_with": dict(export.context),
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
            "files": files_below(folder, dataset.summed),
        }
        if self._format.take is not None:
            record[SHARDS] = [
                told(made.key, made.record.frames, dataset.placed.get(made.key, [])) for made in dataset.shards
            ]
        record = with_cards(folder, record, export.about)
        write_record(folder, record)
        self._staging.publish()
        summary = _summary(self.name, self._final, record, written=True)
        return dataclasses.replace(summary, shards=self._shard_counts())

    def _in_order(self) -> tuple[MadeShard, ...]:
        found: Iterable[tuple[Shard, str]] = ((shard, key) for key, shard in self._shards.items())
        if self._format.join is not None:
            found = ((Shard(part, ()), key) for part, key in self._joins.items())
        return tuple(MadeShard(shard, self._staging.shard(key), self._records[key]) for shard, key in found)


def _origin(answer: Written) -> Origin:
    if answer.taken:
        return "taken_over"
    return "new" if answer.token else "finished_before"


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
