"""Local videos: a folder with any depth of subfolders, or one file."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from curate.errors import CurateError
from curate.files.text import printable
from curate.manifests.entries import Entry, LeftOut, Listed, bad_row
from curate.manifests.identity import carried_id, clean_text, local_id, short_hash
from curate.manifests.sniff import is_dicom_video, looks_like_dicom, looks_like_video
from curate.manifests.text import is_text
from curate.records import Video

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mp4v", ".mov", ".qt", ".mj2", ".3gp", ".3gpp", ".3g2", ".3gp2", ".f4v", ".ism", ".ismv",
    ".psp", ".lrv", ".insv", ".360", ".mkv", ".mk3d", ".webm", ".avi", ".divx", ".xvid", ".amv", ".wmv", ".asf",
    ".wtv", ".dvr-ms", ".flv", ".kux", ".rm", ".rmvb", ".ivr", ".ogv", ".ogm", ".ogx", ".nut", ".nuv", ".nsv",
    ".mpg", ".mpeg", ".mpe", ".mpv", ".m1v", ".m2v", ".m2p", ".mp2v", ".mpg2", ".mpeg2", ".mpeg4", ".mod",
    ".tod", ".vob", ".vro", ".evo", ".ps", ".pss", ".ts", ".mts", ".m2t", ".m2ts", ".mpegts", ".tp", ".trp",
    ".ty", ".ty+", ".sga", ".mxf", ".mxg", ".imx", ".gxf", ".lxf", ".dv", ".dif", ".dav", ".ifv", ".lvf",
    ".h261", ".h263",
    ".h264", ".264", ".h26l", ".avc", ".h265", ".265", ".hevc", ".h266", ".266", ".vvc", ".evc", ".obu", ".ivf",
    ".vc1", ".rcv", ".drc", ".dirac", ".dnxhd", ".dnxhr", ".apv", ".avs2", ".avs3", ".mjpg", ".mjpeg", ".y4m",
    ".cine", ".mlv", ".ser", ".mvi", ".mv", ".viv", ".vivo", ".moflex", ".mods", ".bik", ".bk2", ".smk", ".roq",
    ".usm", ".pdv", ".flm", ".cdxl", ".xl", ".bmv", ".ipu", ".xmv", ".yop", ".svi", ".thp", ".r3d", ".mtv",
})
# fmt: on
"""File name endings (lower case) that mark a video; the content is looked at when frames are sampled."""

DOUBTFUL_SUFFIXES = frozenset({"", ".dat", ".rec", ".vid", ".ogg", ".str", ".avs", ".bit", ".cgi", ".cif", ".tmp"})
"""Endings that mark a video if the file begins like one."""

_PART = re.compile(
    r".*\.(?:f\d{1,4}(?:-[\w.]+)?|f(?:hls|dash|http|rtmp|mpd)[-_][\w-]+)\.\w{2,4}|.*\.temp\.\w{2,4}"
    r"|.*\.(?:part|ytdl|crdownload|download|aria2|partial|opdownload)|.*\.part-frag\d+(?:\.part)?",
    re.IGNORECASE,
)
"""Names that yt-dlp and browsers give to the parts of a download and to unfinished files."""

PART = "part of a download: finish or merge it"
HIDDEN = "hidden"
NOT_NAMED = "not named like a video"


def is_video(path: Path) -> bool:
    """Whether a file is named like a video of its own."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".") and not _PART.fullmatch(path.name)


@dataclass
class Scan:
    """What a folder holds.

    Attributes:
        videos: Files, sorted by relative path; those of linked folders come last.
        left_out: Everything else, with why.
    """

    videos: list[Path] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def scan(root: Path) -> Scan:
    """Look through a folder and its subfolders.

    A link to a folder is followed once, unless it leads to a folder that is looked through anyhow or to one that holds
    ``root``; a link to a file counts unless it leads to a video that is listed anyhow.

    Raises:
        CurateError: The folder cannot be listed.
    """
    found = Scan()
    walk = _Walk(root, found)
    try:
        os.scandir(root).close()
    except OSError as error:
        raise CurateError(f"cannot list {root}: {error.strerror}") from error
    walk.run()
    return found


