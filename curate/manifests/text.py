"""Text files of unknown origin: their bytes as text, and their lines."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path

from curate.errors import CurateError

STANDARD_INPUT = "-"


def read_bytes(name: str) -> bytes:
    """Content of a file, or of standard input for ``-``.

    Raises:
        CurateError: It cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
    except OSError as error:
        raise CurateError(f"cannot read {name}: {error.strerror or error}") from error


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
