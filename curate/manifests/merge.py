"""Many entries of many sources into one list of videos, with an account of everything that happened to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from curate.files.urls import redact_url
from curate.manifests.entries import BadRow, Entry, Ignored, LeftOut, Listed, Remark, bad_row
from curate.manifests.identity import carried_id, clean_text, local_id, short_hash
from curate.manifests.opt_out import OptOuts
from curate.manifests.procedures import UNKNOWN, Taxonomy
from curate.manifests.youtube_id import id_behind
from curate.records import Video


@dataclass(frozen=True)
class Duplicate:
    """A row that was merged into an earlier one.

    Attributes:
        id: Of the video.
        kept: Origin of the first row.
        merged: Origin of this row.
        conflicts: Where the two disagree and what was kept, in words.
    """

    id: str
    kept: str
    merged: str
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """Cells of a row that only describe its video and were left empty.

    Attributes:
        id: Of the video.
        origin: ``file:row``.
        text: Which cells, and why.
    """

    id: str
    origin: str
    text: str


@dataclass(frozen=True)
class ManifestReport:
    """What reading sources gave.

    ``rows_read`` = rows that list nothing (``rows_ignored``) + rows among ``bad_rows`` that are not of opt-out lists +
    ``duplicates`` + ``videos`` + ``opted_out``.

    Attributes:
        videos: One a video, in order of first appearance.
        bad_rows: Rows that could not be used, those of opt-out lists first.
        duplicates: Rows merged into earlier ones.
        opted_out: Videos subtracted.
        rows_read: Lines, list items or table rows seen.
        rows_ignored: Of these, empty lines and comments.
        unknown_procedures: Labels that ``labels/procedures.toml`` does not know, as spelt, with their rows.
        uninformative: Ids that their source marks as no surgery; they stay among the videos, since the pipeline judges
            for itself.
        formats: Format of each source.
        notes: Cells that were left empty.
        left_out: What lies in folders of videos and was not taken for a video, with why.
        remarks: What is to be known about whole files.
    """

    videos: tuple[Video, ...]
    bad_rows: tuple[BadRow, ...]
    duplicates: tuple[Duplicate, ...]
    opted_out: tuple[Video, ...]
    rows_read: int
    rows_ignored: int
    unknown_procedures: Mapping[str, int]
    uninformative: tuple[str, ...]
    formats: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def left_out_by_reason(self, names: int = 5) -> list[str]:
        """One line a reason: how many were left out for it, and the first of them by name."""
        groups: dict[str, list[str]] = {}
        for item in self.left_out:
            groups.setdefault(item.why, []).append(item.path)
        return [
            f"{len(paths):,} {why}: {', '.join(paths[:names])}{', ...' if len(paths) > names else ''}"
            for why, paths in groups.items()
        ]


@dataclass
class Merger:
    """Takes entries one by one; `report` ends it."""

    taxonomy: Taxonomy
    opt_outs: OptOuts
    _videos: dict[str, Video] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)
    _bad: list[BadRow] = field(default_factory=list)
    _duplicates: list[Duplicate] = field(default_factory=list)
    _unknown: Counter[str] = field(default_factory=Counter)
    _uninformative: dict[str, None] = field(default_factory=dict)
    _formats: list[tuple[str, str]] = field(default_factory=list)
    _notes: list[Note] = field(default_factory=list)
    _left_out: list[LeftOut] = field(default_factory=list)
    _remarks: list[Remark] = field(default_factory=list)
    _read: int = 0
    _ignored: int = 0

    def start(self, source: str, format: str) -> None:
        """Note the source that the next entries come from."""
        self._formats.append((source, format))

    def add(self, entry: Entry) -> None:
        """Take one entry."""
        self._read += not isinstance(entry, LeftOut | Remark)
        match entry:
            case Ignored():
                self._ignored += 1
            case BadRow():
                self._bad.append(entry)
            case LeftOut():
                self._left_out.append(entry)
            case Remark():
                self._remarks.append(entry)
            case Listed(video=video, informative=informative, notes=notes):
                if notes:
                    self._notes.append(Note(video.id, video.origin, "; ".join(notes)))
                self._add_video(self._normalised(video), informative)

    def report(self) -> ManifestReport:
        """Everything taken so far, opt-outs subtracted."""
        out = [video for video in self._videos.values() if self.opt_outs.covers(video)]
        left_out = {video.id for video in out}
        return ManifestReport(
            videos=tuple(video for video in self._videos.values() if video.id not in left_out),
            bad_rows=(*self.opt_outs.bad_rows, *self._bad),
            duplicates=tuple(self._duplicates),
            opted_out=tuple(out),
            rows_read=self._read,
            rows_ignored=self._ignored,
            unknown_procedures=dict(sorted(self._unknown.items())),
            uninformative=tuple(self._uninformative),
            formats=tuple(self._formats),
            notes=tuple(self._notes),
            left_out=tuple(self._left_out),
            remarks=tuple(self._remarks),
        )

    def _normalised(self, video: Video) -> Video:
        procedures: dict[str, None] = {}
        robotic, domain = video.robotic, video.domain
        for label in video.procedures:
            meaning = self.taxonomy.meaning(label)
            if not meaning.known:
                self._unknown[clean_text(label)] += 1
            procedures.update(dict.fromkeys(meaning.procedures))
            robotic = meaning.robotic if robotic is None else robotic
            domain = meaning.domain if domain == UNKNOWN else domain
        return self._with_domain(replace(video, procedures=tuple(procedures), robotic=robotic, domain=domain))

    def _with_domain(self, video: Video) -> Video:
        if video.robotic:
            return replace(video, domain="robotic")
        if video.domain == UNKNOWN:
            return replace(video, domain=self.taxonomy.domain(video.procedures))
        return video

    def _add_video(self, video: Video, informative: bool) -> None:
        known_as = self._ids.get(video.source)
        if known_as is not None and known_as != video.id:
            video = replace(video, id=known_as)
        first = self._videos.get(video.id)
        if first is not None and first.source != video.source and not _same_video(first, video):
            if not (video.is_local and local_id(Path(video.source)) == video.id):
                position = video.origin.rpartition(":")
                row = int(position[2]) if position[2].isdigit() else 0
                problem = f"the id {video.id} already stands for another video ({first.origin})"
                self._bad.append(bad_row(position[0], row, video.source, problem))
                return
            video = replace(video, id=f"{video.id[:55]}-{short_hash(video.source)}")
            first = self._videos.get(video.id)
        self._ids[video.source] = video.id
        if not informative:
            self._uninformative[video.id] = None
        if first is None:
            self._videos[video.id] = video
            return
        merged, conflicts = merge(first, video)
        self._videos[video.id] = self._with_domain(merged)
        self._duplicates.append(Duplicate(video.id, first.origin, video.origin, conflicts))


def merge(first: Video, second: Video) -> tuple[Video, tuple[str, ...]]:
    """Two rows of one video as one.

    Procedures are united; a robot said by either counts; a known domain wins over ``unknown``; a local file wins over a
    link; of anything else the first row's value is kept where it has one. That two lists are of
    two corpora is no disagreement.

    Returns:
        The video, and in words where the rows disagree.
    """
    conflicts = []
    values: dict[str, object] = {}
    for name in ("title", "licence", "split", "duration", "width", "height", "md5", "channel", "case", "public"):
        ours, theirs = getattr(first, name), getattr(second, name)
        if ours in ("", None):
            values[name] = theirs
        elif theirs not in ("", None) and theirs != ours:
            conflicts.append(f"{name}: kept {ours!r}, not {theirs!r}")
    if first.robotic is not None and second.robotic is not None and first.robotic != second.robotic:
        conflicts.append("robotic: kept True, not False")
    values["robotic"] = first.robotic or second.robotic if second.robotic is not None else first.robotic
    values["corpus"] = first.corpus or second.corpus
    values["procedures"] = tuple(dict.fromkeys((*first.procedures, *second.procedures)))
    values["domain"] = second.domain if first.domain == UNKNOWN else first.domain
    if second.is_local and not first.is_local:
        values["source"] = second.source
        conflicts.append(f"source: kept {second.source!r}, not {redact_url(first.source)!r}")
    return replace(first, **values), tuple(conflicts)  # type: ignore[arg-type]


def _same_video(one: Video, other: Video) -> bool:
    """Whether two rows with one id and different sources mean one video.

    So do a YouTube video, its copies elsewhere and its file on this machine, and two files whose names carry the id
    behind the same title.
    """
    if one.is_local and other.is_local:
        first, second = Path(one.source), Path(other.source)
        return first.stem == second.stem and carried_id(first) == carried_id(second) == one.id
    return all(video.is_local or id_behind(video.source) == video.id for video in (one, other))
