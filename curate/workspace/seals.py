"""What a file of the workspace is known by, so that another one in its place is noticed.

The ledger keeps the size and the SHA-256 of every file that an outcome left behind, which ties the file to the
fingerprint of the same line. So a file that was put there by a killed process, whose own line was never written, that
was cut, or whose bits flipped, is not taken for the one that the line speaks of.

Looking at the size is cheap and done wherever a video's state is asked for. The whole file is read where it is used: as
the input of a stage, and once for every export that reads it. Lines of the ledger that were written before there were
seals say nothing: such a file is taken as it is, if it is there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from curate.errors import CurateError


class Seal(NamedTuple):
    """Size in bytes and hex SHA-256 of a file; of the file that it points to, if it is a link."""

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Seal:
        """The seal of a file as it is now.

        Raises:
            OSError: It cannot be read.
        """
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            return cls(stream.tell(), sha256)

    def has_size(self, path: Path | str) -> bool:
        """Whether a file is there and has the right size."""
        try:
            return os.stat(path).st_size == self.size  # noqa: PTH116 (asked for every file of a workspace)
        except OSError:
            return False

    def holds(self, path: Path) -> bool:
        """Whether a file is there and has every byte as it was."""
        try:
            return self.has_size(path) and Seal.of(path) == self
        except OSError:
            return False


def have_sizes(folder: str, files: Mapping[str, Seal]) -> bool:
    """Whether all files of an outcome are there and have the right sizes; asked for every video of a workspace.

    Args:
        folder: Their folder, with the slash.
        files: Their seals by name.
    """
    try:
        for name, seal in files.items():
            if os.stat(folder + name).st_size != seal.size:  # noqa: PTH116
                return False
    except OSError:
        return False
    return True


def have_sizes_at_once(files: Sequence[tuple[str, int]]) -> bool:
    """Whether many files are there and have the right sizes, asked without Python's lock: for threads.

    Args:
        files: Paths and bytes.

    Returns:
        ``False`` as well where that cannot be told of all at once: of a name that is not UTF-8, say.
    """
    from pyarrow import fs

    try:
        found = fs.LocalFileSystem().get_file_info([path for path, _ in files])
    except (OSError, ValueError):
        return False
    return [each.size for each in found] == [size for _, size in files]


class DamagedArtefact(CurateError):
    """A file of the workspace is gone or is not the one that its stage left there.

    Attributes:
        path: The file.
        video: Id of the video.
        stage: Stage that can make it again.
    """

    def __init__(self, path: Path, video: str, stage: str) -> None:
        super().__init__(f"{path} is not as {stage} left it: 'curate run' makes it again")
        self.path, self.video, self.stage = path, video, stage


class Stamp(NamedTuple):
    """What the system tells of a file: another stamp after any write, whatever times are set afterwards."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of a file as it is now; raises `OSError` if there is none."""
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


class SealedFiles:
    """The files of one video, each read against its seal once as long as it does not change.

    For the many readers of one export; not a guard against a file that changes while it is read. What one process has
    read is told to others of the same export: it travels with this object, and back by `sound` and `trust`. It is kept
    nowhere else, so another export reads all files again.

    Args:
        video: Id of the video.
        files: Stage that made a file, and its seal. Files that are not among them are not checked.
    """

    def __init__(self, video: str = "", files: Mapping[Path, tuple[str, Seal]] | None = None) -> None:
        self._video = video
        self._files = {str(path): known for path, known in (files or {}).items()}  # texts travel in a fifth of the time
        self._sound: dict[str, Stamp] = {}

    @property
    def sound(self) -> Mapping[str, Stamp]:
        """Files that were found to be as their stages left them, as they were then, by their paths as texts."""
        return dict(self._sound)

    def trust(self, sound: Mapping[str, Stamp]) -> None:
        """Take another process of the same export at its word for what it found to be `sound`."""
        self._sound.update(sound)

    def seal(self, path: Path | None) -> Seal | None:
        """The seal of a file, if it has one."""
        known = self._files.get(str(path))
        return known[1] if known is not None else None

    def check(self, *paths: Path | None) -> None:
        """Hold files against their seals.

        Raises:
            DamagedArtefact: One is gone, or not as its stage left it.
        """
        for path in paths:
            if path is not None and (known := self._files.get(str(path))) is not None:
                stage, seal = known
                if not self._holds(path, seal):
                    raise DamagedArtefact(path, self._video, stage)

    def check_all_but(self, *paths: Path | None) -> None:
        """Hold all files but some against their seals; raises as `check`."""
        but = set(map(str, paths))
        self.check(*(Path(path) for path in self._files if path not in but))

    def _holds(self, path: Path, seal: Seal) -> bool:
        try:
            stamp = Stamp.of(path)
        except OSError:
            return False
        if self._sound.get(str(path)) == stamp:
            return True
        if not seal.holds(path):
            return False
        self._sound[str(path)] = stamp
        return True
