"""Checksums of an export's files, taken while the files are still in memory."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from io import BufferedReader
from pathlib import Path
from typing import Any

from curate.exports.folder import ACCOUNT, PICTURE

_THREADS = 2


class Checksums:
    """Flushes finished files to disk and sums them in the background, while the next ones are written.

    A context manager; leaving it drops what has not begun.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS)
        self._sums: dict[int, Future[str]] = {}

    def __enter__(self) -> Checksums:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def finished(self, path: Path) -> None:
        """Take in a file that will not be written to again; it may still be renamed."""
        stream = open(path, "rb")  # noqa: SIM115
        inode = os.fstat(stream.fileno()).st_ino
        self._sums[inode] = self._pool.submit(_flush_and_sum, stream)

    def files(self, folder: Path) -> dict[str, dict[str, Any]]:
        """Size in bytes and SHA-256 of all files below ``folder``, by relative path with ``/``.

        The account itself is left out, and so are loose pictures, of which there may be millions: their checksums
        are in ``metadata.parquet``.
        """
        paths = (path for path in folder.rglob("*") if path.suffix != PICTURE and path.is_file())
        listed = {path: path.stat() for path in sorted(path for path in paths if path.name != ACCOUNT)}
        for path, status in listed.items():
            if status.st_ino not in self._sums:
                # Opened when its turn comes: there may be more files than a process may have open.
                self._sums[status.st_ino] = self._pool.submit(_open_and_sum, path)
        return {
            path.relative_to(folder).as_posix(): {
                "size": status.st_size,
                "sha256": self._sums[status.st_ino].result(),
            }
            for path, status in listed.items()
        }


def _open_and_sum(path: Path) -> str:
    return _flush_and_sum(open(path, "rb"))


def _flush_and_sum(stream: BufferedReader) -> str:
    with stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
    return checksum
