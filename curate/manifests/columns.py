"""Names of columns: what of a row is found under which name, and what a row of named values lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.files.text import printable
from curate.manifests.cells import is_empty, says_nothing
from curate.manifests.entries import Entry, RowError, bad_row, shown
from curate.manifests.fields import listed
from curate.manifests.folder import is_video
from curate.manifests.youtube_id import YOUTUBE_ID, id_behind
from curate.records import LATER_FIELDS, Video

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "path": (
        "path", "file_path", "file", "file_name", "video_path", "video_file", "video_filename", "local_path",
        "full_path", "absolute_path", "clip_path", "location",
    ),
    "url": (
        "webpage_url", "original_url", "url", "link", "video_url", "video_link", "youtube_url", "youtube_link",
        "yt_url", "yt_link", "page_url", "source_url", "web_url", "watch_url", "title_url", "href", "uri",
        "video_web_url",
    ),
    "youtube_id": ("youtube_id", "youtube_video_id", "yt_id", "yt_video_id", "youtube"),
    "id": ("id", "video_id", "vid", "uid", "identifier"),
    "any": ("source", "video", "videos", "media", "item"),
    "title": ("title", "video_title", "full_title"),
    "procedures": (
        "procedures", "procedure", "procedure_name", "procedure_type", "surgery", "surgery_type", "operation",
        "operation_type",
    ),
    "domain": ("domain",),
    "robotic": ("robotic", "is_robotic", "robot", "robot_assisted"),
    "informative": ("informative",),
    "licence": ("licence", "license", "rights"),
    "channel": (
        "channel_id", "uploader_id", "author_id", "channel", "channel_name", "channel_title", "youtube_channel",
        "uploader", "uploader_name", "author", "author_name",
    ),
    "case": (
        "case", "case_id", "case_number", "case_no", "patient", "patient_id", "patient_number", "patient_no", "subject",
        "subject_id", "procedure_id", "operation_id", "surgery_id",
    ),
    "corpus": ("corpus", "source_corpus", "dataset", "dataset_name", "source_dataset"),
    "public": ("public", "is_public", "availability", "privacy_status", "visibility"),
    "split": ("split", "subset", "partition"),
    "duration": (
        "duration", "duration_s", "duration_sec", "duration_seconds", "length", "length_s", "length_seconds",
        "video_length", "video_duration", "duration_string", "runtime",
    ),
    "width": ("width", "video_width", "frame_width"),
    "height": ("height", "video_height", "frame_height"),
    "resolution": ("resolution", "video_resolution", "dimensions", "frame_size"),
    "md5": ("md5", "md5sum", "md5_hash"),
    "origin": ("origin",),
    "site": ("extractor_key", "ie_key", "extractor"),
}  # fmt: skip
"""For each field the column names that may hold it; case, spaces, hyphens and underscores do not matter.

Of several in one row the first named here that says something counts. ``any`` holds a link, a path or an id.
"""

IDENTITY = ("path", "url", "youtube_id", "id", "any")
"""Fields that say which video a row means."""

_MEDIA_ADDRESS = frozenset({"formats", "protocol", "formatid", "requestedformats", "httpheaders"})
"""Columns of yt-dlp's description of a video, of which ``url`` is the address of the data, which expires."""


def key(column: object) -> str:
    """A column name as it is compared: its letters and digits."""
    return re.sub(r"[\W_]+", "", str(column)[:100].casefold())


_ALIASES = {key(name): (field, rank) for field, names in COLUMNS.items() for rank, name in enumerate(names)}
_IDENTITY_KEYS = frozenset(name for name, (field, _) in _ALIASES.items() if field in IDENTITY)


def names_a_video(columns: Iterable[object]) -> bool:
    """Whether one of some column names is of a field that says which video is meant."""
    return any(key(column) in _IDENTITY_KEYS for column in columns)


def known_names(columns: Iterable[object]) -> int:
    """How many of some column names are known."""
    return sum(key(column) in _ALIASES for column in columns)


def check_columns(where: str, columns: Iterable[object]) -> None:
    """Check that a table says which videos it means.

    Raises:
        CurateError: No column for an id, a URL or a path, or two columns of one name.
    """
    seen: set[str] = set()
    names = list(columns)
    for column in names:
        name = key(column)
        if name in seen and name in _ALIASES:
            raise CurateError(f"{where}: two columns are called {printable(repr(column))}")
        seen.add(name)
    if not names_a_video(names):
        raise no_columns(where, names)


def no_columns(where: str, found: Iterable[object]) -> CurateError:
    """The error of a table without a column that says which videos it means, with all names that would do."""
    some = [printable(repr(name)[:60]) for name in found]
    more = f" and {len(some) - 30} more" if len(some) > 30 else ""
    accepted = "; ".join(f"{', '.join(COLUMNS[field])}" for field in ("youtube_id", "url", "path", "id", "any"))
    return CurateError(
        f"{where}: needs one of the columns for a YouTube id, a link, a path or an id; found: "
        f"{', '.join(some[:30]) or 'nothing'}{more}; accepted, whatever their case: {accepted}"
    )


@lru_cache(maxsize=256)
def _fields(columns: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """By field the columns that hold it, those that count first in front."""
    found: dict[str, list[tuple[int, str]]] = {}
    ytdlp = any(key(column) in _MEDIA_ADDRESS for column in columns)
    for column in columns:
        name = key(column)
        if name in _ALIASES and not (ytdlp and name == "url"):
            field, rank = _ALIASES[name]
            found.setdefault(field, []).append((rank, column))
    return {field: tuple(column for _, column in sorted(pairs)) for field, pairs in found.items()}


def entry(name: str, number: int, row: Mapping[str, Any], content: str = "") -> Entry:
    """The entry of one row of named values.

    Args:
        name: The file, beside which relative paths start.
        number: Of the row.
        row: Values by column.
        content: The row as it stands in the file, to show; made from the values if not given.
    """
    columns = _fields(tuple(map(str, row)))
    normalised = row.keys() >= _NORMALISED
    nothing = is_empty if normalised else says_nothing
    values: dict[str, Any] = {}
    for field, candidates in columns.items():
        values[field] = next((row[c] for c in candidates if not nothing(row[c])), None)
    if normalised:
        values["url"] = values.pop("any", None)
    else:
        _place_any(values)
    if str(values.get("site")).lower() == "generic":
        del values["site"]
    try:
        return listed(values, folder=Path(name).parent, origin=f"{name}:{number}", normalised=normalised)
    except RowError as error:
        return bad_row(name, number, content or shown(row), error)


_NORMALISED = frozenset(field.name for field in fields(Video)) - frozenset(LATER_FIELDS)
"""Columns of every list that curate wrote."""


def _place_any(values: dict[str, Any]) -> None:
    """Put a value of unknown kind where it belongs; nothing that is known from another column is overruled."""
    value = values.pop("any", None)
    if not isinstance(value, str):
        return
    field = kind_of(value)
    if field is not None and (values.get(field) is None):
        if field == "path" and any(values.get(other) is not None for other in ("url", "youtube_id")):
            return
        values[field] = value


def kind_of(text: str) -> str | None:
    """Whether a text is a link (``url``), a YouTube id (``youtube_id``) or the name of a video (``path``)."""
    text = text.strip()
    if YOUTUBE_ID.fullmatch(text):
        return "youtube_id"
    if "://" in text[:20] or text.startswith("//") or id_behind(text) is not None:
        return "url"
    return "path" if is_video(Path(text[:4096])) else None
