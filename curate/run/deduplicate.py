"""Duplicates of a workspace: making the table of what its videos share, and what exports leave out because of it.

The table, ``corpus/duplicates.parquet``, depends on the signatures and on the options by which pictures are looked up;
it has a fingerprint of its own. What becomes of duplicates is decided each time that it is asked for
(`curate.corpus.duplicates`), and nothing is deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curate.config import DedupOptions, fingerprint_fields
from curate.corpus.duplicates import DuplicateGroup, duplicate_groups, is_accepted, kind_of
from curate.errors import BadArtefact, CurateError
from curate.files.atomic import clear, commit, temporary_beside
from curate.files.digest import digest
from curate.records import Reason, Video
from curate.run.pipeline import Pipeline
from curate.run.placing import corpus_folder
from curate.workspace.seals import DamagedArtefact, SealedFiles
from curate.workspace.tables.duplicates import Match, read_fingerprint, read_matches, write_matches
from curate.workspace.tree import Workspace

VERSION = 1
"""Raised when the table changes for unchanged signatures and options."""

Span = tuple[float, float]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Repeats:
    """What exports leave out.

    Attributes:
        groups: Duplicate groups, by their first member.
        lost: Ids of videos that are left out, with the id of the one that stays in their place.
        spans: Seconds that videos lose, in order of time; ends exclusive.
    """

    groups: tuple[DuplicateGroup, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)

    def aside(self, video: str) -> str:
        """Why a video is left out, in words; empty if it is not."""
        return f"{Reason.DUPLICATE} of {self.lost[video]}" if video in self.lost else ""


def table_path(workspace: Workspace) -> Path:
    """``corpus/duplicates.parquet``."""
    return corpus_folder(workspace) / "duplicates.parquet"


def table_fingerprint(pipeline: Pipeline, videos: Sequence[Video]) -> str:
    """What the table of some videos is made of and with."""
    made = []
    for video in sorted(videos, key=lambda video: video.id):
        fingerprints = pipeline.fingerprints(video)
        made.append([video.id, fingerprints["signature"], fingerprints.get("embed", "")])
    return digest({"version": VERSION, "options": fingerprint_fields(pipeline.config.dedup), "videos": made})


def is_current(pipeline: Pipeline, videos: Sequence[Video]) -> bool:
    """Whether the table is there and made of the present signatures of these videos."""
    path = table_path(pipeline.workspace)
    try:
        return path.exists() and read_fingerprint(path) == table_fingerprint(pipeline, videos)
    except BadArtefact:
        return False


def make_table(
    pipeline: Pipeline, videos: Sequence[Video], progress: Callable[[int], object] = lambda videos: None
) -> bool:
    """Compare some videos, unless that was done; the caller holds the workspace.

    Args:
        pipeline: Of the workspace.
        videos: Done at the stage ``signature``.
        progress: Called with the number of videos compared so far.

    Returns:
        Whether there was anything to do.

    Raises:
        DamagedArtefact: A signature cannot be read, or is not the one that its stage left.
    """
    if is_current(pipeline, videos):
        return False
    from curate.corpus.matching import Signed, find_matches
    from curate.corpus.similarity import with_similarity

    signed = [Signed(video.id, pipeline.artefact(video, "signature")) for video in videos]
    embeddings = {video.id: path for video in videos if (path := pipeline.made(video, "embed")) is not None}
    for video, one in zip(videos, signed, strict=True):
        _sealed(pipeline, video).check(one.path, embeddings.get(video.id))
    try:
        matches = with_similarity(find_matches(signed, pipeline.config.dedup, progress), embeddings)
    except BadArtefact as error:
        stage = "signature" if any(one.path == error.path for one in signed) else "embed"
        raise DamagedArtefact(error.path, Path(error.path).stem, stage) from error
    _write(table_path(pipeline.workspace), matches, table_fingerprint(pipeline, videos))
    return True


def _write(path: Path, matches: Sequence[Match], fingerprint: str) -> None:
    """Put a table in place; what killed processes left half written beside it is removed."""
    path.parent.mkdir(exist_ok=True)
    _clear_leftovers(path)
    temporary = temporary_beside(path)
    try:
        write_matches(temporary, matches, fingerprint)
        commit({temporary: path})
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class Found:
    """What the videos of a workspace share.

    Attributes:
        table: Where it stands.
        made: Whether the table was made now.
        videos: How many videos were compared.
        kinds: What each pair of videos is to one another: ``same``, ``excerpt`` or ``part``.
        repeats: What exports would leave out.
        enabled: Whether they do.
    """

    table: Path
    made: bool
    videos: int
    kinds: Mapping[tuple[str, str], str]
    repeats: Repeats
    enabled: bool


def find_duplicates(pipeline: Pipeline, progress: Callable[[int], object] = lambda videos: None) -> Found:
    """Compare all complete videos of a workspace, unless that was done, and tell what comes of it.

    Raises:
        CurateError: No video is complete, another run is at work, or an option makes no sense.
        DamagedArtefact: A signature is not the one that its stage left; it is made again by the next run.
    """
    workspace = pipeline.workspace
    with workspace.lock():
        pipeline.refresh()
        videos = pipeline.complete()
        if not videos:
            raise CurateError(f"no video of {workspace.root} is complete: see 'curate status'")
        try:
            made = make_table(pipeline, videos, progress)
        except DamagedArtefact:
            pipeline.send_back_damaged(videos)
            raise
        repeats = find_repeats(pipeline, videos)
    options = pipeline.config.dedup
    table = table_path(workspace)
    return Found(table, made, len(videos), _kinds(table, options, videos), repeats, options.enabled)


def _kinds(path: Path, options: DedupOptions, videos: Sequence[Video]) -> dict[tuple[str, str], str]:
    ids = {video.id for video in videos}
    pairs: dict[tuple[str, str], list[Match]] = {}
    for match in read_matches(path):
        if match.a in ids and match.b in ids and is_accepted(match, options):
            pairs.setdefault((match.a, match.b), []).append(match)
    return {pair: kind_of(matches, options) for pair, matches in pairs.items()}


def _clear_leftovers(path: Path) -> None:
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        clear(leftover)


def find_repeats(pipeline: Pipeline, videos: Sequence[Video]) -> Repeats:
    """What exports of some videos leave out by the present table and options.

    Args:
        pipeline: Of the workspace.
        videos: Those that may be exported.

    Raises:
        CurateError: ``dedup.rank`` names something unknown, or the table or a signature cannot be read.
    """
    options = pipeline.config.dedup
    known = {video.id: video for video in videos}
    groups = groups_of(table_path(pipeline.workspace), options, known)
    lost = {video: kept for group in groups for video, kept in group.lost.items()}
    spans: dict[str, list[Span]] = {
        video: [(cut.start, cut.end) for cut in cuts] for group in groups for video, cuts in group.cuts.items()
    }
    for video in videos if options.scene_frames else ():
        if video.id not in lost and (path := pipeline.made(video, "signature")):
            spans.setdefault(video.id, []).extend(_beyond_cap(path, options))
    return Repeats(tuple(groups), lost, {video: merged(found) for video, found in spans.items() if found})


def groups_of(path: Path, options: DedupOptions, videos: Mapping[str, Video]) -> list[DuplicateGroup]:
    """Duplicate groups among some videos by a table; none where there is no table.

    Raises:
        CurateError: ``dedup.rank`` names something unknown, or the table cannot be read.
    """
    if not path.exists():
        return []
    try:
        matches = [match for match in read_matches(path) if match.a in videos and match.b in videos]
    except BadArtefact as error:
        raise CurateError(f"{error}: delete it, and 'curate corpus dedup' makes it again") from error
    return duplicate_groups(matches, options, {video.id: video.corpus for video in videos.values()})


def _beyond_cap(path: Path, options: DedupOptions) -> tuple[Span, ...]:
    from curate.corpus.stills import beyond_cap
    from curate.workspace.tables.signatures import read_signature

    try:
        return beyond_cap(read_signature(path), options.scene_distance, options.scene_frames)
    except BadArtefact as error:
        raise CurateError(f"{error}: delete it, and 'curate signature' makes it again") from error


def repeats_for_export(pipeline: Pipeline, videos: Sequence[Video]) -> Repeats:
    """What an export of some videos leaves out; the table is made first if it is not current.

    Nothing where ``dedup.enabled`` is off.

    Raises:
        DamagedArtefact: As `make_table`.
        CurateError: As `find_repeats`.
    """
    if not pipeline.config.dedup.enabled:
        return Repeats()
    if make_table(pipeline, videos):
        log.info("compared %d videos with one another", len(videos))
    return find_repeats(pipeline, videos)


def forget_videos(workspace: Workspace, videos: Collection[str]) -> tuple[str, ...]:
    """Take videos out of the table; the workspace is held.

    What is left of the table is made anew by the next run, since its fingerprint is that of other videos.

    Returns:
        Ids of videos that shared something with them by the table, which show what they showed.
    """
    path = table_path(workspace)
    _clear_leftovers(path)
    if not path.exists():
        return ()
    try:
        matches = list(read_matches(path))
    except BadArtefact:
        path.unlink()
        return ()
    left = [match for match in matches if match.a not in videos and match.b not in videos]
    if len(left) == len(matches):
        return ()
    _write(path, left, "")
    gone = [match for match in matches if match not in set(left)]
    return tuple(sorted({video for match in gone for video in (match.a, match.b)} - set(videos)))


def merged(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Spans in order, those that touch made one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return tuple(found)


def _sealed(pipeline: Pipeline, video: Video) -> SealedFiles:
    seals = pipeline.seals(video, ["signature", "embed"])
    return SealedFiles(video.id, {path: (stage, seal) for stage, of in seals.items() for path, seal in of.items()})
