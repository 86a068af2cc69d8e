"""Checksums of an export's files, taken while the files are still in memory."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from curate.exports.disk.folder import PICTURE, RECORD

_THREADS = 2
_PIECE = 1 << 20
_GROWTH = 32_000_000


@dataclass(frozen=True)
class Sum:
    """SHA-256 of the first bytes of a file.

    Attributes:
        size: Of how many bytes.
        state: Of the checksum; never updated, only copied.
    """

    size: int = 0
    state: Any = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """In hexadecimal digits."""
        digest: str = self.state.hexdigest()
        return digest

    def extended(self, stream: BinaryIO, size: int) -> Sum:
        """The sum of the first ``size`` bytes of the same file, of which only the new ones are read.

        Less is summed where the file is shorter. A size below that of this sum starts anew.
        """
        before = self if size >= self.size else Sum()
        if size == before.size:
            return before
        state, done = before.state.copy(), before.size
        stream.seek(done)
        while piece := stream.read(min(_PIECE, size - done)):
            state.update(piece)
            done += len(piece)
        return Sum(done, state)


class Checksums:
    """Sums files and begins to flush them in the background, while more is written to them or to the next ones.

    A context manager; leaving it drops what has not begun.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS)
        self._flusher = ThreadPoolExecutor(1)
        self._sums: dict[int, Future[Sum]] = {}
        self._told: dict[Path, int] = {}

    def __enter__(self) -> Checksums:
        return self

    def __exit__(self, *_: object) -> None:
        self._flusher.shutdown(cancel_futures=True)
        self._pool.shutdown(cancel_futures=True)

    def written(self, path: Path) -> Future[Sum]:
        """Take in what a file holds now; more may be appended to it later, and it may be renamed."""
        stream = open(path, "rb")  # noqa: SIM115
        status = os.fstat(stream.fileno())
        self._flusher.submit(_flush, path)
        return self._submit(status.st_ino, status.st_size, lambda: stream)

    def now(self, path: Path) -> dict[str, Any]:
        """Size and SHA-256 of a file that is not written to again, summed by the caller's own thread."""
        with open(path, "rb") as stream:
            known = Sum().extended(stream, os.fstat(stream.fileno()).st_size)
        self.known(path, known)
        return {"size": known.size, "sha256": known.sha256}

    def growing(self, path: Path, size: int) -> None:
        """Have what a file holds now summed if it is much more than last time, so that less is left for its end."""
        if size - self._told.get(path, 0) >= _GROWTH:
            self._told[path] = size
            self.written(path)

    def known(self, path: Path, known: Sum) -> None:
        """Take over the sum of a file that was read before."""
        future: Future[Sum] = Future()
        future.set_result(known)
        self._sums[path.stat().st_ino] = future

    def files(self, folder: Path) -> dict[str, dict[str, Any]]:
        """Size in bytes and SHA-256 of all files below ``folder``, by relative path with ``/``.

        The record itself is left out, and so are loose pictures, of which there may be millions: their checksums
        are in ``metadata.parquet``.
        """
        paths = (path for path in folder.rglob("*") if path.suffix != PICTURE and path.is_file())
        listed = {path: path.stat() for path in sorted(path for path in paths if path.name != RECORD)}
        # Opened when its turn comes: there may be more files than a process may have open.
        sums = {
            path: self._submit(status.st_ino, status.st_size, partial(_opened, path)) for path, status in listed.items()
        }
        return {
            path.relative_to(folder).as_posix(): {"size": status.st_size, "sha256": sums[path].result().sha256}
            for path, status in listed.items()
        }

    def _submit(self, inode: int, size: int, opened: Callable[[], BinaryIO]) -> Future[Sum]:
        before = self._sums.get(inode)
        self._sums[inode] = future = self._pool.submit(_extend, before, size, opened)
        return future


def _opened(path: Path) -> BinaryIO:
    return open(path, "rb")


def _extend(before: Future[Sum] | None, size: int, opened: Callable[[], BinaryIO]) -> Sum:
    """Go on from the sum before, whose turn in the pool came earlier."""
    with opened() as stream:
        return (before.result() if before else Sum()).extended(stream, size)


def _flush(path: Path) -> None:
    """Begin to write a file to disk, so that less is left for the end; what fails here fails there too."""
    with contextlib.suppress(OSError), open(path, "rb") as stream:
        os.fsync(stream.fileno())
