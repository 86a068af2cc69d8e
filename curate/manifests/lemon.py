"""LEMON's ``labels.json`` (visurg-ai): a JSON list with one object a video."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from curate.errors import CurateError
from curate.manifests.entries import Entry, RowError, bad_row
from curate.manifests.fields import listed
from curate.manifests.text import decode

_FIELDS = {
    "youtubeId": "youtube_id",
    "title": "title",
    "procedureName": "procedures",
    "robotic": "robotic",
    "informative": "informative",
    "md5": "md5",
    "resolution": "resolution",
}


def read(name: str, data: bytes) -> Iterator[Entry]:
    """Entries of a LEMON manifest; the row is the position in the list, from 1.

    Raises:
        CurateError: Not JSON, or not a list.
    """
    try:
        rows = json.loads(decode(data))
    except json.JSONDecodeError as error:
        raise CurateError(f"{name}:{error.lineno}: not valid JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        raise CurateError(f"{name}: not usable as JSON: {error}") from error
    if not isinstance(rows, list):
        raise CurateError(f"{name}: expected a JSON list of videos, found a {type(rows).__name__}")
    folder = Path(name).parent
    for number, row in enumerate(rows, 1):
        try:
            if not isinstance(row, dict):
                raise RowError("not an object")
            if not isinstance(row.get("youtubeId"), str):
                raise RowError("youtubeId is missing or not text")
            values = {field: row.get(key) for key, field in _FIELDS.items()}
            for flag in ("robotic", "informative"):
                if not isinstance(values[flag], bool | None):
                    raise RowError(f"{flag} must be true or false")
            yield listed(values, folder=folder, origin=f"{name}:{number}")
        except RowError as error:
            yield bad_row(name, number, json.dumps(row, ensure_ascii=False), error)