class _Walk:
    def __init__(self, root: Path, found: Scan) -> None:
        self._root = root
        self._found = found
        self._visited: set[tuple[int, int]] = set()
        self._files: set[tuple[int, int]] = set()
        self._linked_folders: list[Path] = []
        self._linked_files: list[Path] = []
        self._above = {_identity(folder) for folder in root.resolve().parents}

    def run(self) -> None:
        self._folder(self._root)
        while self._linked_folders:
            link = self._linked_folders.pop(0)
            identity = _identity(link)
            if identity in self._above:
                self._leave_out(link, "a link to a folder that holds this one")
            elif identity in self._visited:
                self._leave_out(link, "a link to a folder that is looked through already")
            else:
                self._folder(link)
        for link in self._linked_files:
            try:
                known = _identity(link) in self._files
            except OSError:
                known = False
            if known:
                self._leave_out(link, "a link to a video that is listed already")
            else:
                self._found.videos.append(link)

    def _folder(self, top: Path) -> None:
        """Look through a folder; deep trees need no deep stack."""
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            try:
                identity = _identity(folder)
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                self._leave_out(folder, f"cannot be listed: {error.strerror}")
                continue
            if identity in self._visited:
                continue
            self._visited.add(identity)
            subfolders = []
            for entry in entries:
                if (folder_below := self._entry(Path(entry.path), entry)) is not None:
                    subfolders.append(folder_below)
            waiting += reversed(subfolders)

    def _entry(self, path: Path, entry: os.DirEntry[str]) -> Path | None:
        """Take in one entry of a folder; a subfolder is handed back."""
        try:
            is_folder, linked = entry.is_dir(), entry.is_symlink()
        except OSError:
            is_folder, linked = False, True
        if entry.name.startswith("."):
            if is_folder or path.suffix.lower() in VIDEO_SUFFIXES:
                self._leave_out(path, HIDDEN)
        elif is_folder and linked:
            self._linked_folders.append(path)
        elif is_folder:
            return path
        else:
            self._file(path, linked)
        return None

    def _file(self, path: Path, linked: bool) -> None:
        if (why := _why_not(path)) is not None:
            self._leave_out(path, why)
        elif linked:
            self._linked_files.append(path)
        else:
            self._found.videos.append(path)
            self._files.add(_identity(path))

    def _leave_out(self, path: Path, why: str) -> None:
        self._found.left_out.append(LeftOut(printable(path.relative_to(self._root).as_posix()), why))


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _why_not(path: Path) -> str | None:
    """Why a file is no video of its own; ``None`` if it is one."""
    suffix = path.suffix.lower()
    if _PART.fullmatch(path.name):
        return PART
    named = suffix in VIDEO_SUFFIXES
    try:
        mode = path.stat().st_mode
    except OSError:
        return None if named else NOT_NAMED
    if not stat.S_ISREG(mode):
        return "a pipe, a device or a socket"
    if named:
        return None
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if looks_like_dicom(head):
        return DICOM if is_dicom_video(head) else "a DICOM file without video"
    if not looks_like_video(head):
        return f"{NOT_NAMED} ({suffix or 'no ending'})"
    return (
        None if suffix in DOUBTFUL_SUFFIXES else f"begins like a video and is not named like one ({suffix}): rename it"
    )


DICOM = "a DICOM video: take the stream out of it, as with 'gdcmraw -i FILE.dcm -o FILE.mp4'"


def read(path: Path, looked: Scan | None = None) -> Iterator[Entry]:
    """Entries of a folder or of one file; empty and damaged files are listed too.

    The id is the YouTube id that the file name carries, or the file name without its ending where that can be an id,
    else a slug with a hash. Of several files with one name the first keeps it as its id, and the others get a hash of
    their path below the folder; files that carry the same YouTube id are told apart when lists are merged.

    Args:
        path: The folder or the file.
        looked: What `scan` found in the folder, if that is known.

    Raises:
        CurateError: There is no video, or a folder cannot be listed.
    """
    if path.is_dir():
        root, found = path, looked or scan(path)
    else:
        root, found = path.parent, Scan([path])
        if (why := _why_not(path)) is not None and (why == PART or not why.startswith(NOT_NAMED)):
            raise CurateError(f"{path}: {why}")
    if not found.videos:
        raise CurateError(f"{path} holds no videos; known endings: {', '.join(sorted(VIDEO_SUFFIXES))}")
    yield from found.left_out
    taken: set[str] = set()
    for number, file in enumerate(found.videos, 1):
        relative = file.relative_to(root).as_posix()
        if not is_text(str(file.absolute())):
            shown = os.fsencode(relative).decode("utf-8", "replace")
            yield bad_row(str(path), number, shown, "the file's path is not UTF-8; rename it")
            continue
        video_id = local_id(file)
        if video_id in taken and carried_id(file) is None:
            video_id = f"{video_id[:55]}-{short_hash(relative)}"
        taken.add(video_id)
        yield Listed(
            Video(video_id, os.path.abspath(file), title=clean_text(file.stem), origin=clean_text(f"{path}:{number}"))
        )
