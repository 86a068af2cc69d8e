"""Composing a corpus from a recipe: which videos of which sources are in, in which split, and why others are not."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from curate.config import ExportOptions
from curate.corpus.balance import select_frames
from curate.corpus.duplicates import DuplicateGroup, duplicate_groups
from curate.corpus.foreign import ForeignVideo, ImportedVideo, foreign_id, import_video, scan
from curate.corpus.recipe import FilterOptions, Recipe, Source
from curate.corpus.split_record import read_record, record_path
from curate.corpus.splits import TRAIN, Splits, assign_splits
from curate.corpus.stated import read_stated
from curate.corpus.stills import beyond_cap
from curate.errors import BadArtefact, CurateError
from curate.exports.plan.plan import ExportEntry, PlannedVideo, make_plan
from curate.manifests.opt_out import OptOuts, read_opt_outs
from curate.records import Video
from curate.resources import labels_folder
from curate.run.compare import Compared, Signed, hash_videos, make_matches, signed
from curate.run.deduplicate import Repeats, merged
from curate.run.pipeline import Pipeline
from curate.run.placing import Placed
from curate.run.session import Sources, export_context, export_entry, open_session
from curate.workspace.seals import SealedFiles
from curate.workspace.tables.duplicates import Match, read_matches
from curate.workspace.tables.frames import read_frame_sizes
from curate.workspace.tables.signatures import read_signature

Outcome = Literal[
    "in",
    "pending",
    "dropped",
    "failed",
    "opted_out",
    "unreadable",
    "no_frames",
    "same",
    "filtered",
    "duplicate",
    "aside",
]
"""What became of a video: ``in`` the corpus, or the first reason against it, in this order."""

DUPLICATES = Path("corpus") / "duplicates.parquet"
"""Table of matches in a workspace."""


class Member(NamedTuple):
    """One video of a source, and what became of it: a row of ``composition.csv``.

    Attributes:
        id: In the corpus.
        corpus: Name of the source corpus.
        source: Name of the source of the recipe.
        outcome: See `Outcome`.
        why: In words; empty for those that are in.
        split: Of those that are in.
        frames: That an export takes, before a selection.
        selected: After it.
        seconds: What ``frames`` stand for.
        procedures: With ``;`` between them.
        licence: Of the video, else of the source.
    """

    id: str
    corpus: str
    source: str
    outcome: str
    why: str
    split: str
    frames: int
    selected: int
    seconds: float
    procedures: str
    licence: str


class Unreadable(NamedTuple):
    """A picture of a foreign folder that cannot be read: name of the source, path below its folder, and why."""

    source: str
    picture: str
    why: str


@dataclass(frozen=True)
class Counted:
    """A video with the frames of it that count; see `CountedVideo`."""

    id: str
    corpus: str
    procedures: tuple[str, ...]
    frames: int
    seconds: float


@dataclass(frozen=True)
class Composition:
    """What a recipe makes.

    Attributes:
        members: Every video of every source.
        entries: Of those that are in, as exports are told; without those of sources that are only counted.
        splits: Who is in which split, with the record.
        train: Videos of the training split, for the balance.
        context: Facts about how the sources were made.
        notes: What is to be known, such as names that lists of splits have and no video bears.
        unreadable: Pictures of foreign folders that are left out.
        forbidden: Ids that must not be kept anywhere: purged from a workspace, or opted out.
    """

    members: tuple[Member, ...]
    entries: tuple[ExportEntry, ...]
    splits: Splits
    train: tuple[Counted, ...]
    context: Mapping[str, str]
    notes: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]
    forbidden: frozenset[str]

    def funnel(self) -> Counter[tuple[str, str]]:
        """Videos by source and outcome."""
        return Counter((member.source, member.outcome) for member in self.members)


@dataclass
class _Candidate:
    """A video on its way through a composition."""

    video: Video
    source: Source
    entry: ExportEntry | None = None
    outcome: Outcome = "in"
    why: str = ""
    frames: int = 0
    seconds: float = 0.0
    size: tuple[int, int] = (0, 0)
    origin: str = ""
    known_as: str = ""
    signature: Signed | None = None

    def leave(self, outcome: Outcome, why: str) -> None:
        self.outcome, self.why = outcome, why


@dataclass
class _Found:
    """What the sources gave."""

    candidates: list[_Candidate] = field(default_factory=list)
    matches: list[tuple[Path, str]] = field(default_factory=list)
    context: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)


def compose(recipe: Recipe, out: Path | None, *, write: bool = False) -> Composition:
    """Find out what a recipe makes.

    Args:
        recipe: The recipe.
        out: Folder of the corpus, for what was processed and drawn before, if there is one.
        write: Import foreign pictures into it; else they are only counted by their names.

    Raises:
        CurateError: A source cannot be used; with the file and line of its table.
    """
    found = _Found()
    for source in recipe.sources:
        try:
            _collect(source, out, found, write=write)
        except CurateError as error:
            raise CurateError(f"{source.where}: source {source.name}: {error}") from error
    candidates = found.candidates
    _settle_clashes(candidates)
    _count(candidates, recipe.export)
    for candidate in _still_in(candidates):
        if why := _misfit(candidate, recipe.filter) or _misfit(candidate, candidate.source.filter):
            candidate.leave("filtered", why)
    groups = _duplicates(candidates, found, recipe, out, write=write)
    splits = _split(candidates, groups, recipe, out, found)
    selected = _select(candidates, splits, recipe)
    members = tuple(_member(candidate, splits, selected) for candidate in candidates)
    inside = [candidate for candidate in candidates if candidate.outcome == "in"]
    return Composition(
        members,
        tuple(
            dataclasses.replace(c.entry, video=dataclasses.replace(c.video, split=splits.of[c.video.id]))
            for c in inside
            if c.entry is not None
        ),
        splits,
        tuple(_counted(c) for c in inside if splits.of[c.video.id] == TRAIN),
        dict(sorted(found.context.items())),
        tuple(found.notes),
        tuple(found.unreadable),
        frozenset(found.forbidden),
    )


def _still_in(candidates: Iterable[_Candidate]) -> Iterator[_Candidate]:
    return (candidate for candidate in candidates if candidate.outcome == "in")


def workspace_of(source: Source, out: Path | None) -> Path | None:
    """The workspace of a source: its own, or the one that is made in the corpus for its videos."""
    if source.kind == "workspace":
        return source.path
    return None if out is None else out / "workspaces" / source.name


def _collect(source: Source, out: Path | None, found: _Found, *, write: bool) -> None:
    if source.kind == "frames":
        _collect_frames(source, out if write else None, found)
        return
    root = workspace_of(source, out)
    if root is None or (source.kind == "videos" and not write and not (root / "curate.toml").exists()):
        found.notes.append(f"source {source.name}: its videos are not known until 'curate corpus build'")
        return
    session = open_session(root, write=False, sources=Sources())
    pipeline = session.pipeline
    found.forbidden |= session.exclusions.purged.ids | {video.id for video in session.opted_out}
    for video in session.opted_out:
        found.candidates.append(_Candidate(_told(video, source), source, outcome="opted_out", why="opted out"))
    for video in pipeline.videos:
        told = _told(pipeline.described(video), source)
        candidate = _Candidate(told, source, origin=video.source, known_as=video.id)
        *_, status = pipeline.statuses(video)
        if status.state == "done":
            candidate.entry = _entry(pipeline, video, told)
            candidate.signature = signed(pipeline, video)
        else:
            event = status.event
            reason = f" ({event.reason})" if event is not None and event.reason else ""
            candidate.leave(status.state, f"{status.state} at {status.stage}{reason}")
        found.candidates.append(candidate)
    if (table := root / DUPLICATES).is_file():
        found.matches.append((table, source.name))
    found.context |= {
        f"{source.name}.{key}": value for key, value in export_context(pipeline).items() if key != "curate"
    }


def _entry(pipeline: Pipeline, video: Video, told: Video) -> ExportEntry:
    entry = export_entry(pipeline, video, Placed(Splits({video.id: video.split})), Repeats())
    return dataclasses.replace(entry, video=told)


def _told(video: Video, source: Source) -> Video:
    """A video with what its source says of those that are silent."""
    says = source.options
    return dataclasses.replace(
        video,
        licence=video.licence or says.licence,
        procedures=video.procedures or says.procedures,
        domain=says.domain if says.domain and video.domain == "unknown" else video.domain,
        robotic=says.robotic if video.robotic is None else video.robotic,
        public=says.public if video.public is None else video.public,
        corpus=video.corpus or source.name,
        case=video.case or (video.id if says.case == "video" else ""),
    )


def _collect_frames(source: Source, out: Path | None, found: _Found) -> None:
    """Import the videos of a folder of pictures into the corpus; without one, count them by the names."""
    excluded = read_opt_outs([labels_folder() / "opt_out.txt"])
    for foreign in scan(source.path, source.name, source.options.pattern):
        video = _told(Video(id=foreign.id, source=str(source.path / foreign.name), case=""), source)
        if source.options.case == "video":
            video = dataclasses.replace(video, case=foreign.name)
        candidate = _Candidate(video, source, origin=foreign.name, frames=len(foreign.frames))
        found.candidates.append(candidate)
        if _opted_out(foreign, excluded):
            candidate.leave("opted_out", "opted out")
            found.forbidden.add(foreign.id)
        elif out is not None:
            made = import_video(source.path, foreign, source.options.rate, out / "imported" / source.name)
            found.unreadable += [Unreadable(source.name, name, why) for name, why in made.unreadable.items()]
            candidate.entry = _foreign_entry(video, made)
            candidate.size = (made.width, made.height)
            if not made.count:
                candidate.leave("unreadable", f"none of its {len(foreign.frames)} pictures can be read")
        else:
            numbers = [number for number, _ in foreign.frames]
            candidate.seconds = (numbers[-1] - numbers[0]) / source.options.rate


def _opted_out(foreign: ForeignVideo, excluded: OptOuts) -> bool:
    return foreign.name in excluded.ids or foreign.id in excluded.ids


def _foreign_entry(video: Video, made: ImportedVideo) -> ExportEntry:
    sealed = SealedFiles(video.id, {path: ("curate corpus build", seal) for path, seal in made.seals.items()})
    return ExportEntry(video, made.frames, made.verdicts, None, {}, sealed=sealed)


def _settle_clashes(candidates: Sequence[_Candidate]) -> None:
    """One id is one video: the same video of a later source is left out, and another one gets its source's prefix."""
    first: dict[str, _Candidate] = {}
    for candidate in _still_in(candidates):
        before = first.get(candidate.video.id)
        if before is not None and _is_same(before, candidate):
            candidate.leave("same", f"the video of that id in {before.source.name}")
        elif before is not None:
            candidate.video = dataclasses.replace(candidate.video, id=_prefixed(candidate))
            if candidate.video.id in first:
                candidate.leave("same", f"the video of that id in {first[candidate.video.id].source.name}")
        first.setdefault(candidate.video.id, candidate)


