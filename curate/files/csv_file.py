"""CSV files that people make."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from curate.errors import CurateError


def read_csv(path: Path, columns: Sequence[str], what: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with a header, in UTF-8 with or without a byte order mark.

    Args:
        path: The file.
        columns: Those that it must have; others are read too.
        what: What the file holds, for the error.

    Yields:
        The line on which a row ends, and its cells by column.

    Raises:
        CurateError: Unreadable, a column is missing, or a row has too few or too many cells; with the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
                raise CurateError(f"{path}: no column {', '.join(missing)}")
            for row in reader:
                if None in row or None in row.values():
                    amount = "more" if None in row else "fewer"
                    raise CurateError(f"{path}:{reader.line_num}: the row has {amount} cells than the header")
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CurateError(f"cannot read the {what} {path}: {error}") from error
