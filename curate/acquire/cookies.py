"""Cookies for downloads: read once, kept in memory, never written, never shown."""

from __future__ import annotations

import io
from pathlib import Path

from curate.errors import CurateError

FIELDS = 7
"""Tab-separated fields of a line: domain, subdomains, path, secure, expires, name, value (Netscape cookies.txt)."""

_HTTP_ONLY = "#HttpOnly_"


def read_cookies(path: Path) -> io.StringIO:
    """Read a Netscape cookies file into memory, for yt-dlp to read and to write back to in place of the file.

    The lines are checked here because yt-dlp prints those it cannot use, and with them their secrets.

    Raises:
        CurateError: It cannot be read or is in another format; names the line and never its content.
    """
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CurateError(f"cannot read the cookies file {path}: {_short(error)}") from None
    if not text.strip():
        raise CurateError(f"the cookies file {path} is empty: export the cookies of your browser again")
    for number, line in enumerate(text.splitlines(), start=1):
        if not _usable(line):
            raise CurateError(
                f"{path}:{number} is not a line of a Netscape cookies file (7 fields, tabs between them): "
                "export cookies in that format, not as JSON or as a header"
            )
    return io.StringIO(text)


def _usable(line: str) -> bool:
    if line.startswith(_HTTP_ONLY):
        line = line[len(_HTTP_ONLY) :]
    if not line.strip() or line.startswith("#"):
        return True
    fields = line.split("\t")
    return len(fields) == FIELDS and (not fields[4] or fields[4].replace(".", "", 1).isdecimal())


def _short(error: Exception) -> str:
    return error.strerror or "" if isinstance(error, OSError) else "it is not UTF-8 text"
