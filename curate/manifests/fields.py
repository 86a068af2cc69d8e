"""From the named values of one row, whatever file they come from, to a `Video`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from curate.manifests.entries import Listed, RowError
from curate.manifests.identity import checked_path, checked_video_id, clean_text, local_id, parse_url
from curate.manifests.youtube_id import canonical_url, checked_id, is_youtube
from curate.records import DOMAINS, Video

LIST_SEPARATOR = ";"
"""Between the values of a list in one cell of a CSV or TSV file; ``|`` is understood as well."""

MAX_SIDE = 1 << 16
"""Largest width or height believed, in pixels."""

_TRUE = frozenset({"true", "yes", "y", "1", "t"})
_FALSE = frozenset({"false", "no", "n", "0", "f"})
_RESOLUTION = re.compile(r"\[?\s*(\d{1,6})\s*[x×,;]\s*(\d{1,6})\s*\]?", re.IGNORECASE)
_MD5 = re.compile(r"[0-9a-f]{32}")
_MISSING = frozenset({"", "null", "none", "nan", "na", "n/a"})


def listed(values: Mapping[str, Any], *, folder: Path, origin: str, local_sources: bool = False) -> Listed:
    """Make the entry of one row.

    Args:
        values: By field: ``path``, ``url``, ``youtube_id``, ``id``, ``title``, ``procedures``, ``domain``, ``robotic``,
            ``informative``, ``licence``, ``split``, ``duration`` (s), ``width``, ``height``, ``resolution``, ``md5``,
            ``origin``. Text, or the type JSON and Parquet give; absent and empty are the same.
        folder: Where relative values of ``path`` start.
        origin: ``file:row``, for rows that do not bring their own.
        local_sources: Whether ``url`` may also hold an absolute path: so in normalised manifests.

    Raises:
        RowError: A value is missing or cannot be used.
    """
    video_id, source = _identity(values, folder, local_sources)
    resolution = _resolution(values.get("resolution"))
    md5 = _text(values, "md5").lower()
    if md5 and not _MD5.fullmatch(md5):
        raise RowError("md5 must be 32 hex digits")
    domain = _text(values, "domain").lower() or "unknown"
    if domain not in DOMAINS:
        raise RowError(f"domain must be one of {', '.join(DOMAINS)}")
    video = Video(
        id=video_id,
        source=source,
        title=clean_text(_text(values, "title")),
        procedures=_names(values.get("procedures")),
        domain=domain,
        robotic=_flag(values, "robotic"),
        licence=clean_text(_text(values, "licence")),
        split=clean_text(_text(values, "split")),
        duration=_number(values, "duration"),
        width=_side(values, "width") or resolution[0],
        height=_side(values, "height") or resolution[1],
        md5=md5,
        origin=clean_text(_text(values, "origin")) or clean_text(origin),
    )
    return Listed(video, informative=_flag(values, "informative") is not False)


def _identity(values: Mapping[str, Any], folder: Path, local_sources: bool) -> tuple[str, str]:
    own_id, youtube_id = _text(values, "id"), _text(values, "youtube_id")
    path, url = _text(values, "path"), _text(values, "url")
    if youtube_id:
        youtube_id = _youtube_id(youtube_id)
    if local_sources and not path and Path(url).is_absolute():
        path, url = url, ""
    if path:
        file = checked_path(path, folder)
        return youtube_id or (checked_video_id(own_id) if own_id else local_id(file)), str(file)
    if url:
        url_id, source = parse_url(url)
        if is_youtube(urlsplit(source).hostname):
            if youtube_id and youtube_id != url_id:
                raise RowError(f"the id {youtube_id} and the link ({url_id}) are of two videos")
            return url_id, source
        return (checked_video_id(own_id) if own_id else url_id), source
    if youtube_id or own_id:
        found = youtube_id or _youtube_id(own_id)
        return found, canonical_url(found)
    raise RowError("neither an id nor a URL nor a path")


def _youtube_id(text: str) -> str:
    if "://" not in text and "youtu" not in text.lower():
        return checked_id(text)
    found, source = parse_url(text)
    if source != canonical_url(found):
        raise RowError("a column of ids holds a link that is not YouTube's; call the column url")
    return found


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and name in ("id", "title", "split"):
        return str(value)
    if not isinstance(value, str):
        raise RowError(f"{name} must be text, not {type(value).__name__}")
    if any("\ud800" <= c <= "\udfff" for c in value) and name != "title":
        raise RowError(f"{name} holds bytes that are not UTF-8")
    return value.strip()


def _names(value: Any) -> tuple[str, ...]:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ()
    if isinstance(value, str):
        value = value.replace("|", LIST_SEPARATOR).split(LIST_SEPARATOR)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise RowError("procedures must be text or a list of texts")
    return tuple(name.strip() for name in value if name.strip())


def _flag(values: Mapping[str, Any], name: str) -> bool | None:
    value = values.get(name)
    if value is None or isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if isinstance(value, float):
        text = text.removesuffix(".0")
    if text in _MISSING:
        return None
    if text not in _TRUE | _FALSE:
        raise RowError(f"{name} must be true or false")
    return text in _TRUE


def _number(values: Mapping[str, Any], name: str) -> float | None:
    value = values.get(name)
    if value is None or str(value).strip().lower() in _MISSING:
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise RowError(f"{name} must be a number that is not negative")
    return number


def _side(values: Mapping[str, Any], name: str) -> int | None:
    number = _number(values, name)
    if number is None:
        return None
    if number != int(number) or not 0 < number <= MAX_SIDE:
        raise RowError(f"{name} must be a whole number from 1 to {MAX_SIDE}")
    return int(number)


def _resolution(value: Any) -> tuple[int | None, int | None]:
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None, None
    if isinstance(value, str):
        match = _RESOLUTION.fullmatch(value.strip())
        value = [int(side) for side in match.groups()] if match else None
    if not isinstance(value, list) or len(value) != 2:
        raise RowError("resolution must be [width, height] or WIDTHxHEIGHT")
    named = {"resolution width": value[0], "resolution height": value[1]}
    return _side(named, "resolution width"), _side(named, "resolution height")
