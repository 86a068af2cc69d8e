"""Files of a workspace that nobody needs any more, and removing them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from curate.errors import CurateError
from curate.files.atomic import clear, is_temporary
from curate.files.presence import left_in
from curate.run.pipeline import STAGES, stage_class
from curate.run.session import Session

Kind = Literal["leftover", "unlisted", "switched off"]

WORDS: dict[Kind, str] = {
    "leftover": "begun by a command that was ended, or that is at work now",
    "unlisted": "of videos that the manifest does not list",
    "switched off": "of stages that are switched off",
}
"""What each kind is."""


@dataclass(frozen=True)
class Needless:
    """A file or folder that can go.

    Attributes:
        path: Where it is.
        kind: Why it is not needed.
        size: Bytes that are freed; a link to a file of the user's frees none.
    """

    path: Path
    kind: Kind
    size: int


def needless(session: Session) -> list[Needless]:
    """Find what can go, without removing anything.

    Files of videos whose authors opted out are not among them: `curate purge` takes those out of exports as well.
    Partial downloads of listed videos stay, since the next run goes on with them.
    """
    workspace, pipeline = session.workspace, session.pipeline
    listed = {video.id for video in pipeline.videos} | {video.id for video in session.opted_out}
    on = {spec.stage.folder for spec in pipeline.specs.values()}
    found: list[Needless] = []
    for folder in sorted({stage_class(name).folder for name in STAGES}):
        for path in _inside(workspace.root / folder):
            hidden = path.name.startswith(".")
            video = path.name.removeprefix(".").partition(".")[0]
            if video not in listed:
                found.append(_as(path, "leftover" if hidden else "unlisted"))
            elif folder not in on:
                found.append(_as(path, "switched off"))
            elif hidden and folder != stage_class("download").folder:
                found.append(_as(path, "leftover"))
    for path in _inside(workspace.root / "report" / "masks"):
        if path.name not in listed:
            found.append(_as(path, "unlisted"))
    for path in _inside(workspace.root):
        if is_temporary(path) and not path.is_dir():
            found.append(_as(path, "leftover"))
    found += [_as(path, "leftover") for path in left_in(workspace.root)]
    return found


def clean(session: Session) -> list[Needless]:
    """Remove what can go; returns what went.

    Raises:
        CurateError: Another curate is at work in the workspace, or something cannot be removed.
    """
    with session.workspace.lock():
        found = needless(session)
        for item in found:
            try:
                clear(item.path)
            except OSError as error:
                raise CurateError(f"cannot remove {item.path}: {error.strerror or error}") from error
    return found


def _inside(folder: Path) -> Iterator[Path]:
    """Entries of a folder by name; none where there is no such folder, or a link in its place."""
    if folder.is_dir() and not folder.is_symlink():
        yield from sorted(folder.iterdir())


def _as(path: Path, kind: Kind) -> Needless:
    return Needless(path, kind, _size(path))


def _size(path: Path) -> int:
    if path.is_symlink():
        return 0
    if path.is_dir():
        return sum(_size(inner) for inner in path.iterdir())
    return path.stat().st_size
