"""From untrusted texts to ids, URLs, paths and titles that are safe to use."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit

from curate.manifests.entries import RowError
from curate.manifests.youtube_id import canonical_url, id_from_link, is_youtube
from curate.records import VIDEO_ID

TITLE_LIMIT = 1000
"""Longest title kept, in characters (YouTube allows 100)."""
URL_LIMIT = 2048
"""Longest URL accepted, in characters; what browsers and servers agree on."""

_FORBIDDEN_IN_URL = re.compile(r"[\s\x00-\x1f\x7f<>\"\\^`{|}]")
_SCHEMELESS_YOUTUBE = re.compile(r"(?:[a-z]+\.)?(?:youtube\.com|youtube-nocookie\.com|youtu\.be)/", re.IGNORECASE)
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def short_hash(text: str, digits: int = 8) -> str:
    """First hex digits of the SHA-256 of a text; undecodable bytes of file names and lone surrogates included."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = text.encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).hexdigest()[:digits]


def clean_text(text: str) -> str:
    """A title or a licence on one line: control and bidirectional override characters gone, length bounded.

    Anything else, HTML included, stays as the source gives it.
    """
    out = []
    for char in text[: 2 * TITLE_LIMIT]:
        category = unicodedata.category(char)
        if char in _BIDI:
            continue
        if category == "Cs":
            out.append("\N{REPLACEMENT CHARACTER}")
        else:
            out.append(" " if category in ("Cc", "Zl", "Zp") else char)
    return "".join(out).strip()[:TITLE_LIMIT]


def checked_video_id(text: str) -> str:
    """An id given by a source, checked.

    Raises:
        RowError: It is not safe as a file name and a key.
    """
    if not VIDEO_ID.fullmatch(text):
        raise RowError("an id must be 1 to 64 letters, digits, '_' or '-'")
    return text


def parse_url(text: str) -> tuple[str, str]:
    """Id and normalised URL of a link.

    A YouTube link gets its own id and the link ``https://www.youtube.com/watch?v=ID``; its scheme may be missing.
    Any other link gets a readable slug with ten hex digits of its SHA-256; its fragment is removed.

    Raises:
        RowError: Not an ``http(s)`` URL, or one that no web server would be asked for.
    """
    text = text.strip()
    if len(text) > URL_LIMIT:
        raise RowError(f"the URL is longer than {URL_LIMIT} characters")
    if _FORBIDDEN_IN_URL.search(text):
        raise RowError("white space or characters that no URL holds")
    if _SCHEMELESS_YOUTUBE.match(text):
        text = "https://" + text
    try:
        link = urlsplit(text)
        host, port = link.hostname, link.port
    except ValueError as error:
        raise RowError(f"not a URL ({error})") from error
    if link.scheme.lower() not in ("http", "https"):
        kind = f"{link.scheme}:" if link.scheme and "://" in text else "this"
        raise RowError(f"only http and https URLs are accepted, {kind} is not one")
    if not host or link.username is not None or link.password is not None:
        raise RowError("a URL needs a host and must not hold a user name or password")
    if is_youtube(host):
        video_id = id_from_link(link)
        return video_id, canonical_url(video_id)
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port is not None else "")
    url = urlunsplit(SplitResult(link.scheme.lower(), netloc, link.path, link.query, ""))
    return f"{_slug(host + '-' + Path(link.path).stem, 48)}-{short_hash(url, 10)}", url


def local_id(path: Path) -> str:
    """Id of a local file: its stem if that can be an id, else a slug of it with a hash of the name."""
    stem = path.stem
    if VIDEO_ID.fullmatch(stem):
        return stem
    return f"{_slug(stem, 50)}-{short_hash(path.name)}"


def checked_path(text: str, folder: Path) -> Path:
    """Absolute path of a local file that a table names; a relative one starts at the table's folder.

    Raises:
        RowError: Empty, a URL, or with characters that the manifest cannot hold.
    """
    if not text.strip() or "\x00" in text or any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise RowError("a path must not be empty or hold control characters or bytes that are not UTF-8")
    if "://" in text:
        raise RowError("a path was expected, this is a URL")
    return Path(os.path.abspath(folder / text))


def _slug(text: str, limit: int) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text)[:limit].strip("-") or "video"
