"""Parquet files: the only calls of ``pyarrow.parquet`` for the tables that curate makes.

A table is read one row group at a time and nothing of it is kept, so memory does not grow with its length. (Arrow's
own batches over a whole file keep every page that was fetched ahead: half a gigabyte for an hour of 720p.)
``pyarrow`` is imported when a file is opened, so that ``curate --help`` stays fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import IO, TYPE_CHECKING, Any

from curate.errors import BadArtefact, why_of
from curate.files.disk import FULL
from curate.files.machine import MACHINE_ERRORS

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROWS_A_GROUP = 10_000
"""Rows in one row group of the tables written here."""

ROWS_A_READ = 8192
"""Rows of small columns that are held as Python objects at a time."""

Place = PathLike[str] | str | IO[bytes]
"""A file by its name, or an open one."""


@contextmanager
def open_parquet(path: Place, *, memory_map: bool = False) -> Iterator[pq.ParquetFile]:
    """A Parquet file, open for reading without fetching ahead.

    Args:
        path: The file.
        memory_map: Map the file instead of reading it.

    Raises:
        BadArtefact: The file, or what is read of it in the ``with`` block, is missing, damaged or not Parquet.
    """
    import pyarrow.parquet as pq

    with read_errors(path), pq.ParquetFile(path, pre_buffer=False, memory_map=memory_map) as file:
        yield file


@contextmanager
def read_errors(path: Place) -> Iterator[None]:
    """Names the file when reading an open one fails in the ``with`` block.

    Raises:
        BadArtefact: It did.
        OSError: The machine is the trouble, or a full disk, and not the file.
    """
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno in MACHINE_ERRORS | FULL:
            raise
        raise BadArtefact(path, why_of(error)) from error


def require_columns(path: Place, file: pq.ParquetFile, columns: Sequence[str]) -> None:
    """Hold an open file against the columns it must have.

    Raises:
        BadArtefact: It lacks some.
    """
    if missing := sorted(set(columns) - set(file.schema_arrow.names)):
        raise BadArtefact(path, f"it lacks the columns {', '.join(missing)}")


def read_rows(path: Place, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Some columns of a table row by row, as Python objects in the order of ``columns``.

    Raises:
        BadArtefact: The file cannot be read or lacks a column.
    """
    with open_parquet(path) as file:
        require_columns(path, file, columns)
        for group in range(file.num_row_groups):
            batches = file.iter_batches(ROWS_A_READ, row_groups=[group], columns=list(columns), use_threads=False)
            for batch in batches:
                yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)


def read_columns(path: Place, columns: Sequence[str] | None = None, *, filters: Any = None) -> pa.Table:
    """Some columns of a table as a whole, in the order of ``columns``: for tables of a bounded size.

    Args:
        path: The file.
        columns: Names of columns; all if ``None``.
        filters: Rows to take, as `pyarrow.parquet.read_table` has it.

    Raises:
        BadArtefact: The file cannot be read or lacks a column.
    """
    import pyarrow.parquet as pq

    chosen = None if columns is None else list(columns)
    with read_errors(path):
        return pq.read_table(
            path, columns=chosen, filters=filters, use_threads=False, partitioning=None, pre_buffer=False
        )


def count_rows(path: Place, columns: Sequence[str] = ()) -> int:
    """Rows of a table, which must have some columns.

    Raises:
        BadArtefact: The file cannot be read or lacks a column.
    """
    with open_parquet(path) as file:
        require_columns(path, file, columns)
        rows: int = file.metadata.num_rows
        return rows


def text_metadata(table: pa.Table) -> dict[str, str]:
    """The key-value metadata of a table that was read."""
    return {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}


def write_table(path: Place, table: pa.Table, *, rows_a_group: int | None = None) -> None:
    """Write a table that is held as a whole; the same table gives the same bytes.

    Args:
        path: File to write: a temporary name, which the caller makes final.
        table: What to write.
        rows_a_group: Rows in one row group; Arrow's default if ``None``.
    """
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd", row_group_size=rows_a_group)


class RowWriter:
    """Writes rows in the order they come, holding one row group at most; a context manager.

    Args:
        sink: File to write, by a temporary name, which the caller makes final, or open for writing.
        schema: Of the table.
        rows_a_group: Rows in one row group.
        options: Further options of `pyarrow.parquet.ParquetWriter`.
    """

    def __init__(self, sink: Any, schema: pa.Schema, *, rows_a_group: int = ROWS_A_GROUP, **options: Any) -> None:
        import pyarrow.parquet as pq

        self._schema, self._rows_a_group = schema, rows_a_group
        self._writer = pq.ParquetWriter(sink, schema, **{"compression": "zstd", **options})
        self._rows: list[Mapping[str, Any]] = []

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Write the rows that wait, and the end of the file."""
        with self._writer:
            self.end_group()

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row, by column."""
        self._rows.append(row)
        if len(self._rows) >= self._rows_a_group:
            self.end_group()

    def end_group(self) -> None:
        """Write the rows that wait as a row group of their own."""
        import pyarrow as pa

        if self._rows:
            rows, self._rows = self._rows, []
            self._writer.write_table(pa.Table.from_pylist(rows, schema=self._schema))

    def add_group(self, table: pa.Table) -> None:
        """Append a table as a row group."""
        self.end_group()
        self._writer.write_table(table)

    def add_metadata(self, metadata: Mapping[str, str]) -> None:
        """Add key-value metadata to the file."""
        self._writer.add_key_value_metadata(dict(metadata))
