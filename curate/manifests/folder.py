"""Local videos: a folder with any depth of subfolders, or one file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from curate.errors import CurateError
from curate.manifests.entries import Entry, Listed, bad_row
from curate.manifests.identity import clean_text, local_id, short_hash
from curate.manifests.text import is_text
from curate.records import Video

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mpe", ".m2v", ".ts",
    ".mts", ".m2ts", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".mxf",
})
# fmt: on
"""File name endings (lower case) that mark a video; the content is looked at when frames are sampled."""


def is_video(path: Path) -> bool:
    """Whether a file is named like a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def video_files(root: Path) -> Iterator[Path]:
    """The videos under a folder, sorted by relative path; hidden files and folders are left out.

    Raises:
        CurateError: A folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise CurateError(f"cannot list {error.filename}: {error.strerror}") from error

    for folder, subfolders, names in os.walk(root, onerror=refuse):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if is_video(path) and not path.is_dir():
                yield path


def read(path: Path) -> Iterator[Entry]:
    """Entries of a folder or of one file; empty and damaged files are listed too.

    The id is the file name without its ending where that can be an id, else a slug with a hash. Of several files
    with one id the first keeps it, and the others get a hash of their path below the folder.

    Raises:
        CurateError: There is no video, or a folder cannot be listed.
    """
    root = path if path.is_dir() else path.parent
    files = list(video_files(path)) if path.is_dir() else [path]
    if not files:
        raise CurateError(f"{path} holds no videos; known endings: {', '.join(sorted(VIDEO_SUFFIXES))}")
    taken: set[str] = set()
    for number, file in enumerate(files, 1):
        relative = file.relative_to(root).as_posix()
        if not is_text(str(file.absolute())):
            shown = os.fsencode(relative).decode("utf-8", "replace")
            yield bad_row(str(path), number, shown, "the file's path is not UTF-8; rename it")
            continue
        video_id = local_id(file)
        if video_id in taken:
            video_id = f"{video_id[:55]}-{short_hash(relative)}"
        taken.add(video_id)
        yield Listed(
            Video(video_id, os.path.abspath(file), title=clean_text(file.stem), origin=clean_text(f"{path}:{number}"))
        )
