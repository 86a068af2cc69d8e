"""Plain USTAR archives with the same bytes for the same members, and known offsets."""

from __future__ import annotations

import tarfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

BLOCK = 512
_END = 2 * BLOCK


class TarWriter:
    """Writes one archive; a context manager.

    Owner, rights and times are fixed. Names hold at most 100 ASCII characters, so no extended headers are needed.

    Args:
        path: File to write.
    """

    def __init__(self, path: Path) -> None:
        self._stream: BinaryIO = open(path, "wb", buffering=1 << 20)  # noqa: SIM115
        self.size = 0
        """Bytes written so far, the offset of the next header."""

    def __enter__(self) -> TarWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.write(bytes(_END + -(self.size + _END) % tarfile.RECORDSIZE))
        self._stream.close()

    def add(self, name: str, data: bytes) -> int:
        """Append a member.

        Returns:
            Offset of its data in the archive; its header starts `BLOCK` bytes before.

        Raises:
            ValueError: The name does not fit a plain header.
        """
        if not name.isascii() or len(name) > tarfile.LENGTH_NAME:
            raise ValueError(f"{name!r} is not a name of at most {tarfile.LENGTH_NAME} ASCII characters")
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self._stream.write(member.tobuf(tarfile.USTAR_FORMAT))
        self._stream.write(data)
        self._stream.write(bytes(-len(data) % BLOCK))
        start = self.size + BLOCK
        self.size = start + len(data) + -len(data) % BLOCK
        return start
