"""Writing long files in the pieces that the system takes fastest, summed and made durable on the way."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from curate.exports.disk.checksums import FileFacts
from curate.files.disk import naming

PIECE = 1 << 18
"""Files are written in pieces of so many bytes that begin at a multiple of it. Linux then puts them into few large
folios of the page cache; with pieces that begin anywhere it takes about twice the CPU time (ext4, Linux 6.18). A piece
is smaller than a core's own cache, to be still there when it is summed and handed over: no gain was seen on a machine
at rest; beside other heavy work pieces of 1 MiB took up to twice the CPU time, in turns that differ much."""

_PIECES = 512
"""Buffers handed over in one call; POSIX systems take at least 16, Linux 1024."""

_TOGETHER = 1 << 21
"""Bytes that are handed to the thread that sums at a time: handing over takes both threads some time."""

_BEHIND = 2
"""Times so many bytes that may wait to be summed."""

DURABLE = 1 << 25
"""Bytes after which a file is made durable as far as it is written, beside the writing: so the disk is at work from the
beginning, and there is little to wait for at the end."""


class OutputFile:
    """A file that is only appended to; a context manager, and a sink for PyArrow.

    Data are held until a piece is full and not copied. Beside the writing, in threads of their own, they are summed and
    made durable. Leaving the block by an error drops what is held. An `OSError` names the file.

    Args:
        path: File to write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_TRUNC, 0o666)
        self._held: list[memoryview] = []
        self._size = 0
        self._sum = hashlib.sha256()
        self._unsummed: list[memoryview] = []
        self._given = self._synced = 0
        self._summer = ThreadPoolExecutor(1, thread_name_prefix="sum")
        self._syncer = ThreadPoolExecutor(1, thread_name_prefix="sync")
        self._summing: deque[Future[None]] = deque()
        self._syncing: Future[None] | None = None
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
        self._unsummed += held
        if self._size - self._given >= _TOGETHER:
            self._sum_on()
        with naming(self._path):
            while held:
                written = os.writev(self._file, held)
                while held and written >= len(held[0]):
                    written -= len(held.pop(0))
                if held:
                    held[0] = held[0][written:]
            if self._size - self._synced >= DURABLE:
                self._sync_on()

    def _sum_on(self) -> None:
        """Sum what is new, in a thread."""
        self._summing.append(self._summer.submit(_update, self._sum, self._unsummed))
        self._unsummed, self._given = [], self._size
        while len(self._summing) > _BEHIND:
            self._summing.popleft().result()

    def _sync_on(self) -> None:
        """Make durable what is new, in a thread; later if it is still at what came before."""
        if self._syncing is not None:
            if not self._syncing.done():
                return
            self._syncing.result()
        self._syncing, self._synced = self._syncer.submit(os.fsync, self._file), self._size

    def close(self) -> None:
        """Write what is held, make the file durable and close it; does nothing the second time."""
        if self.closed:
            return
        self.closed = True
        try:
            self.flush()
            self._sum_on()
            with naming(self._path):
                if self._syncing is not None:
                    self._syncing.result()
                os.fsync(self._file)
        finally:
            self._summer.shutdown()
            self._syncer.shutdown()
            os.close(self._file)

    def facts(self) -> FileFacts:
        """Size and checksum of the file, once it is closed."""
        return FileFacts(self._size, self._sum.hexdigest())


def _update(checksum: Any, pieces: list[memoryview]) -> None:
    for piece in pieces:
        checksum.update(piece)
