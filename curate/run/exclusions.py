"""Videos that a workspace must not use: those that were purged, and those whose authors opted out.

Both are subtracted whenever a workspace is opened (DESIGN.md, Workspace), not only when a list is read. ``purged.txt``
holds the tombstones of `curate.takedown.purge`, ``opt_out.txt`` what ``--opt-out`` named in this workspace; both have
the format of ``labels/opt_out.txt``. Beside ``purged.txt`` lies ``purged.sha256``, one SHA-256 a tombstone, which names
nobody and tells a damaged ``purged.txt`` from a whole one: with tombstones that cannot be trusted no work is done.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.errors import CurateError
from curate.files.atomic import write_atomic
from curate.manifests.opt_out import OptOuts, read_opt_outs
from curate.manifests.youtube_id import canonical_url
from curate.records import Video
from curate.resources import labels_folder
from curate.verdicts.journal import read_journal
from curate.verdicts.settle import settle
from curate.workspace.tree import Workspace

_PURGED = (
    "# Videos that were purged from this workspace: they are never downloaded or exported again.\n"
    "# The format is that of an opt-out list. To let a video come back, take its line away and delete purged.sha256.\n"
)
_OPTED_OUT = (
    "# Videos that --opt-out named in this workspace: no command uses them. A line taken away lets one come back.\n"
)


@dataclass(frozen=True)
class Exclusions:
    """What must not be used.

    Attributes:
        purged: Tombstones.
        opted_out: The shipped list, the workspace's own, what was opted out in a review, and the lists given now.
        given: Of these, what the lists given now name, with the lines of them that could not be understood.
    """

    purged: OptOuts
    opted_out: OptOuts
    given: OptOuts

    def split(self, videos: Iterable[Video]) -> tuple[list[Video], list[Video]]:
        """Videos that may be used, and those whose authors opted out; purged ones are in neither."""
        used: list[Video] = []
        opted_out: list[Video] = []
        for video in videos:
            if not self.purged.covers(video):
                (opted_out if self.opted_out.covers(video) else used).append(video)
        return used, opted_out


def read_exclusions(workspace: Workspace, given: Sequence[Path] = ()) -> Exclusions:
    """Read what must not be used in a workspace.

    Args:
        workspace: It need not exist yet.
        given: Further opt-out lists.

    Raises:
        CurateError: A list cannot be read; one of the workspace's has a line that is neither an id nor a URL; or
            tombstones are missing.
    """
    own = [path] if (path := workspace.opt_out_path).exists() else []
    named = read_opt_outs(given)
    opted_out = _whole(read_opt_outs([labels_folder() / "opt_out.txt", *own]))
    opted_out.ids |= named.ids | settle(read_journal(workspace.decisions_folder)).opted_out
    opted_out.sources |= named.sources
    return Exclusions(read_purged(workspace), opted_out, named)


def read_purged(workspace: Workspace) -> OptOuts:
    """What was purged from a workspace, and so must not come back.

    Raises:
        CurateError: ``purged.txt`` is damaged: it has a line that makes no sense, or lacks a tombstone.
    """
    path = workspace.purged_path
    purged = _whole(read_opt_outs([path])) if path.exists() else OptOuts()
    written = _digests_on_disk(workspace)
    if missing := written - {_digest(word) for word in (*purged.ids, *purged.sources)}:
        raise CurateError(
            f"{path} lacks {len(missing)} of {len(written)} tombstones: it was damaged, or edited by hand. Put their "
            f"lines back; if you took them away on purpose, delete {path.with_suffix('.sha256')}"
        )
    return purged


def bury(workspace: Workspace, videos: Collection[str], sources: Collection[str]) -> None:
    """Add tombstones; the workspace's lock is held.

    Args:
        workspace: The workspace.
        videos: Ids.
        sources: URLs; those that only spell an id again are left out.

    Raises:
        CurateError: As `read_purged`.
    """
    purged = read_purged(workspace)
    links = {source for source in sources if not any(source == canonical_url(video) for video in videos)}
    _append(
        workspace.purged_path, _PURGED, [*sorted(set(videos) - purged.ids), *sorted(links - purged.sources)], "purged"
    )
    words = {*purged.ids, *purged.sources, *videos, *links}
    digests = "".join(f"{line}\n" for line in sorted(_digests_on_disk(workspace) | set(map(_digest, words)))).encode()
    path = workspace.purged_path.with_suffix(".sha256")
    if words and not (path.exists() and path.read_bytes() == digests):
        write_atomic(path, digests)


def remember_opt_outs(workspace: Workspace, named: OptOuts) -> None:
    """Add what ``--opt-out`` named to the workspace's own list, for later commands to heed; the lock is held."""
    path = workspace.opt_out_path
    known = read_opt_outs([path]) if path.exists() else OptOuts()
    links = {
        source for source in named.sources - known.sources if not any(source == canonical_url(v) for v in named.ids)
    }
    _append(path, _OPTED_OUT, [*sorted(named.ids - known.ids), *sorted(links)], "named")


def _append(path: Path, header: str, words: Sequence[str], verb: str) -> None:
    """Add lines to a list; the file is made if there are any."""
    if words:
        before = path.read_bytes() if path.exists() else header.encode()
        before += b"" if before.endswith(b"\n") else b"\n"
        date = time.strftime("%Y-%m-%d", time.gmtime())
        write_atomic(path, before + "".join(f"{word}  # {verb} {date}\n" for word in words).encode())


def _whole(lists: OptOuts) -> OptOuts:
    """Lists of which every line was understood: one that was not may name a video that must not be used.

    Raises:
        CurateError: With the first line that was not.
    """
    if lists.bad_rows:
        raise CurateError(
            f"bad row: {lists.bad_rows[0]}. {len(lists.bad_rows)} lines of lists of videos that must not be used "
            "cannot be understood: mend them before any work is done"
        )
    return lists


def _digests_on_disk(workspace: Workspace) -> set[str]:
    path = workspace.purged_path.with_suffix(".sha256")
    try:
        return set(path.read_text(encoding="ascii", errors="replace").split())
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise CurateError(f"cannot read {path}: {error.strerror}") from error


def _digest(word: str) -> str:
    return hashlib.sha256(word.encode("utf-8", "surrogateescape")).hexdigest()
