"""Tables with named columns: CSV, TSV, JSON Lines and Parquet.

A row needs an id, a URL or a path. Columns are found by name, whatever their case; the others are left alone.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from curate.errors import CurateError
from curate.manifests.entries import Entry, Ignored, RowError, bad_row
from curate.manifests.fields import listed
from curate.manifests.text import decode, is_text, lines
from curate.workspace.tables import manifest_schema

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "file_path", "filepath", "file"),
    "url": ("url", "link", "video_url", "youtube_url", "youtube_link", "source"),
    "youtube_id": ("youtube_id", "youtubeid", "yt_id", "ytid"),
    "id": ("id", "video_id", "videoid"),
    "title": ("title",),
    "procedures": ("procedures", "procedure", "procedure_name", "procedurename"),
    "domain": ("domain",),
    "robotic": ("robotic",),
    "informative": ("informative",),
    "licence": ("licence", "license"),
    "split": ("split", "subset"),
    "duration": ("duration",),
    "width": ("width",),
    "height": ("height",),
    "resolution": ("resolution",),
    "md5": ("md5",),
    "origin": ("origin",),
}
"""For each field the column names that may hold it; of several in one table, the first named here counts."""

_IDENTITY = ("path", "url", "youtube_id", "id")


def read(name: str, data: bytes, kind: Literal["csv", "tsv", "jsonl"]) -> Iterator[Entry]:
    """Entries of a text table; the row is the line on which it starts.

    Raises:
        CurateError: The columns do not say what the videos are, or a name stands for two columns.
    """
    return _json_lines(name, data) if kind == "jsonl" else _separated(name, data, kind)


def read_parquet(name: str, data: bytes) -> Iterator[Entry]:
    """Entries of a Parquet table; the row counts from 1.

    Raises:
        CurateError: Not readable as Parquet, or as `read`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        chosen = choose_columns(name, file.schema_arrow.names)
        used = list(dict.fromkeys(chosen.values()))
        number = 0
        for batch in file.iter_batches(columns=used):
            for row in _batch_rows(batch):
                number += 1
                if isinstance(row, UnicodeDecodeError):
                    yield bad_row(name, number, "", "bytes that are not UTF-8")
                else:
                    yield _entry(name, number, chosen, row)
    except (pa.ArrowException, OSError) as error:
        raise CurateError(f"{name} cannot be read as Parquet: {error}") from error


def json_text(row: object) -> str:
    """A row as text, to show."""
    return json.dumps(row, ensure_ascii=False, default=str)


def choose_columns(name: str, columns: Iterable[str]) -> dict[str, str]:
    """For each field the column that holds it.

    Raises:
        CurateError: No column for an id, a URL or a path, or two columns of one name.
    """
    by_name: dict[str, str] = {}
    for column in columns:
        key = _key(column)
        if key in by_name and any(key in names for names in COLUMNS.values()):
            raise CurateError(f"{name}: two columns are called {column!r}")
        by_name[key] = column
    chosen = {}
    for field, names in COLUMNS.items():
        found = next((by_name[n] for n in names if n in by_name), None)
        if found is not None:
            chosen[field] = found
    if not any(field in chosen for field in _IDENTITY):
        needed = ", ".join(COLUMNS[field][0] for field in reversed(_IDENTITY))
        raise CurateError(f"{name}: needs one of the columns {needed}; found: {', '.join(map(repr, by_name.values()))}")
    return chosen


def looks_like_header(columns: Iterable[str]) -> bool:
    """Whether a first line names a column that tells what the videos are."""
    keys = {_key(column) for column in columns}
    return any(alias in keys for field in _IDENTITY for alias in COLUMNS[field])


def delimiter(header: str, kind: Literal["csv", "tsv"]) -> str:
    """What separates the cells: a tab in TSV; in CSV a comma, or the semicolon of spreadsheets without commas."""
    if kind == "tsv":
        return "\t"
    return ";" if ";" in header and "," not in header else ","


