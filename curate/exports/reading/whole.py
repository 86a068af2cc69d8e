"""Whether an export has all the files that its record names, before anything is read of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curate.errors import CurateError


def check_whole(folder: Path, record: dict[str, Any]) -> None:
    """Look for the files of a record by name and size; loose pictures are no files of it.

    Raises:
        CurateError: One is missing or has another size, as after a copy, a deletion or a purge that stopped half-way.
    """
    for name, facts in sorted(record["files"].items()):
        try:
            size = (folder / name).stat().st_size
        except OSError as error:
            raise CurateError(_broken(folder, f"{name} cannot be read ({error.strerror})")) from error
        if size != facts["size"]:
            raise CurateError(_broken(folder, f"{name} has {size} bytes, not {facts['size']}"))


def _broken(folder: Path, why: str) -> str:
    return (
        f"{folder} is not whole: {why}. It was copied, changed or purged in part: 'curate verify {folder}' tells all "
        "that is wrong; export, purge or copy it again"
    )
