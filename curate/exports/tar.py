"""Plain USTAR archives with the same bytes for the same members, and known offsets."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from types import TracebackType

BLOCK = 512
_END = 2 * BLOCK

_TEMPLATE = tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)
_NAME, _SIZE, _CHECKSUM = slice(0, 100), slice(124, 136), slice(148, 155)
_BLANK = sum(_TEMPLATE) - sum(_TEMPLATE[_CHECKSUM]) - sum(_TEMPLATE[_SIZE]) + 7 * ord(" ")
"""Sum of a header's bytes without name and size, the checksum taken as spaces (POSIX.1-1988, 10.1.1)."""

_HELD_PIECES = 256
_HELD_BYTES = 1 << 20


class TarWriter:
    """Writes one archive; a context manager.

    Owner, rights and times are fixed. Names hold at most 100 ASCII characters, so no extended headers are needed.

    Args:
        path: File to write.
        size: Go on after so many bytes of whole members, which are there already.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | (0 if size else os.O_TRUNC), 0o666)
        os.lseek(self._file, size, os.SEEK_SET)
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.size = size
        """Bytes written so far, the offset of the next header."""

    def __enter__(self) -> TarWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._hold(bytes(_END + -(self.size + _END) % tarfile.RECORDSIZE))
                self.flush()
        finally:
            os.close(self._file)

    def add(self, name: str, data: bytes) -> int:
        """Append a member.

        Returns:
            Offset of its data in the archive; its header starts `BLOCK` bytes before.

        Raises:
            ValueError: The name does not fit a plain header, or the data are too long for one.
        """
        self._hold(_header(name, len(data)))
        self._hold(data)
        self._hold(bytes(-len(data) % BLOCK))
        start = self.size + BLOCK
        self.size = start + len(data) + -len(data) % BLOCK
        return start

    def flush(self) -> None:
        """Hand all members to the system."""
        held, self._held, self._held_bytes = self._held, [], 0
        while held:
            written = os.writev(self._file, held)
            while held and written >= len(held[0]):
                written -= len(held.pop(0))
            if held:
                held[0] = held[0][written:]

    def _hold(self, data: bytes) -> None:
        """Collect pieces for one call of the system, without joining them."""
        self._held.append(data)
        self._held_bytes += len(data)
        if len(self._held) >= _HELD_PIECES or self._held_bytes >= _HELD_BYTES:
            self.flush()


def _header(name: str, size: int) -> bytes:
    """Header of a plain file, as `tarfile` makes it for a member of which only name and size are given."""
    if not name.isascii() or len(name) > tarfile.LENGTH_NAME:
        raise ValueError(f"{name!r} is not a name of at most {tarfile.LENGTH_NAME} ASCII characters")
    if size >= 8**11:
        raise ValueError(f"{name}: {size} bytes do not fit a plain header")
    header = bytearray(_TEMPLATE)
    encoded, digits = name.encode(), b"%011o\0" % size
    header[_NAME] = encoded.ljust(100, b"\0")
    header[_SIZE] = digits
    header[_CHECKSUM] = b"%06o\0" % (_BLANK + sum(encoded) + sum(digits))
    return bytes(header)