def _key(column: str) -> str:
    return column.strip().lower().replace(" ", "_").replace("-", "_")


def _entry(name: str, number: int, chosen: Mapping[str, str], row: Mapping[str, Any], content: str = "") -> Entry:
    values = {field: row.get(column) for field, column in chosen.items()}
    normalised = all(field in chosen for field in ("id", "origin")) and chosen.get("url") == "source"
    try:
        return listed(values, folder=Path(name).parent, origin=f"{name}:{number}", local_sources=normalised)
    except RowError as error:
        return bad_row(name, number, content or json_text(row), error)


def _separated(name: str, data: bytes, kind: Literal["csv", "tsv"]) -> Iterator[Entry]:
    rows = lines(decode(data))
    while rows and not rows[-1].strip():
        rows.pop()
    if not rows:
        raise CurateError(f"{name} is empty")
    separator = delimiter(rows[0], kind)
    start = 0
    columns: list[str] | None = None
    chosen: dict[str, str] = {}
    while start < len(rows):
        reader = csv.reader((rows[i] + "\n" for i in range(start, len(rows))), delimiter=separator, strict=True)
        first = start
        while True:
            begin = first + reader.line_num
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if columns is None:
                    raise CurateError(f"{name}:1: the line with the column names cannot be read: {error}") from error
                yield bad_row(name, begin + 1, rows[begin], f"not valid {kind.upper()} ({error})")
                start = begin + 1
                break
            if columns is None:
                columns = cells
                chosen = choose_columns(name, columns)
                continue
            yield _cells(name, begin + 1, columns, chosen, cells, "\n".join(rows[begin : first + reader.line_num]))


def _cells(
    name: str, number: int, columns: list[str], chosen: Mapping[str, str], cells: list[str], content: str
) -> Entry:
    if not any(cell.strip() for cell in cells):
        return Ignored()
    if not is_text(content):
        return bad_row(name, number, content, "bytes that are not UTF-8")
    if len(cells) != len(columns):
        return bad_row(name, number, content, f"{len(cells)} cells, the table has {len(columns)} columns")
    return _entry(name, number, chosen, dict(zip(columns, cells, strict=True)), content)


def _json_lines(name: str, data: bytes) -> Iterator[Entry]:
    parsed: list[tuple[int, str, Any]] = []
    columns: dict[str, None] = {}
    for number, line in enumerate(lines(decode(data)), 1):
        row: Any = None
        if line.strip():
            try:
                row = json.loads(line) if is_text(line) else RowError("bytes that are not UTF-8")
            except (ValueError, RecursionError) as error:
                row = RowError(f"not valid JSON ({error})")
            if isinstance(row, dict):
                columns.update(dict.fromkeys(row))
            elif not isinstance(row, RowError):
                row = RowError("not an object")
        parsed.append((number, line, row))
    chosen = choose_columns(name, columns) if columns else {}
    for number, line, row in parsed:
        if row is None:
            yield Ignored()
        elif isinstance(row, RowError):
            yield bad_row(name, number, line, row)
        else:
            yield _entry(name, number, chosen, row, line)


def _batch_rows(batch: Any) -> Iterator[dict[str, Any] | UnicodeDecodeError]:
    try:
        yield from batch.to_pylist()
        return
    except UnicodeDecodeError:
        pass
    for index in range(batch.num_rows):
        try:
            yield batch.slice(index, 1).to_pylist()[0]
        except UnicodeDecodeError as error:
            yield error


def write_text(rows: Iterable[Mapping[str, Any]], kind: Literal["csv", "tsv", "jsonl"]) -> str:
    """Rows of a normalised manifest as text that `read` reads back.

    In CSV and TSV the names of a list stand in one cell with ``;`` between them, and ``None`` is an empty cell.
    """
    if kind == "jsonl":
        return "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t" if kind == "tsv" else ",", lineterminator="\n")
    columns = manifest_schema().names
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ";".join(value)
    return str(value)