def _prefixed(candidate: _Candidate) -> str:
    return foreign_id(candidate.source.name, candidate.video.id)


def _is_same(one: _Candidate, other: _Candidate) -> bool:
    """Whether two candidates of one id are the same video: of one address, or with the same frames."""
    if one.origin == other.origin or (not one.video.is_local and not other.video.is_local):
        return True
    if one.entry is None or other.entry is None:
        return False
    seals = one.entry.sealed.seal(one.entry.frames), other.entry.sealed.seal(other.entry.frames)
    return seals[0] is not None and seals[0] == seals[1]


def _count(candidates: Sequence[_Candidate], options: ExportOptions) -> None:
    """Count the frames that an export takes of each candidate, and look at their size."""
    counted = [c for c in _still_in(candidates) if c.entry is not None]
    plain = dataclasses.replace(options, val_fraction=0.0, test_fraction=0.0, split_by=(), leaks="keep")
    entries = [dataclasses.replace(c.entry, video=c.video) for c in counted if c.entry is not None]
    plan = make_plan(entries, plain, {})
    planned: dict[str, PlannedVideo] = {video.id: video for video in plan.videos}
    for candidate in counted:
        name = candidate.video.id
        if name in plan.left_out:
            candidate.leave("unreadable", plan.left_out[name])
        elif name not in planned:
            candidate.leave("no_frames", "the export takes none of its frames")
        else:
            candidate.frames, candidate.seconds = planned[name].frames, planned[name].seconds
            candidate.size = _frame_size(candidate)


