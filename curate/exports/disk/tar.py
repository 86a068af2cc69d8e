"""Plain USTAR archives with the same bytes for the same members, and known offsets."""

from __future__ import annotations

import tarfile
from pathlib import Path
from types import TracebackType

from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.output import OutputFile

BLOCK = 512
_END = 2 * BLOCK
_SMALL = 4096
"""Bytes of a member that are sooner copied than handed over by themselves."""


_TEMPLATE = tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)
_NAME, _SIZE, _CHECKSUM = slice(0, 100), slice(124, 136), slice(148, 155)
_BLANK = sum(_TEMPLATE) - sum(_TEMPLATE[_CHECKSUM]) - sum(_TEMPLATE[_SIZE]) + 7 * ord(" ")
"""Sum of a header's bytes without name and size, the checksum taken as spaces (POSIX.1-1988, 10.1.1)."""


class TarWriter:
    """Writes one archive; a context manager.

    Owner, rights and times are fixed. Names hold at most 100 ASCII characters, so no extended headers are needed.

    Args:
        path: File to write.
    """

    def __init__(self, path: Path) -> None:
        self._file = OutputFile(path)
        self.size = 0
        """Bytes written so far, the offset of the next header."""

    def __enter__(self) -> TarWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                self._file.write(bytes(_END + -(self.size + _END) % tarfile.RECORDSIZE))

    def add(self, name: str, data: bytes) -> int:
        """Append a member.

        Returns:
            Offset of its data in the archive; its header starts `BLOCK` bytes before.

        Raises:
            ValueError: The name does not fit a plain header, or the data are too long for one.
        """
        parts = (_header(name, len(data)), data, bytes(-len(data) % BLOCK))
        for part in parts if len(data) > _SMALL else (b"".join(parts),):
            self._file.write(part)
        start = self.size + BLOCK
        self.size = start + len(data) + -len(data) % BLOCK
        return start

    def facts(self) -> FileFacts:
        """Size and checksum of the archive, once the block is left."""
        return self._file.facts()


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
