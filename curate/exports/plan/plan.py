"""Which frames of which videos an export takes, before any image is read."""

from __future__ import annotations

import dataclasses
import itertools
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from curate import records
from curate.config import ExportOptions
from curate.corpus.splits import assign_splits
from curate.errors import BadArtefact, CurateError
from curate.exports.plan.findings import AuditCounts, kinds_by_frame
from curate.files.digest import digest
from curate.files.urls import redact_url
from curate.records import Video
from curate.workspace.seals import SealedFiles
from curate.workspace.tables.frames import count_frames, picture_bytes, read_frame_sizes
from curate.workspace.tables.verdicts import count_verdicts, read_verdicts

UNSHOWN = frozenset({"source", "title", "licence", "split", "duration", "width", "height", "md5", "origin"})
"""Fields of `Video` that no export shows, or shows in other words (`ExportEntry.shown`)."""


ELSEWHERE = frozenset(
    {
        "val_fraction",
        "test_fraction",
        "split_seed",
        "split_by",
        "stratify",
        "leaks",
        "balance_alpha",
        "balance_by",
        "balance_frames",
    }
)
"""Shared options that say nothing about what is in a shard or a video file. All others do, those to come included."""


@dataclass(frozen=True)
class ExportEntry:
    """One finished video, as the pipeline hands it over.

    Attributes:
        video: Its row of the manifest.
        frames: Parquet of `frame_schema`.
        verdicts: Parquet of `verdict_schema`, one row a sampled frame in the order of ``frames``.
        regions: Parquet of `region_schema`, ordered by ``n``; ``None`` where no detector ran.
        source_meta: What the source told about the video when it was downloaded; ``title`` and ``licence`` are used
            where the manifest is silent.
        source_file: The video file, from which the formats of videos are made; ``None`` where it is not at hand.
        fields: Parquet of `field_schema`; ``None`` where nobody looked for the field of view.
        audit: Parquet of `audit_schema`, ordered by ``n``; ``None`` where no audit was made.
        sealed: What these files are known by; they are checked before they are read.
        aside: Why the corpus leaves the video out, such as the splits that it would join; empty where it does not.
        repeats: Seconds that are not shown because another video, or a frame that looks alike, shows them: start and
            end of spans in order, ends exclusive.
        made_by: Of files without a seal: fingerprint of the stage that made them, where it is known.
        decisions: What people decided about it, each a line of JSON.
    """

    video: Video
    frames: Path
    verdicts: Path
    regions: Path | None
    source_meta: Mapping[str, Any]
    source_file: Path | None = None
    fields: Path | None = None
    audit: Path | None = None
    sealed: SealedFiles = field(default_factory=SealedFiles, compare=False)
    aside: str = ""
    repeats: tuple[tuple[float, float], ...] = ()
    made_by: Mapping[Path, str] = field(default_factory=dict, compare=False)
    decisions: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Title by the manifest, else by the source; untrusted text."""
        return self.video.title or _text(self.source_meta, "title")

    @cached_property  # asked for every frame
    def source(self) -> str:
        """URL without secrets, or the bare name of a local file.

        Shards must not carry passwords and signatures, nor the paths of the machine they were made on.
        """
        return Path(self.video.source).name if self.video.is_local else redact_url(self.video.source)

    @property
    def licence(self) -> str:
        """Licence by the manifest, else by the source; empty where none is stated."""
        return self.video.licence or _text(self.source_meta, "licence")

    def shown(self, *, as_video: bool) -> list[Any]:
        """All that an export shows of it, but for its split, as JSON; the same where the same is shown.

        Args:
            as_video: Whether the export is one of video files, which are made from the video file and without the
                field of view.
        """
        words = {f.name: getattr(self.video, f.name) for f in dataclasses.fields(Video) if f.name not in UNSHOWN}
        told = words | {"title": self.title, "source": self.source, "licence": self.licence}
        files = (self.frames, self.verdicts, self.regions, self.audit)
        stamps = [_stamp(self, path) for path in (*files, self.source_file if as_video else self.fields)]
        repeats = [["repeats", *map(list, self.repeats)]] if self.repeats else []
        return [told, *stamps, *repeats, *([["decisions", digest(self.decisions)]] if self.decisions else [])]

    def repeats_at(self, timestamp: float) -> bool:
        """Whether what the video shows at a time lies in one of `repeats`."""
        place = bisect_right(self.repeats, (timestamp, math.inf)) - 1
        return place >= 0 and timestamp < self.repeats[place][1]


def _stamp(entry: ExportEntry, path: Path | None) -> list[Any]:
    """What tells a file from another one in its place; empty if there is none.

    That is its seal, so that one that was damaged and made again is the same; else its size, with what made it or its
    time of change.
    """
    if seal := entry.sealed.seal(path):
        return [seal.size, seal.sha256]
    try:
        status = path.stat() if path else None
    except FileNotFoundError:
        status = None
    if path is None or status is None:
        return []
    return [status.st_size, entry.made_by.get(path) or status.st_mtime_ns]


class BrokenVideo(Exception):
    """The artefacts of one video cannot be read or do not belong together; the others can still be exported.

    Attributes:
        video_id: Which video.
    """

    def __init__(self, video_id: str, why: str) -> None:
        super().__init__(why)
        self.video_id = video_id

    @classmethod
    def by(cls, video_id: str, error: BadArtefact) -> BrokenVideo:
        """The video of an artefact that cannot be read."""
        return cls(video_id, f"cannot read its artefacts: {error.path}: {error.why}")


class NothingToExport(CurateError):
    """A format would have no content.

    Attributes:
        left_out: Ids of the videos that cannot be read.
    """

    def __init__(self, message: str, left_out: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.left_out = tuple(left_out)


@dataclass(frozen=True)
class FramePolicy:
    """The rule that takes or leaves a frame.

    Attributes:
        trimmed: Take every frame inside the trim; those that are not surgical are blacked out.
        uncertain: Treat uncertain frames as surgical.
        drops: Show no frame on which the privacy audit found something.
        covers: Paint over what the privacy audit found.
        paints: Paint over regions; without, only what the audit found is covered.
    """

    trimmed: bool
    uncertain: bool
    drops: bool
    covers: bool
    paints: bool

    @classmethod
    def of(cls, options: ExportOptions) -> FramePolicy:
        """The rule that the options ask for."""
        return cls(
            trimmed=options.include == "trimmed",
            uncertain=options.uncertain == "keep",
            drops=options.privacy == "drop",
            covers=options.privacy == "mask",
            paints=options.fill != "none",
        )

    def is_surgical(self, verdict: str) -> bool:
        """Whether the pixels of a frame with this verdict may be shown."""
        return verdict == records.SURGICAL or (self.uncertain and verdict == records.UNCERTAIN)

    def takes(self, verdict: str, kept: bool, *, private: bool) -> bool:
        """Whether a frame is exported, be it black; ``private`` if it must not be shown whatever its verdict."""
        return kept and (self.trimmed or (self.is_surgical(verdict) and not private))


@dataclass(frozen=True)
class PlannedVideo:
    """A video that gives at least one frame.

    Attributes:
        entry: Where its artefacts are.
        first: Sampled number of the first frame inside the trim; frame keys count from it.
        frames: How many frames are exported.
        seconds: What those frames stand for: their number times the mean distance between samples.
        split: Split of all its frames.
        too_small: Numbers of the frames that are left out because the crop leaves too little of them.
        private: Numbers of the frames that must not be shown: because of what the privacy audit found, or because
            another video shows them.
        covered: Whether what the audit found is painted over as regions are.
        sizes: Exported frames in a row, with the bytes that the sampled pictures take on average, shrunk like them.
    """

    entry: ExportEntry
    first: int
    frames: int
    seconds: float
    split: str
    too_small: frozenset[int] = frozenset()
    private: frozenset[int] = frozenset()
    covered: bool = False
    sizes: tuple[tuple[int, float], ...] = ()

    def without(self, too_small: frozenset[int]) -> PlannedVideo:
        """The video with some frames less."""
        if not too_small:
            return self
        frames = self.frames - len(too_small)
        mean = sum(count * size for count, size in self.sizes) / self.frames
        return dataclasses.replace(
            self,
            frames=frames,
            seconds=self.seconds * frames / self.frames,
            too_small=too_small,
            sizes=((frames, mean),) if frames else (),
        )

    @property
    def id(self) -> str:
        """Id of the video."""
        return self.entry.video.id

    @property
    def corpus(self) -> str:
        """Source corpus by the manifest, or empty."""
        return self.entry.video.corpus

    @property
    def procedures(self) -> tuple[str, ...]:
        """Procedures by the manifest, in its order."""
        return self.entry.video.procedures

    @property
    def title(self) -> str:
        """As `ExportEntry.title`."""
        return self.entry.title

    @property
    def source(self) -> str:
        """As `ExportEntry.source`."""
        return self.entry.source

    @property
    def licence(self) -> str:
        """As `ExportEntry.licence`."""
        return self.entry.licence

    def key(self, n: int) -> str:
        """Key of a frame in every format: ``{video id}_{frames since the trim's first}``."""
        return f"{self.id}_{n - self.first}"


def _text(meta: Mapping[str, Any], name: str) -> str:
    value = meta.get(name)
    return value if isinstance(value, str) else ""


def split_order(name: str) -> tuple[int, str]:
    """Sorts the names of splits: ``train``, ``val`` and ``test`` first, then others by name."""
    return {"train": 0, "val": 1, "test": 2}.get(name, 3), name


@dataclass(frozen=True)
class Plan:
    """What an export will hold.

    Attributes:
        videos: Videos that give frames, in manifest order.
        left_out: Ids of videos whose artefacts are broken, with the reason.
        without_frames: Ids of videos of which the options take no frame.
        audit: What the privacy audit found on the frames of all videos but those left out.
        aside: Ids of videos that the corpus leaves out, with the reason.
    """

    videos: tuple[PlannedVideo, ...]
    left_out: Mapping[str, str]
    without_frames: tuple[str, ...]
    audit: AuditCounts
    aside: Mapping[str, str] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """Frames over all videos."""
        return sum(video.frames for video in self.videos)

    def inputs(self, *, as_video: bool) -> dict[str, Any]:
        """All that is exported, as JSON: two plans with the same inputs give the same frames.

        Args:
            as_video: As for `ExportEntry.shown`.
        """
        return {
            "videos": [
                [
                    *(video.entry.shown(as_video=as_video), video.split, video.first, video.frames),
                    *(sorted(video.too_small), sorted(video.private), video.covered),
                ]
                for video in self.videos
            ],
            "left_out": dict(self.left_out),
            **({"aside": dict(self.aside)} if self.aside else {}),
        }

    def splits(self) -> dict[str, list[PlannedVideo]]:
        """Videos of each split; ``train``, ``val`` and ``test`` first, then others by name."""
        names = sorted({video.split for video in self.videos}, key=split_order)
        return {name: [video for video in self.videos if video.split == name] for name in names}


def make_plan(
    entries: Sequence[ExportEntry],
    options: ExportOptions,
    broken: Mapping[str, str],
    too_small: Callable[[PlannedVideo], frozenset[int]] = lambda video: frozenset(),
) -> Plan:
    """Read the verdicts of all videos and decide what is exported.

    Of what has a seal, all but the frames and the video files are checked here; those are when they are read.

    Args:
        entries: Finished videos in manifest order.
        options: What to take.
        broken: Ids of videos to leave out, with the reason.
        too_small: Tells which frames of a video are left out because the crop leaves too little of them.

    Raises:
        CurateError: The fractions of the splits are more than the whole.
        DamagedArtefact: A file is not the one that its stage left.
    """
    policy = FramePolicy.of(options)
    splits = assign_splits([entry.video for entry in entries if not entry.aside], options)
    aside = {entry.video.id: entry.aside for entry in entries if entry.aside} | dict(splits.aside)
    videos, left_out, without_frames, tallies = [], dict(broken), [], []
    for entry in entries:
        if entry.video.id in broken or entry.video.id in aside:
            continue
        try:
            video, tally = _plan_video(entry, policy, splits.of[entry.video.id], options.short_side)
            if video.frames:
                video = video.without(too_small(video))
        except BrokenVideo as error:
            left_out[error.video_id] = str(error)
            continue
        tallies.append(tally)
        if video.frames:
            videos.append(video)
        else:
            without_frames.append(entry.video.id)
    return Plan(tuple(videos), left_out, tuple(without_frames), AuditCounts.total(tallies), aside)


def _plan_video(
    entry: ExportEntry, policy: FramePolicy, split: str, short_side: int
) -> tuple[PlannedVideo, AuditCounts]:
    entry.sealed.check_all_but(entry.frames, entry.source_file)
    try:
        frames, verdicts = count_frames(entry.frames), count_verdicts(entry.verdicts)
        if frames != verdicts:
            raise BrokenVideo(
                entry.video.id,
                f"{entry.frames} has {frames} rows, {entry.verdicts} {verdicts}: "
                "they were not made from the same frames",
            )
        return _count(entry, policy, split, _picture_sizes(entry.frames, short_side))
    except BadArtefact as error:
        raise BrokenVideo.by(entry.video.id, error) from error


def _picture_sizes(frames: Path, short_side: int) -> Iterator[float]:
    """About how many bytes the picture of each frame takes: the mean of its row group, shrunk as the options say."""
    first = next(iter(read_frame_sizes(frames)), None) if short_side else None
    shorter = min(first.width, first.height) if first else 0
    shrunk = (short_side / shorter) ** 2 if shorter > short_side else 1.0
    for rows, size in picture_bytes(frames):
        yield from itertools.repeat(max(1.0, shrunk * size / rows), rows)


def _count(
    entry: ExportEntry, policy: FramePolicy, split: str, picture_sizes: Iterator[float]
) -> tuple[PlannedVideo, AuditCounts]:
    taken, first = 0, None
    sizes: list[tuple[int, float]] = []
    kinds = kinds_by_frame(entry.audit)
    tally = AuditCounts(videos=int(entry.audit is not None), unaudited=int(entry.audit is None))
    begin: tuple[int, float] | None = None
    end = (0, 0.0)
    repeated: set[int] = set()
    for (n, timestamp, _, verdict, kept), size in zip(read_verdicts(entry.verdicts), picture_sizes, strict=True):
        end = (n, timestamp)
        begin = begin or end
        if kept and first is None:
            first = n
        hidden = policy.drops and n in kinds
        if entry.repeats_at(timestamp):
            repeated.add(n)
        if policy.takes(verdict, kept, private=hidden or n in repeated):
            taken += 1
            sizes.append((sizes.pop()[0] + 1, size) if sizes and sizes[-1][1] == size else (1, size))
        if entry.audit is not None and kept and policy.is_surgical(verdict):
            tally.count(kinds.get(n, frozenset()), hidden=hidden)
    spacing = (end[1] - begin[1]) / (end[0] - begin[0]) if begin and end[0] > begin[0] else 0.0
    video = PlannedVideo(
        entry,
        first or 0,
        taken,
        taken * spacing,
        split,
        private=frozenset(kinds if policy.drops else ()) | repeated,
        covered=policy.covers,
        sizes=tuple(sizes),
    )
    return video, tally
