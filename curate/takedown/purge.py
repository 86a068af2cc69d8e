"""Taking videos out of a workspace for good, and proving that they are gone."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.corpus.classes import class_of, forget_classes
from curate.corpus.split_record import forget_in_records
from curate.errors import CurateError, why_of
from curate.files.atomic import clear, is_temporary
from curate.manifests.opt_out import OptOuts
from curate.records import Video
from curate.report.pages.write import rewrite_lists
from curate.run.deduplicate import forget_videos
from curate.run.exclusions import bury, read_purged
from curate.run.neighbours import forget_neighbours
from curate.run.pipeline import STAGES, stage_class
from curate.run.placing import corpus_folder
from curate.run.session import open_session, store_manifest, stored_manifest
from curate.takedown.mentions import SHORT, Mention, Search, search_tree
from curate.verdicts.journal import forget_decisions
from curate.workspace.ledger import forget, read_ledger
from curate.workspace.run_log import forget_in_logs
from curate.workspace.tree import Workspace

if TYPE_CHECKING:
    from curate.takedown.exports import Rewritten

log = logging.getLogger(__name__)

_ID_COLUMNS = frozenset({"column video_id", "column key", "column id", "column video", "column __key__"})
"""Places in which nothing but ids and keys stands."""


@dataclass(frozen=True)
class PurgeReport:
    """What a purge did.

    Attributes:
        videos: Ids that were asked for, and those under which the workspace knew these videos.
        unknown: Of these, ids of which the workspace knew nothing; they too are kept out from now on.
        removed: Artefacts that were removed.
        lines: Lines removed from the ledger, from the logs and from the decisions of reviewers.
        exports: Exports in which the videos stood.
        search: What the search of the whole workspace saw afterwards.
        remaining: Places that still hold a video.
        chance: Places that hold the letters of an id that is short, a word, or part of another video's texts; its
            artefacts and its rows are gone.
        problems: Why there is no proof that nothing else remains.
        copies: Ids of other videos that show what the purged ones showed, or a part, by the table of duplicates.
        alike: Ids of videos that stay and that differ from an unknown one in capitals only.
        pages: Videos that stay and whose pages of the report, which named the purged ones, are gone until the next
            ``curate report``; ``None`` if there was no report, or its lists could not be written anew and are gone.
    """

    videos: tuple[str, ...]
    unknown: tuple[str, ...]
    removed: tuple[Path, ...]
    lines: int
    exports: tuple[Rewritten, ...]
    search: Search
    remaining: tuple[Mention, ...]
    chance: tuple[Mention, ...]
    problems: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    pages: int | None = None

    @property
    def proven(self) -> bool:
        """Whether nothing of the videos is left, as far as the workspace reaches."""
        kept = any(export.state == "kept" for export in self.exports)
        return not (kept or self.remaining or self.problems)


def purge(
    root: Path,
    asked: OptOuts,
    *,
    lists: Collection[Path] = (),
    progress: Callable[[str, int], None] | None = None,
) -> PurgeReport:
    """Remove videos from a workspace and from each of its exports.

    The tombstones in ``purged.txt`` come first; whatever happens then, no run uses the videos again, and the next purge
    finishes what this one could not: it removes all videos that have a tombstone. The videos' own files, when they are
    not the workspace's but were linked, are left alone. Where something cannot be read, the rest is done, and the
    report says that there is no proof.

    Args:
        root: The workspace.
        asked: What to remove.
        lists: Files of the user that name the videos and may lie in the workspace.
        progress: Called as ``progress(format, frames)`` while exports are written.

    Raises:
        CurateError: No workspace, another curate is at work in it, or its options cannot be read.
    """
    workspace = Workspace.open(root)
    with workspace.lock() as lock, workspace.reporting():
        problems = []
        bury(workspace, asked.ids, asked.sources)
        try:
            stored = stored_manifest(workspace)
        except CurateError as error:
            stored = None
            problems.append(
                f"{error}: other ids of these videos are not known; give the list anew with 'curate run SOURCE'"
            )
        covered = [video for video in stored or () if asked.covers(video)]
        videos = asked.ids | {video.id for video in covered}
        known = {video.id for video in covered}
        bury(workspace, videos, asked.sources | {video.source for video in covered if not video.is_local})
        purged = read_purged(workspace)
        left = [video for video in stored or () if not purged.covers(video)]
        if stored is not None:
            store_manifest(workspace, left)
        reported = (workspace.root / "report" / "videos").is_dir()
        removed = _remove_artefacts(workspace, purged.ids)
        forget_in_records(corpus_folder(workspace), purged.ids)
        if stored is not None:
            forget_classes(corpus_folder(workspace), {class_of(video) for video in left})
        copies = forget_videos(workspace, purged.ids)
        known |= {_owner(path) for path in removed} | {video for video, _ in read_ledger(workspace.ledger_folder)}
        removed += forget_neighbours(workspace)
        lines = forget(workspace.ledger_folder, purged.ids)
        words = {word for v in covered for word in (v.title, v.source) if len(word) >= SHORT}
        try:
            lines += forget_in_logs(workspace.logs_folder, {*purged.ids, *purged.sources, *words})
        except CurateError as error:
            problems.append(str(error))
        try:
            lines += forget_decisions(workspace.decisions_folder, purged.ids)
        except CurateError as error:
            problems.append(str(error))
        try:
            exports = _purge_exports(root, workspace, purged, progress, lock)
        except CurateError as error:
            exports = []
            problems.append(f"the exports were not looked at: {error}")
        known |= {video for export in exports for video in export.videos}
        pages = _rewrite_report(root) if reported else None
        own = {*lists, *(Path(video.origin.rpartition(":")[0]) for video in left), workspace.purged_path}
        search = search_tree(workspace.root, videos, skip={path.absolute() for path in own})
        remaining, chance = _judge(search.mentions, left, _stage_folders(workspace))
    unknown = sorted(videos - known)
    folded = {video.casefold() for video in unknown}
    return PurgeReport(
        videos=tuple(sorted(videos)),
        unknown=tuple(unknown),
        removed=tuple(removed),
        lines=lines,
        exports=tuple(exports),
        search=search,
        remaining=remaining,
        chance=chance,
        problems=tuple(problems),
        copies=copies,
        alike=tuple(video.id for video in left if video.id.casefold() in folded),
        pages=pages,
    )


def _remove_artefacts(workspace: Workspace, videos: Collection[str]) -> list[Path]:
    """Remove every file that belongs to some videos, finished or not, and what killed ones left beside records."""
    removed = []
    for folder in sorted(_stage_folders(workspace)):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if _owner(path) in videos:
                _remove(path)
                removed.append(path)
    for path in _in_report(workspace.root / "report", videos):
        _remove(path)
        removed.append(path)
    records = workspace.ledger_folder, workspace.logs_folder, workspace.decisions_folder, corpus_folder(workspace)
    for folder in (workspace.root, *records):
        for path in folder.glob(".*"):
            if is_temporary(path) and path.is_file():
                path.unlink()
    return removed


def _in_report(folder: Path, videos: Collection[str]) -> list[Path]:
    """Folders and files of the report that are some videos', or name them; the innermost first.

    Pictures hold no text, and bytes like a short id by chance.
    """
    files = sorted(folder.rglob("*"), reverse=True)
    named = search_tree(folder, videos, skip={path for path in files if path.suffix == ".jpg"}).mentions
    naming = {m.path for m in named if m.where != "name" and any(_is_of(word, {m.video}) for word in m.words)}
    return [path for path in files if path.name in videos or path in naming]


def _rewrite_report(root: Path) -> int | None:
    """Let the lists and figures of the report tell of what is left; ``None`` if they are taken away instead."""
    try:
        return rewrite_lists(open_session(root))
    except (CurateError, OSError) as error:
        log.warning("the lists of the report are taken away, since they cannot be written anew: %s", why_of(error))
    for name in ("index.html", "worst.html", "data"):
        clear(root / "report" / name)
    return None


def _stage_folders(workspace: Workspace) -> set[Path]:
    return {workspace.root / stage_class(name).folder for name in STAGES}


def _owner(path: Path) -> str:
    """Id of the video to which a file of a stage belongs: ``{id}.*``, or ``.{id}.tmp*`` while it is written."""
    return path.name.removeprefix(".").partition(".")[0]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _purge_exports(
    root: Path, workspace: Workspace, purged: OptOuts, progress: Callable[[str, int], None] | None, lock: Path
) -> list[Rewritten]:
    if not workspace.exports_folder.is_dir():
        return []
    from curate.takedown.exports import ExportPurge

    return ExportPurge(open_session(root).pipeline, purged, progress, lock).run()


def _judge(
    mentions: Sequence[Mention], left: Sequence[Video], stage_folders: Collection[Path]
) -> tuple[tuple[Mention, ...], tuple[Mention, ...]]:
    """Tell mentions of the purged videos from letters that stand there for another reason.

    What counts are whole words: keys, ids and names of files of videos that stay may hold a purged id as a part. A word
    that is the id, or the key of one of its frames, is a mention; where the id may be a word of a language, of few
    letters, or part of the texts of another video, it is one only where ids stand.
    """
    ids = {video.id for video in left}
    texts = "\n".join(
        " ".join((v.id, v.source, v.title, v.licence, v.origin, v.channel, v.case, v.corpus, *v.procedures))
        for v in left
    )
    remaining: list[Mention] = []
    chance: list[Mention] = []
    for mention in mentions:
        found = not mention.video or any(
            _is_mention(mention, word, texts, stage_folders) for word in mention.words if not _is_of(word, ids)
        )
        (remaining if found else chance).append(mention)
    return tuple(remaining), tuple(chance)


def _is_of(word: str, ids: Collection[str]) -> bool:
    """Whether a word is one of some ids, or the key of one of their frames: ``{id}_{n}``."""
    video, _, number = word.rpartition("_")
    return word in ids or (number.isdecimal() and video in ids)


def _is_mention(mention: Mention, word: str, texts: str, stage_folders: Collection[Path]) -> bool:
    """Whether a word that holds a purged id, and that no other video explains, speaks of the purged video."""
    video, path = mention.video, mention.path
    if _is_of(word, {video}):
        file = mention.where == "name" and (path.parent in stage_folders or not path.is_dir())
        if file or mention.where in _ID_COLUMNS or (word != video and len(word) >= SHORT):
            return True
    vague = len(video) < SHORT or (video.isalpha() and (video[1:].islower() or video.isupper())) or video in texts
    return not vague
