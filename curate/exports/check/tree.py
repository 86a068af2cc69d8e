"""Checking what lies in the folder of an export beside what was written: readers take whatever they find."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curate.exports.disk.folder import PICTURE, RECORD

LOOSE_FORMATS = frozenset({"folders", "surgenet"})
"""Formats of which every picture is a file of its own, listed in ``metadata.parquet``."""


def check_tree(folder: Path, record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name files that the record does not list, links, empty folders, and what is neither file nor folder.

    Loose pictures in the folder of a split are left to whoever reads the table of that split. Links are not followed.

    Args:
        folder: Of the export.
        record: Its ``export.json``.

    Yields:
        Where something is, relative to the export, and what it is.
    """
    listed = {*record["files"], RECORD}
    splits = set(record["counts"]["splits"]) if record["format"] in LOOSE_FORMATS else set()
    for root, folders, files in os.walk(folder):
        inner = Path(root).relative_to(folder)
        folders.sort()
        if not folders and not files and inner.parts:
            yield inner.as_posix(), "is an empty folder, which the export did not make"
        for name in sorted([*folders, *files]):
            path, place = Path(root) / name, (inner / name).as_posix()
            if path.is_symlink():
                yield place, "is a link: an export has none"
            elif path.is_dir():
                continue
            elif not path.is_file():
                yield place, "is neither a file nor a folder"
            elif path.suffix == PICTURE and inner.parts and inner.parts[0] in splits:
                continue
            elif place not in listed:
                yield place, f"is not listed in {RECORD}"
