"""Tables of text with named columns: CSV and TSV, as programs, spreadsheets and people write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Literal

from curate.errors import CurateError
from curate.files.csv_file import unguarded
from curate.files.text import printable
from curate.manifests.columns import check_columns, entry, known_names, names_a_video, no_columns
from curate.manifests.entries import BadRow, Entry, Ignored, Remark, bad_row
from curate.manifests.text import Line, Lines

HEADER_LINES = 100
"""Lines at the start of a file among which the column names are looked for."""

CELL_LINES = 1000
"""Lines over which one row may extend: a quote that opens further above was never closed."""

_SEPARATOR_LINE = re.compile(r"\"?sep=(.)\"?[,;\t]*", re.IGNORECASE)
_SEPARATORS = ",;\t|"

Kind = Literal["csv", "tsv"]


@dataclass(frozen=True)
class Header:
    """Where a table begins.

    Attributes:
        lines: Lines above the first row.
        columns: Names of the columns.
        separator: Between cells.
    """

    lines: int
    columns: tuple[str, ...]
    separator: str


def find_header(lines: Sequence[Line]) -> Header | None:
    """The column names among the first lines of a file: the first line that names what the videos are.

    Titles, blank lines and comments may stand above, ``#`` before the names, and Excel's ``sep=;`` before all.
    """
    separators = _SEPARATORS
    for place, line in enumerate(lines[:HEADER_LINES]):
        if place < 3 and (told := _SEPARATOR_LINE.fullmatch(line.text.strip("\ufeff "))):
            separators = told[1]
            continue
        if line.problem:
            continue
        best: Header | None = None
        for separator in separators:
            read = _record(lines, place, separator)
            if read is None or not names_a_video(read[0]):
                continue
            cells = [cell.lstrip("\ufeff# ") if i == 0 else cell for i, cell in enumerate(read[0])]
            while len(cells) > 1 and not cells[-1].strip():
                cells.pop()
            if best is None or known_names(cells) > known_names(best.columns):
                best = Header(place + read[1], tuple(cell.strip() for cell in cells), separator)
        if best is not None:
            return best
    return None


def read(name: str, stream: IO[bytes], kind: Kind) -> Iterator[Entry]:
    """Entries of a text table; the row is the line on which it starts.

    Raises:
        CurateError: The columns do not say what the videos are, or a name stands for two columns.
    """
    lines = Lines(stream)
    header = find_header(list(islice(lines, HEADER_LINES + CELL_LINES)))
    if header is None:
        raise _without_names(name, Lines(stream))
    check_columns(f"{name}:{header.lines}", header.columns)
    source = iter(lines)
    for _ in range(header.lines - 1):
        next(source)
        yield Ignored()
    next(source)
    yield from _rows(name, source, header, kind)
    if lines.converted:
        yield code_page_remark(name, lines.converted)


def code_page_remark(name: str, lines: int) -> Remark:
    """What to tell about lines that are not UTF-8."""
    return Remark(
        printable(name),
        f"{lines:,} lines are not UTF-8 and were read as Windows-1252; if letters look wrong, save the list as UTF-8",
    )


def _rows(name: str, source: Iterator[Line], header: Header, kind: Kind) -> Iterator[Entry]:
    waiting: list[Line] = []
    while True:
        first = waiting.pop(0) if waiting else next(source, None)
        if first is None:
            return
        if first.problem:
            yield bad_row(name, first.number, first.text, first.problem)
            continue
        group, problem = [first], ""
        while (cells := _parsed(group, header.separator)) is None:
            further = waiting.pop(0) if waiting else next(source, None)
            if further is None or further.problem or len(group) == CELL_LINES:
                waiting[:0] = [] if further is None else [further]
                problem = "a quote is opened and never closed"
                break
            group.append(further)
        if isinstance(cells, str):
            problem, cells = cells, None
        if cells is None and (cells := _unquoted(first, header)) is None:
            yield bad_row(name, first.number, first.text, f"not valid {kind.upper()} ({problem})")
        if problem:
            waiting[:0] = group[1:]
            group = [first]
        if cells is not None:
            yield _row(name, first.number, header, cells, "\n".join(line.text for line in group))


def _parsed(group: Sequence[Line], separator: str) -> list[str] | str | None:
    """Cells of a row on some lines; ``None`` if a quote is open at their end, a text if they make no sense."""
    if len(group) > 1 and '"' not in group[-1].text:
        return None
    try:
        texts = [line.text + "\n" for line in group[:-1]] + [group[-1].text]
        rows = list(csv.reader(texts, delimiter=separator, strict=True, skipinitialspace=True))
    except csv.Error as error:
        return None if "unexpected end of data" in str(error) else str(error)
    return rows[0] if rows else []


def _record(lines: Sequence[Line], place: int, separator: str) -> tuple[list[str], int] | None:
    """Cells of the row that starts on a line, and the number of lines that it takes."""
    for count in range(1, min(10, len(lines) - place) + 1):
        group = lines[place : place + count]
        if isinstance(cells := _parsed(group, separator), list):
            return cells, count
        if isinstance(cells, str):
            return None
    return None


def _unquoted(line: Line, header: Header) -> list[str] | None:
    """Cells of a line whose quotes are letters like any others: so in tables separated by tabs."""
    cells = line.text.split(header.separator)
    return cells if header.separator == "\t" and len(cells) == len(header.columns) else None


def _row(name: str, number: int, header: Header, cells: list[str], content: str) -> Entry:
    if not any(cell.strip() for cell in cells):
        return Ignored()
    columns = header.columns
    if len(cells) > len(columns) and not any(cell.strip() for cell in cells[len(columns) :]):
        cells = cells[: len(columns)]
    comment = cells[0].lstrip().startswith("#")
    if len(cells) != len(columns):
        if comment:
            return Ignored()
        return bad_row(name, number, content, f"{len(cells)} cells, the table has {len(columns)} columns")
    made = entry(name, number, dict(zip(columns, map(unguarded, cells), strict=True)), content)
    return Ignored() if comment and (isinstance(made, BadRow) or names_a_video(columns[:1])) else made


def _without_names(name: str, lines: Lines) -> CurateError:
    first = next((line for line in lines if line.text.strip()), None)
    if first is None:
        return CurateError(f"{name} is empty")
    separator = max(_SEPARATORS, key=first.text[:10_000].count)
    error = no_columns(f"{name}:{first.number}", [cell.strip(' "') for cell in first.text[:10_000].split(separator)])
    return CurateError(f"{error} (looked for on the first {HEADER_LINES} lines)")
