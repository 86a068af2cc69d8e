"""Text files of unknown origin: their bytes as text, and their lines."""

from __future__ import annotations

import codecs
import sys

from curate.errors import CurateError

STANDARD_INPUT = "-"

SIZE_LIMIT = 512 << 20
"""Largest list read, in bytes; LEMON's takes 1.5 MB."""


def read_bytes(name: str) -> bytes:
    """Content of a file, or of standard input for ``-``.

    Raises:
        CurateError: It cannot be read, or is larger than `SIZE_LIMIT`.
    """
    try:
        if name == STANDARD_INPUT:
            data = sys.stdin.buffer.read(SIZE_LIMIT + 1)
        else:
            with open(name, "rb") as stream:
                data = stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise CurateError(f"cannot read {name}: {error.strerror or error}") from error
    if len(data) > SIZE_LIMIT:
        raise CurateError(f"{name} is larger than {SIZE_LIMIT >> 20} MiB, too large for a list of videos")
    return data


def decode(data: bytes) -> str:
    """UTF-8, or UTF-16 where a byte-order mark says so, without the mark.

    Bytes that do not decode become lone surrogates, which `is_text` finds.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def is_text(line: str) -> bool:
    """Whether a decoded line is free of bytes that were not UTF-8."""
    return line.isascii() or not any("\ud800" <= c <= "\udfff" for c in line)


def lines(text: str) -> list[str]:
    r"""Lines ended by ``\n``, ``\r\n`` or ``\r``, without their ends; nothing else ends a line."""
    found = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return found[:-1] if found[-1] == "" else found
