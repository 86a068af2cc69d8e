"""Taking videos out of a workspace for good, and proving that they are gone."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.files.atomic import write_atomic
from curate.manifests import read_manifest
from curate.manifests.opt_out import OptOuts
from curate.manifests.youtube_id import canonical_url
from curate.records import Video
from curate.run.pipeline import STAGES, stage_class
from curate.run.session import open_session, read_purged, store_manifest
from curate.takedown.mentions import Mention, Search, mentions_any, search_tree
from curate.workspace.ledger import forget, read_ledger
from curate.workspace.tree import Workspace

if TYPE_CHECKING:
    from curate.takedown.exports import Rewritten

_HEADER = (
    "# Videos that were purged from this workspace: they are never downloaded or exported again.\n"
    "# The format is that of an opt-out list. Taking a line away lets the video come back.\n"
)

_SHORT = 5
"""Letters below which an id may stand among the bytes of pictures by chance: four stand somewhere in 256^4 bytes, which
is 4 GB, five in 1 TB."""


@dataclass(frozen=True)
class PurgeReport:
    """What a purge did.

    Attributes:
        videos: Ids that were asked for, and those under which the workspace knew these videos.
        unknown: Of these, ids of which the workspace knew nothing; they too are kept out from now on.
        removed: Artefacts that were removed.
        lines: Lines removed from the ledger.
        exports: Exports in which the videos stood.
        search: What the search of the whole workspace saw afterwards.
        remaining: Places that still hold a video.
        chance: Places that hold the letters of an id that is short, a word, or part of another video's texts; its
            artefacts and its rows are gone.
    """

    videos: tuple[str, ...]
    unknown: tuple[str, ...]
    removed: tuple[Path, ...]
    lines: int
    exports: tuple[Rewritten, ...]
    search: Search
    remaining: tuple[Mention, ...]
    chance: tuple[Mention, ...]


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
    not the workspace's but were linked, are left alone.

    Args:
        root: The workspace.
        asked: What to remove.
        lists: Files of the user that name the videos and may lie in the workspace.
        progress: Called as ``progress(format, frames)`` while exports are written.

    Raises:
        CurateError: No workspace, another curate is at work in it, or its options cannot be read.
    """
    workspace = Workspace.open(root)
    with workspace.lock():
        stored = read_manifest(workspace.manifest_path) if workspace.manifest_path.exists() else None
        covered = [video for video in stored or () if asked.covers(video)]
        videos = asked.ids | {video.id for video in covered}
        known = {video.id for video in covered}
        _bury(workspace, videos, asked.sources | {video.source for video in covered if not video.is_local})
        purged = read_purged(workspace)
        left = [video for video in stored or () if not purged.covers(video)]
        if stored is not None:
            store_manifest(workspace, left)
        removed = _remove_artefacts(workspace, purged.ids)
        known |= {_owner(path) for path in removed} | {video for video, _ in read_ledger(workspace.ledger_folder)}
        lines = forget(workspace.ledger_folder, purged.ids)
        exports = _purge_exports(root, workspace, purged, progress)
        known |= {video for export in exports for video in export.videos}
        own = {*lists, *(Path(video.origin.rpartition(":")[0]) for video in left), workspace.purged_path}
        search = search_tree(workspace.root, videos, skip={path.absolute() for path in own})
        remaining, chance = _judge(search.mentions, left, _stage_folders(workspace))
    return PurgeReport(
        videos=tuple(sorted(videos)),
        unknown=tuple(sorted(videos - known)),
        removed=tuple(removed),
        lines=lines,
        exports=tuple(exports),
        search=search,
        remaining=remaining,
        chance=chance,
    )


def _bury(workspace: Workspace, videos: Collection[str], sources: Collection[str]) -> None:
    """Add to the tombstones what they lack."""
    purged = read_purged(workspace)
    links = {source for source in sources if not any(source == canonical_url(video) for video in videos)}
    new = [*sorted(set(videos) - purged.ids), *sorted(links - purged.sources)]
    if new:
        before = workspace.purged_path.read_bytes() if workspace.purged_path.exists() else _HEADER.encode()
        before += b"" if before.endswith(b"\n") else b"\n"
        date = time.strftime("%Y-%m-%d", time.gmtime())
        write_atomic(workspace.purged_path, before + "".join(f"{word}  # purged {date}\n" for word in new).encode())


def _remove_artefacts(workspace: Workspace, videos: Collection[str]) -> list[Path]:
    """Remove every file that belongs to some videos, finished or not, and whatever a killed run left in the root."""
    removed = []
    for folder in sorted(_stage_folders(workspace)):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if _owner(path) in videos:
                _remove(path)
                removed.append(path)
    wanted = sorted(videos)
    for path in sorted((workspace.root / "report").rglob("*"), reverse=True):
        if path.name in videos or (path.is_file() and mentions_any(path, wanted)):
            _remove(path)
            removed.append(path)
    for path in workspace.root.glob(".*"):
        if path.suffix in (".tmp", ".new") and path.is_file():
            path.unlink()
    return removed


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
    root: Path, workspace: Workspace, purged: OptOuts, progress: Callable[[str, int], None] | None
) -> list[Rewritten]:
    if not workspace.exports_folder.is_dir() or not workspace.manifest_path.exists():
        return []
    from curate.takedown.exports import ExportPurge

    return ExportPurge(open_session(root).pipeline, purged, progress).run()


def _judge(
    mentions: Sequence[Mention], left: Sequence[Video], stage_folders: Collection[Path]
) -> tuple[tuple[Mention, ...], tuple[Mention, ...]]:
    """Tell mentions of the purged videos from letters that stand there for another reason."""
    texts = "\n".join(" ".join((v.id, v.source, v.title, v.licence, v.origin, *v.procedures)) for v in left)
    remaining: list[Mention] = []
    chance: list[Mention] = []
    for mention in mentions:
        video = mention.video
        word = video.isalpha() and (video[1:].islower() or video.isupper())
        vague = bool(video) and (len(video) < _SHORT or word or video in texts)
        exact = mention.where == "name" and _owner(mention.path) == video and mention.path.parent in stage_folders
        (chance if vague and not exact else remaining).append(mention)
    return tuple(remaining), tuple(chance)
