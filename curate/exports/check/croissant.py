"""Checking that ``croissant.json`` says of the files what ``export.json`` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curate.errors import why_of
from curate.exports.cards.croissant import read_checksums
from curate.exports.cards.facts import CROISSANT
from curate.exports.disk.folder import LARGEST_RECORD
from curate.files.bounded import read_bounded


def check_croissant(folder: Path, record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Look for what it says differently.

    Args:
        folder: Of the export.
        record: Its ``export.json``; exports of curate 0.2 have no ``croissant.json``.

    Yields:
        Where something is wrong, and what.
    """
    if CROISSANT not in record["files"]:
        return
    try:
        told = read_checksums(read_bounded(folder / CROISSANT, LARGEST_RECORD))
    except (OSError, ValueError) as error:
        yield CROISSANT, f"cannot be read: {why_of(error)}"
        return
    for name, checksum in sorted(told.items()):
        known = record["files"].get(name)
        if known is None:
            yield CROISSANT, f"names {name}, which is not in the export"
        elif known["sha256"] != checksum:
            yield CROISSANT, f"has another checksum of {name} than export.json"