def _frame_size(candidate: _Candidate) -> tuple[int, int]:
    assert candidate.entry is not None
    try:
        row = next(read_frame_sizes(candidate.entry.frames), None)
    except BadArtefact as error:
        candidate.leave("unreadable", str(error))
        return 0, 0
    return (row.width, row.height) if row else (0, 0)


def _misfit(candidate: _Candidate, wanted: FilterOptions) -> str:
    """Why a video does not fit; empty if it does."""
    video = candidate.video
    if wanted.procedures and not set(wanted.procedures) & set(video.procedures):
        return "procedure"
    if set(wanted.without_procedures) & set(video.procedures):
        return "without_procedures"
    if wanted.domains and video.domain not in wanted.domains:
        return f"domain {video.domain}"
    if wanted.robotic is not None and video.robotic != wanted.robotic:
        return "robotic"
    if wanted.public is not None and video.public != wanted.public:
        return "public"
    if wanted.licences and video.licence not in wanted.licences:
        return f"licence {video.licence}"
    if wanted.corpora and video.corpus not in wanted.corpora:
        return f"corpus {video.corpus}"
    if candidate.entry is not None and not (
        candidate.size[0] >= wanted.min_width and candidate.size[1] >= wanted.min_height
    ):
        return f"resolution {candidate.size[0]}x{candidate.size[1]}"
    return f"{candidate.frames} frames" if candidate.frames < wanted.min_frames else ""


