"""From untrusted texts to ids, URLs, paths and titles that are safe to use."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit

from curate.manifests.entries import RowError
from curate.manifests.youtube_id import (
    YOUTUBE_ID,
    canonical_url,
    id_behind,
    id_from_link,
    is_search,
    is_youtube,
)
from curate.records import VIDEO_ID

TITLE_LIMIT = 1000
"""Longest title kept, in characters (YouTube allows 100)."""
URL_LIMIT = 2048
"""Longest URL accepted, in characters; what browsers and servers agree on."""

_FORBIDDEN_IN_URL = re.compile(r"[\s\x00-\x1f\x7f<>\"\\^`{|}]")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_EXPIRING_HOST = re.compile(r"(?:[\w-]+\.)+googlevideo\.com")
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
    text = text[: 2 * TITLE_LIMIT]
    if text.isprintable():
        return text.strip()[:TITLE_LIMIT]
    out = []
    for char in text:
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

    What yt-dlp takes for a YouTube video gets that video's id and the link ``https://www.youtube.com/watch?v=ID``: a
    link in any spelling and of any front end, its scheme present or not, or the bare id. A copy in the Wayback Machine
    gets the video's id and keeps its own link. Any other link gets a readable slug with ten hex digits of its SHA-256;
    its fragment is removed.

    Raises:
        RowError: Not an ``http(s)`` URL, or one that no web server would be asked for.
    """
    text = text.strip().removeprefix("<").removesuffix(">")
    if YOUTUBE_ID.fullmatch(text):
        return text, canonical_url(text)
    if len(text) > URL_LIMIT:
        raise RowError(f"the URL is longer than {URL_LIMIT} characters")
    if is_search(text):
        raise RowError("a search or a feed is not a video")
    if _FORBIDDEN_IN_URL.search(text):
        raise RowError("white space or characters that no URL holds")
    youtube_id = id_behind(text)
    if "://" not in text and youtube_id is not None:
        return youtube_id, canonical_url(youtube_id)
    if text.startswith("//"):
        text = f"https:{text}"
    elif is_youtube(re.split(r"[/?#]", text.lower(), maxsplit=1)[0]):
        text = f"https://{text}"
    try:
        link = urlsplit(re.sub("^httpss:", "https:", text, flags=re.IGNORECASE))
        host, port = link.hostname, link.port
    except ValueError as error:
        raise RowError(f"not a URL ({error})") from error
    scheme = link.scheme.lower()
    if scheme not in ("http", "https"):
        kind = f"{link.scheme}:" if link.scheme and "://" in text else "this"
        raise RowError(f"only http and https URLs are accepted, {kind} is not one")
    if not host or link.username is not None or link.password is not None:
        raise RowError("a URL needs a host and must not hold a user name or password")
    if _EXPIRING_HOST.fullmatch(host):
        raise RowError("an address of the video's data, which expires; give the address of its page")
    if is_youtube(host):
        youtube_id = id_from_link(link)
    elif youtube_id is not None and not host.endswith("archive.org"):
        return youtube_id, canonical_url(youtube_id)
    else:
        default = port is None or port == _DEFAULT_PORTS[scheme]
        netloc = (f"[{host}]" if ":" in host else host) + ("" if default else f":{port}")
        url = urlunsplit(SplitResult(scheme, netloc, link.path, link.query, ""))
        slug = f"{_slug(host + '-' + Path(link.path).stem, 48)}-{short_hash(url, 10)}"
        return youtube_id or slug, url
    return youtube_id, canonical_url(youtube_id)


_IN_BRACKETS = re.compile(r".* ?\[([A-Za-z0-9_-]{11})\]")
_AFTER_HYPHEN = re.compile(r".*-([A-Za-z0-9_-]{11})")
_WORD_OR_NUMBER = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9_-]+")


def looks_like_id(text: str) -> bool:
    """Whether a text is like a YouTube id, and not just a word of eleven letters or a date."""
    return bool(YOUTUBE_ID.fullmatch(text)) and not _WORD_OR_NUMBER.fullmatch(text)


def carried_id(path: Path) -> str | None:
    """The YouTube id in a file's name, as yt-dlp (``Title [ID].mp4``) and youtube-dl (``Title-ID.mp4``) write it.

    Eleven letters that are a word, or digits that are a date, are not taken for an id.
    """
    for form in (_IN_BRACKETS, _AFTER_HYPHEN):
        match = form.fullmatch(path.stem)
        if match and looks_like_id(match[1]) and not YOUTUBE_ID.fullmatch(path.stem):
            return match[1]
    return None


def possible_ids(path: Path) -> set[str]:
    """Every id that a file may be known by: of its name, and whatever stands in it where an id may stand.

    For opt-outs, where a video too many does less harm than one too few.
    """
    forms = (form.fullmatch(path.stem) for form in (_IN_BRACKETS, _AFTER_HYPHEN))
    return {local_id(path), _plain_id(path), *(match[1] for match in forms if match)}


def local_id(path: Path) -> str:
    """Id of a local file: the one its name carries, else its stem if that can be an id, else a slug with a hash."""
    return carried_id(path) or _plain_id(path)


def _plain_id(path: Path) -> str:
    stem = path.stem
    return stem if VIDEO_ID.fullmatch(stem) else f"{_slug(stem, 50)}-{short_hash(path.name)}"


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
