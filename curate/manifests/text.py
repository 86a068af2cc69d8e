"""Text files of unknown origin: their bytes as lines, a line at a time, however long the file or its lines are."""

from __future__ import annotations

import codecs
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

from curate.errors import CurateError

STANDARD_INPUT = "-"

SIZE_LIMIT = 1 << 30
"""Largest list read, in bytes; LEMON's takes 1.5 MB."""

LINE_LIMIT = 16 << 20
"""Longest line read, in bytes; one of yt-dlp's descriptions of a video takes up to 1 MB."""

_CHUNK = 1 << 20
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NOT_IN_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d\x00-\x08\x0e-\x1a\x1c-\x1f]")


@contextmanager
def opened(name: str) -> Iterator[IO[bytes]]:
    """A file, or standard input for ``-``, open for reading and seeking; what is no plain file is copied to disk first.

    Raises:
        CurateError: It cannot be read, or is larger than `SIZE_LIMIT`.
    """
    with ExitStack() as stack:
        try:
            stream: IO[bytes] = sys.stdin.buffer if name == STANDARD_INPUT else stack.enter_context(open(name, "rb"))
            if name == STANDARD_INPUT or not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                stream = _copied(stream, stack.enter_context(tempfile.TemporaryFile()))
            size = stream.seek(0, os.SEEK_END)
            stream.seek(0)
        except OSError as error:
            raise CurateError(f"cannot read {name}: {error.strerror or error}") from error
        if size > SIZE_LIMIT:
            raise CurateError(f"{name} is larger than {SIZE_LIMIT >> 20} MiB, too large for a list of videos")
        yield stream


def _copied(stream: IO[bytes], copy: IO[bytes]) -> IO[bytes]:
    while copy.tell() <= SIZE_LIMIT and (chunk := stream.read(_CHUNK)):
        copy.write(chunk)
    return copy


def read_bytes(name: str, limit: int = LINE_LIMIT) -> bytes:
    """Content of a small file.

    Raises:
        CurateError: It cannot be read, or is larger than ``limit`` bytes.
    """
    with opened(name) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise CurateError(f"{name} is larger than {limit >> 20} MiB, too large for what it ought to be")
    return data


@dataclass(frozen=True)
class Line:
    """One line, without its end.

    Attributes:
        number: From 1.
        text: Decoded; the beginning of a line that is too long.
        problem: Why it cannot be used; empty if it can.
    """

    number: int
    text: str
    problem: str = ""


class Lines:
    r"""The lines of a file, ended by ``\n``, ``\r\n`` or ``\r``.

    UTF-8, or UTF-16 and UTF-32 by their byte-order mark or their look. A line that is not UTF-8 is taken for
    Windows-1252, which spreadsheets write.

    Attributes:
        converted: How many lines so far were taken for Windows-1252.
    """

    def __init__(self, stream: IO[bytes], limit: int = LINE_LIMIT) -> None:
        self._stream = stream
        self._limit = limit
        self.converted = 0

    def __iter__(self) -> Iterator[Line]:
        self.converted = 0
        for number, (data, too_long) in enumerate(_split(_utf8_chunks(self._stream), self._limit), 1):
            if too_long:
                shown = data[:200].decode("utf-8", "replace")
                yield Line(number, shown, f"a line of more than {self._limit >> 20} MiB")
            else:
                yield self._decoded(number, data)

    def _decoded(self, number: int, data: bytes) -> Line:
        try:
            return Line(number, data.decode("utf-8"))
        except UnicodeDecodeError:
            pass
        if _NOT_IN_1252.search(data):
            return Line(number, data.decode("utf-8", "surrogateescape"), "bytes that are not UTF-8")
        self.converted += 1
        return Line(number, data.decode("cp1252"))


def _split(chunks: Iterator[bytes], limit: int) -> Iterator[tuple[bytes, bool]]:
    """Lines, each with whether it was cut because it is longer than a limit."""
    held: list[bytes] = []
    size, waiting = 0, b""
    for chunk in chunks:
        data = waiting + chunk
        waiting = b"\r" if data.endswith(b"\r") else b""
        pieces = data[: len(data) - len(waiting)].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for piece in pieces[:-1]:
            yield b"".join((*held, piece[: limit + 1])), size + len(piece) > limit
            held, size = [], 0
        size += len(pieces[-1])
        if size <= limit or not held:
            held.append(pieces[-1][: limit + 1])
    if size or waiting:
        yield b"".join(held), size > limit


def _utf8_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    stream.seek(0)
    start = stream.read(4096)
    mark, encoding = next(((m, e) for m, e in _BOMS if start.startswith(m)), (b"", _guess(start)))
    stream.seek(len(mark))
    if encoding == "utf-8":
        while chunk := stream.read(_CHUNK):
            yield chunk
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    while chunk := stream.read(_CHUNK):
        yield decoder.decode(chunk).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _guess(start: bytes) -> str:
    """UTF-16 without a mark has a zero in every other byte of Latin text."""
    half = len(start) // 2
    for encoding, zeros, letters in (("utf-16-le", start[1::2], start[::2]), ("utf-16-be", start[::2], start[1::2])):
        if half >= 4 and zeros.count(0) > 0.8 * half and letters.count(0) < 0.1 * half:
            return encoding
    return "utf-8"


def text_lines(name: str) -> list[Line]:
    """All lines of a small file.

    Raises:
        CurateError: It cannot be read.
    """
    with opened(name) as stream:
        return list(Lines(stream))


def is_text(line: str) -> bool:
    """Whether a decoded line is free of bytes that were not UTF-8."""
    return line.isascii() or not any("\ud800" <= c <= "\udfff" for c in line)