def _duplicates(
    candidates: Sequence[_Candidate], found: _Found, recipe: Recipe, out: Path | None, *, write: bool
) -> list[DuplicateGroup]:
    """Groups of copies among the videos that are in; those that lose are left out, or lose some seconds."""
    inside = {c.video.id: c for c in _still_in(candidates)}
    options = dataclasses.replace(
        recipe.dedup,
        sources=recipe.dedup.sources or tuple(dict.fromkeys(c.video.corpus for c in candidates)),
    )
    compared = _compared(inside.values()) if write and out is not None and recipe.compares else []
    signatures: dict[str, Signed] = {}
    if out is not None and compared:
        signatures, failures = hash_videos(compared, out)
        for name, why in failures.items():
            inside[name].leave("unreadable", why)
        make_matches(signatures, options, out)
    matches = list(_matches(candidates, found, recipe, out))
    groups = duplicate_groups(matches, options, {name: c.video.corpus for name, c in inside.items()})
    if not options.enabled:
        return groups
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for group in groups:
        for name, kept in group.lost.items():
            inside[name].leave("duplicate", f"{kept} shows it")
        for name, cuts in group.cuts.items():
            spans[name] += [(cut.start, cut.end) for cut in cuts]
    for name, signature in signatures.items() if options.scene_frames else ():
        spans[name] += beyond_cap(read_signature(signature.path), options.scene_distance, options.scene_frames)
    for name, lost in spans.items():
        candidate = inside[name]
        if candidate.outcome == "in" and candidate.entry is not None and lost:
            candidate.entry = dataclasses.replace(candidate.entry, repeats=merged(lost))
            _count([candidate], recipe.export)
    return groups


def _compared(candidates: Iterable[_Candidate]) -> list[Compared]:
    return [
        Compared(dataclasses.replace(c.entry, video=c.video), c.signature) for c in candidates if c.entry is not None
    ]


