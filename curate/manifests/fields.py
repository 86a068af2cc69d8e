"""From the named values of one row, whatever file they come from, to a `Video`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from curate.files.text import printable
from curate.files.urls import redact
from curate.manifests.cells import (
    CELL_LIMIT,
    CellError,
    as_duration,
    as_flag,
    as_public,
    as_resolution,
    as_side,
    is_empty,
    says_nothing,
)
from curate.manifests.entries import Listed, RowError, shown
from curate.manifests.identity import checked_path, checked_video_id, clean_text, local_id, parse_url
from curate.manifests.youtube_id import canonical_url, checked_id, id_behind, is_youtube
from curate.records import DOMAINS, Video

LIST_SEPARATOR = ";"
"""Between the values of a list in one cell of a CSV or TSV file; ``|`` is understood as well."""

MAX_NAMES = 1000
"""Procedures in one cell, at most."""

NAME_LIMIT = 200
"""Characters of a procedure's name, at most."""

_MD5 = re.compile(r"[0-9a-f]{32}")

T = TypeVar("T")


def listed(values: Mapping[str, Any], *, folder: Path, origin: str, normalised: bool = False) -> Listed:
    """Make the entry of one row.

    A value that says which video is meant ends the row where it cannot be used. One that only describes it is left
    empty and noted. Words for nothing (``nan``, ``None``, ``N/A``, ``-``) are empty everywhere.

    Args:
        values: By field: ``path``, ``url``, ``youtube_id``, ``id``, ``title``, ``procedures``, ``domain``, ``robotic``,
            ``informative``, ``licence``, ``split``, ``duration`` (s), ``width``, ``height``, ``resolution``, ``md5``,
            ``origin``, ``channel``, ``case``, ``corpus``, ``public``, ``site`` (yt-dlp's name of the site). Text, or
            the type JSON and Parquet give.
        folder: Where relative values of ``path`` start.
        origin: ``file:row``, for rows that do not bring their own.
        normalised: Whether the row is of a manifest that curate wrote: there ``url`` may hold an absolute path, and a
            word stands for itself.

    Raises:
        RowError: The row does not say which video it means.
    """
    row = _Row(values, says_nothing if not normalised else is_empty)
    video_id, source = _identity(row, folder, normalised)
    width, height = row.read("resolution", as_resolution) or (None, None)
    informative = row.read("informative", as_flag)
    video = Video(
        id=video_id,
        source=source,
        title=row.text("title"),
        procedures=row.read("procedures", _names) or (),
        domain=row.read("domain", _domain) or "unknown",
        robotic=row.read("robotic", as_flag),
        licence=row.text("licence"),
        split=row.text("split"),
        duration=row.read("duration", as_duration),
        width=row.read("width", as_side) or width,
        height=row.read("height", as_side) or height,
        md5=row.read("md5", _md5) or "",
        origin=row.text("origin") or clean_text(origin),
        channel=row.text("channel"),
        case=row.text("case"),
        corpus=row.text("corpus"),
        public=row.read("public", as_public),
    )
    return Listed(video, informative=informative is not False, notes=tuple(row.notes))


class _Row:
    """The values of a row, with notes on those that could not be used."""

    def __init__(self, values: Mapping[str, Any], nothing: Callable[[Any], bool]) -> None:
        self._values = values
        self._nothing = nothing
        self.notes: list[str] = []

    def identity(self, name: str) -> str:
        """A value that says which video is meant, as text; empty if it says nothing.

        Raises:
            RowError: It is no text, or none that decodes.
        """
        value = self._values.get(name)
        if self._nothing(value):
            return ""
        if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise RowError(f"{name} must be text, not {type(value).__name__}")
        if len(value) > CELL_LIMIT:
            raise RowError(f"{name} is longer than {CELL_LIMIT} characters")
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise RowError(f"{name} holds bytes that are not UTF-8")
        return value.strip()

    def read(self, name: str, reader: Callable[[Any], T]) -> T | None:
        """A value that describes; ``None`` if there is none, or if it is not understood, which is noted."""
        value = self._values.get(name)
        if self._nothing(value):
            return None
        try:
            return reader(value)
        except (CellError, ValueError, OverflowError) as error:
            self.notes.append(f"{name} {printable(redact(shown(value, 60)))} {error}: left empty")
            return None

    def text(self, name: str) -> str:
        """A text that describes, on one line."""
        return self.read(name, _line) or ""


def _line(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CellError("must be text")
    return clean_text(str(value)[:CELL_LIMIT])


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value[:CELL_LIMIT].replace("|", LIST_SEPARATOR).split(LIST_SEPARATOR)
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise CellError("must be text or a list of texts")
    if len(value) > MAX_NAMES:
        raise CellError(f"holds more than {MAX_NAMES} names")
    names = tuple(name.strip() for name in value if not says_nothing(name))
    if any(len(name) > NAME_LIMIT for name in names):
        raise CellError(f"holds a name of more than {NAME_LIMIT} characters")
    return names


def _domain(value: Any) -> str:
    domain = str(value)[:40].strip().lower()
    if domain not in DOMAINS:
        raise CellError(f"must be one of {', '.join(DOMAINS)}")
    return domain


def _md5(value: Any) -> str:
    text = str(value)[:40].strip().lower()
    if not _MD5.fullmatch(text):
        raise CellError("must be 32 hex digits")
    return text


def _identity(row: _Row, folder: Path, normalised: bool) -> tuple[str, str]:
    youtube_id, path, url = row.identity("youtube_id"), row.identity("path"), row.identity("url")
    own_id, site = row.identity("id"), row.identity("site").lower()
    if site == "youtube" and own_id and not youtube_id:
        youtube_id, own_id = own_id, ""
    if youtube_id:
        youtube_id = _youtube_id(youtube_id)
    if normalised and not path and Path(url).is_absolute():
        path, url = url, ""
    if path and not url and _is_link(path):
        path, url = "", path
    if path:
        file = checked_path(path, folder)
        return youtube_id or (checked_video_id(own_id) if own_id else local_id(file)), str(file)
    if url:
        url_id, source = parse_url(url)
        if is_youtube(urlsplit(source).hostname):
            if youtube_id and youtube_id != url_id:
                raise RowError(f"the id {youtube_id} and the link ({url_id}) are of two videos")
            return url_id, source
        if site:
            return youtube_id or url_id, source
        return youtube_id or (checked_video_id(own_id) if own_id else url_id), source
    if youtube_id or own_id:
        found = youtube_id or _youtube_id(own_id)
        return found, canonical_url(found)
    raise RowError("neither an id nor a URL nor a path")


def _is_link(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _youtube_id(text: str) -> str:
    if "://" not in text and "youtu" not in text.lower() and id_behind(text) is None:
        return checked_id(text)
    found, source = parse_url(text)
    if source != canonical_url(found):
        raise RowError("a column of ids holds a link that is not YouTube's; call the column url")
    return found
