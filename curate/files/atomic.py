"""Files that appear whole or not at all, and only where they are meant to.

Everything is written under a temporary name in its own folder, flushed to disk and then renamed, so that a file under
its final name is always whole. Temporary names are unique: no two writers, be they processes on one machine or on many
that share a disk, ever write one file.

A workspace may come from a stranger, with links planted where curate is about to write or to clear up. So new files
are created under names that were not there, files of curate's own are opened without following a link, and what is
cleared away is the link and never what it leads to.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from curate.errors import CurateError
from curate.files.disk import naming


def unique_tag() -> str:
    """A text that no other process has and that this one gets once: ``{host}-{pid}-{random}``.

    Letters, digits, ``_`` and ``-`` only. Host and process are for people: hosts of a cluster may share a name, and
    numbers of processes come again.
    """
    host = re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())[:24]
    return f"{host}-{os.getpid()}-{secrets.token_hex(6)}"


def commit(files: Mapping[Path, Path]) -> None:
    """Make finished temporary files durable and give them their final names.

    Args:
        files: Final path of each temporary one, renamed in this order.
    """
    for temporary, final in files.items():
        if not temporary.is_symlink():
            with open(temporary, "rb") as stream:
                os.fsync(stream.fileno())
        os.replace(temporary, final)
    for folder in dict.fromkeys(final.parent for final in files.values()):
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, so that renames in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a small file so that readers see the old content or the new, never a part.

    Raises:
        OSError: It cannot be written; the error names ``path``.
    """
    temporary = temporary_beside(path)
    try:
        with naming(path):
            temporary.write_bytes(data)
            commit({temporary: path})
    finally:
        temporary.unlink(missing_ok=True)


def write_changed(path: Path, data: bytes) -> None:
    """`write_atomic`, unless the file has this content; a link that stands in its place is replaced."""
    if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
        write_atomic(path, data)


def temporary_beside(path: Path) -> Path:
    """Make an empty file in the folder of ``path`` under a name that nothing and nobody else has.

    Returns:
        ``.{name}.{tag}.tmp`` with a `unique_tag`, for the caller to fill and to rename or remove.

    Raises:
        OSError: It cannot be made; the error names ``path``.
    """
    while True:
        temporary = path.with_name(f".{path.name}.{unique_tag()}.tmp")
        try:
            with naming(path):
                os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
            return temporary
        except FileExistsError:
            continue


def check_replaceable(path: Path) -> None:
    """A file that the user named is renamed into its place, which would take away a device or a folder that is there.

    Raises:
        CurateError: Something else than a file is there.
    """
    if path.exists() and not path.is_file():
        raise CurateError(f"cannot write {path}: something is there that is not a file")


def is_temporary(path: Path) -> bool:
    """Whether a file is half written by its name, ``.*.tmp`` or ``.*.new``, or was when its writer was killed."""
    return path.name.startswith(".") and path.suffix in (".tmp", ".new")


def open_own(path: Path, flags: int) -> int:
    """Open a file of curate's own for writing, made if missing; a link that stands there is taken away.

    Args:
        path: The file; one that other processes may have open too: a lock, a ledger.
        flags: For `os.open`, in addition to those for that.

    Returns:
        The descriptor.

    Raises:
        OSError: It cannot be opened, or is a pipe, a device or a folder.
    """
    flags |= os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if path.is_symlink():
        path.unlink()
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "is not a file", str(path))
    return descriptor


def is_planted(path: Path) -> bool:
    """Whether something stands at a path at which curate writes that curate did not leave there.

    That is anything but a folder and a file with this one name: writing to it would reach another place.
    """
    try:
        status = path.lstat()
    except OSError:
        return False
    return not (stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1))


def clear(path: Path) -> None:
    """Remove whatever stands at a path: a file, a folder with all that is in it, a link but not what it leads to.

    Raises:
        OSError: It cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def clear_planted(folder: Path) -> None:
    """Remove every link, pipe and device below a folder, and the folder itself if it is one; follows no link."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        folder.unlink()
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(place, name)  # noqa: PTH118 (there may be millions)
            mode = os.lstat(path).st_mode
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                os.unlink(path)  # noqa: PTH108
