"""Writing long files in the pieces that the system takes fastest, summed on the way."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from curate.exports.disk.checksums import FileFacts

PIECE = 1 << 18
"""Files are written in pieces of so many bytes that begin at a multiple of it. Linux then puts them into few large
folios of the page cache; with pieces that begin anywhere it takes about twice the CPU time (ext4, Linux 6.18). A piece
is smaller than a core's own cache, to be still there when it is summed and handed over: no gain was seen on a machine
at rest; beside other heavy work pieces of 1 MiB took up to twice the CPU time, in turns that differ much."""

_PIECES = 512
"""Buffers handed over in one call; POSIX systems take at least 16, Linux 1024."""

_BEHIND = 8
"""Pieces that may wait to be summed."""


class OutputFile:
    """A file that is only appended to; a context manager, and a sink for PyArrow.

    Data are held until a piece is full and not copied; they are summed in a thread of its own. Leaving the block by an
    error drops what is held. An `OSError` of a write names the file.

    Args:
        path: File to write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_TRUNC, 0o666)
        self._held: list[memoryview] = []
        self._size = 0
        self._sum = hashlib.sha256()
        self._summer = ThreadPoolExecutor(1, thread_name_prefix="sum")
        self._summing: deque[Future[None]] = deque()
        self.closed = False

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._held = []
        self.close()

    def tell(self) -> int:
        """Bytes of the file, those that are held included."""
        return self._size

    def write(self, data: Any) -> int:
        """Append bytes, which must not change until the file is closed."""
        rest = memoryview(data).cast("B")
        while rest:
            room = PIECE - self._size % PIECE
            self._size += len(rest[:room])
            self._held.append(rest[:room])
            full, rest = len(rest) >= room, rest[room:]
            if full or len(self._held) >= _PIECES:
                self.flush()
        return len(data)

    def flush(self) -> None:
        """Hand all that is held to the system."""
        held, self._held = self._held, []
        if held:
            self._summing.append(self._summer.submit(_update, self._sum, list(held)))
        while held:
            try:
                written = os.writev(self._file, held)
            except OSError as error:
                error.filename = str(self._path)
                raise
            while held and written >= len(held[0]):
                written -= len(held.pop(0))
            if held:
                held[0] = held[0][written:]
        while len(self._summing) > _BEHIND:
            self._summing.popleft().result()

    def close(self) -> None:
        """Write what is held, make the file durable and close it; does nothing the second time."""
        if self.closed:
            return
        self.closed = True
        try:
            self.flush()
            os.fsync(self._file)
        finally:
            self._summer.shutdown()
            os.close(self._file)

    def facts(self) -> FileFacts:
        """Size and checksum of the file, once it is closed."""
        return FileFacts(self._size, self._sum.hexdigest())


def _update(checksum: Any, pieces: list[memoryview]) -> None:
    for piece in pieces:
        checksum.update(piece)
