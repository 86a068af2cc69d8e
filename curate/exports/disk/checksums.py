"""Sizes and checksums of an export's files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from curate.exports.disk.folder import PICTURE, RECORD

_THREADS = 2
_PIECE = 1 << 20


class FileFacts(NamedTuple):
    """What a file is known by.

    Attributes:
        size: In bytes.
        sha256: In hexadecimal digits.
    """

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path, tick: Callable[[], None] = lambda: None) -> FileFacts:
        """Read a file.

        Args:
            path: The file.
            tick: Called for each piece.

        Raises:
            OSError: It cannot be read.
        """
        checksum, size = hashlib.sha256(), 0
        with open(path, "rb", buffering=0) as stream:
            piece = memoryview(bytearray(min(_PIECE, os.fstat(stream.fileno()).st_size + 1)))
            while count := stream.readinto(piece):
                checksum.update(piece[:count])
                size += count
                tick()
        return cls(size, checksum.hexdigest())

    def hold(self, path: Path, tick: Callable[[], None] = lambda: None) -> bool:
        """Whether a file is there and every byte as it was; ``tick`` is called for each piece that is read."""
        try:
            return path.stat().st_size == self.size and FileFacts.of(path, tick) == self
        except OSError:
            return False


def files_below(folder: Path, known: Mapping[str, FileFacts] | None = None) -> dict[str, dict[str, Any]]:
    """Size in bytes and SHA-256 of all files below a folder, by relative path with ``/``.

    The record itself is left out, and so are loose pictures, of which there may be millions: their checksums are in
    ``metadata.parquet``.

    Args:
        folder: Of the export.
        known: Of files that were summed when they were written.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix != PICTURE and path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths if path.name != RECORD}
    told = known or {}
    with ThreadPoolExecutor(_THREADS) as pool:
        read = pool.map(FileFacts.of, (path for name, path in names.items() if name not in told))
        facts = {name: told.get(name) or next(read) for name in names}
    return {name: fact._asdict() for name, fact in facts.items()}
