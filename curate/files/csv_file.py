"""CSV files: those that people make are read, and those that are written start no formula in a spreadsheet.

A text that a spreadsheet would take for a formula gets an apostrophe in front, and so does one that begins with such an
apostrophe already; reading takes it away, so that everything that is written is read back the same.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from curate.errors import CurateError, why_of

CELL_LIMIT = 16 << 20
"""Longest cell read, in characters."""

csv.field_size_limit(CELL_LIMIT)

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""Signs that start a formula, the full-width ones of East Asian keyboards and white space before a sign included."""


def guarded(text: str) -> str:
    """A text as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """The text that `guarded` made a cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class CsvWriter:
    """Writes rows as CSV: texts guarded, numbers as they are, ``true`` and ``false``, nothing for ``None``.

    Args:
        stream: Opened with ``newline=""``.
        columns: Names of the columns, written at once.
        delimiter: Between cells.
    """

    def __init__(self, stream: TextIO, columns: Sequence[str], delimiter: str = ",") -> None:
        self._columns = tuple(columns)
        self._stream = stream
        self._delimiter = delimiter
        self._quoted = re.compile(f'[{re.escape(delimiter)}"\r\n]|^ ')
        self.write(self._columns)

    def write(self, row: Mapping[str, Any] | Sequence[Any]) -> None:
        """Write a row: values by column, or in their order."""
        values = [row[column] for column in self._columns] if isinstance(row, Mapping) else row
        line = self._delimiter.join(map(self._cell, values))
        self._stream.write((line or '""' if len(values) == 1 else line) + "\n")

    def _cell(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        text = guarded(value) if isinstance(value, str) else str(value)
        return '"' + text.replace('"', '""') + '"' if self._quoted.search(text) else text


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any] | Sequence[Any]], delimiter: str = ",") -> str:
    """Rows as the text of a CSV file; see `CsvWriter`."""
    out = io.StringIO(newline="")
    writer = CsvWriter(out, columns, delimiter)
    for row in rows:
        writer.write(row)
    return out.getvalue()


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
                yield reader.line_num, {name: unguarded(cell) for name, cell in row.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CurateError(f"cannot read the {what} {path}: {why_of(error)}") from error