def _matches(candidates: Sequence[_Candidate], found: _Found, recipe: Recipe, out: Path | None) -> Iterator[Match]:
    """Matches between videos that are in, under their ids in the corpus.

    They are those of the corpus where its videos were compared, else those of its workspaces; and those of the recipe.
    """
    inside = {c.video.id for c in _still_in(candidates)}
    renamed = {(c.source.name, c.known_as): c.video.id for c in candidates if c.known_as}
    own = out / DUPLICATES if out is not None else None
    tables = [(own, "")] if own is not None and recipe.compares and own.is_file() else found.matches
    for table, source in (*tables, *((path, "") for path in recipe.dedup.matches)):
        try:
            for match in read_matches(table):
                a, b = (renamed.get((source, name), name) for name in (match.a, match.b))
                if a in inside and b in inside:
                    yield _renamed(match, a, b)
        except BadArtefact as error:
            raise CurateError(f"{recipe.path}: cannot read the table of matches {error.path}: {error.why}") from error


def _renamed(match: Match, a: str, b: str) -> Match:
    """A match under the ids of the corpus, in the order of these."""
    if a < b:
        return match._replace(a=a, b=b)
    swapped = {f"{what}_a": getattr(match, f"{what}_b") for what in ("start", "end", "seconds", "pixels")}
    swapped |= {f"{what}_b": getattr(match, f"{what}_a") for what in ("start", "end", "seconds", "pixels")}
    return match._replace(a=b, b=a, offset=-match.offset, **swapped)


def _split(
    candidates: Sequence[_Candidate], groups: Sequence[DuplicateGroup], recipe: Recipe, out: Path | None, found: _Found
) -> Splits:
    stated: dict[str, str] = {}
    for source in recipe.sources:
        own = [c for c in candidates if c.source is source]
        if not source.options.splits or not own:
            continue
        named = [dataclasses.replace(c.video, case=c.video.case or c.origin) for c in own]
        try:
            listed = read_stated(source.options.splits, named)
        except CurateError as error:
            raise CurateError(f"{source.where}: source {source.name}: {error}") from error
        stated |= listed.of
        if listed.unknown:
            found.notes.append(f"source {source.name}: {len(listed.unknown)} names of its splits are of no video here")
    videos = [dataclasses.replace(c.video, split=stated.get(c.video.id, c.video.split)) for c in _still_in(candidates)]
    record = read_record(recipe.splits.record) if recipe.splits.record is not None else {}
    if out is not None:
        record |= read_record(record_path(out / "corpus", recipe.export))
    record = {key: split for key, split in record.items() if key.kind != "video" or key.name not in found.forbidden}
    splits = assign_splits(videos, recipe.export, record=record, copies=[group.members for group in groups])
    for candidate in _still_in(candidates):
        if why := splits.aside.get(candidate.video.id):
            candidate.leave("aside", why)
    return splits


def _counted(candidate: _Candidate) -> Counted:
    video = candidate.video
    return Counted(video.id, video.corpus, video.procedures, candidate.frames, candidate.seconds)


def _select(candidates: Sequence[_Candidate], splits: Splits, recipe: Recipe) -> dict[str, int]:
    """Frames that are taken of each video that is in."""
    selected = {c.video.id: c.frames for c in _still_in(candidates)}
    if recipe.balance.how != "selection":
        return selected
    train = [_counted(c) for c in _still_in(candidates) if splits.of[c.video.id] == TRAIN]
    return selected | select_frames(train, recipe.tree())


def _member(candidate: _Candidate, splits: Splits, selected: Mapping[str, int]) -> Member:
    video = candidate.video
    is_in = candidate.outcome == "in"
    return Member(
        video.id,
        video.corpus,
        candidate.source.name,
        candidate.outcome,
        candidate.why,
        splits.of[video.id] if is_in else "",
        candidate.frames,
        selected[video.id] if is_in else 0,
        round(candidate.seconds, 3),
        ";".join(video.procedures),
        video.licence,
    )
