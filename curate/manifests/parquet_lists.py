"""Lists of videos in Parquet, read a few rows at a time, however much a file of a few kilobytes unfolds to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from curate.errors import CurateError, why_of
from curate.manifests.cells import CELL_LIMIT
from curate.manifests.columns import check_columns, entry, known_names
from curate.manifests.entries import Entry, bad_row

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

UNFOLDED_LIMIT = 1 << 30
"""Most bytes that the columns read may take before values are repeated."""

VALUES_LIMIT = 50_000_000
"""Most values that the columns read may hold."""

_BATCH = 4096
_THRIFT_LIMIT = 64 << 20


def read(name: str, stream: IO[bytes]) -> Iterator[Entry]:
    """Entries of a Parquet table; the row counts from 1.

    Columns stay in the form in which each value stands once, and a value longer than `CELL_LIMIT` is cut there, so that
    memory does not follow what the table says it unfolds to.

    Raises:
        CurateError: Not readable as Parquet, too large, or the columns do not say what the videos are.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        options = {"thrift_string_size_limit": _THRIFT_LIMIT, "thrift_container_size_limit": 1_000_000}
        schema = pq.ParquetFile(stream, **options)
        columns = [field.name for field in schema.schema_arrow if _holds_cells(field.type)]
        check_columns(name, columns)
        used = [column for column in columns if known_names([column])]
        leaves = _leaves(schema, used)
        _check_size(name, schema, leaves)
        texts = [path for path, physical in leaves.values() if physical == "BYTE_ARRAY"]
        stream.seek(0)
        file = pq.ParquetFile(stream, read_dictionary=texts, **options)
        number = 0
        for batch in file.iter_batches(batch_size=_BATCH, columns=used):
            cells = [list(_values(column)) for column in batch.columns]
            for row in zip(*cells, strict=True):
                number += 1
                if any(isinstance(value, UnicodeDecodeError) for value in row):
                    yield bad_row(name, number, "", "bytes that are not UTF-8")
                else:
                    yield entry(name, number, dict(zip(batch.schema.names, row, strict=True)))
    except (pa.ArrowException, OSError, OverflowError) as error:
        raise CurateError(f"{name} cannot be read as Parquet: {why_of(error)}") from error


def _holds_cells(kind: pa.DataType) -> bool:
    """Whether a column holds what a cell may hold: texts, numbers, lists of them."""
    import pyarrow.types as types

    if types.is_list(kind) or types.is_large_list(kind):
        return not types.is_nested(kind.value_type)
    return not types.is_nested(kind)


def _leaves(file: pq.ParquetFile, used: list[str]) -> dict[int, tuple[str, str]]:
    """Path and physical type of every stored column that belongs to one of those used, by its index."""
    found = {}
    for index in range(len(file.schema)):
        column = file.schema.column(index)
        if column.path in used or any(column.path.startswith(f"{name}.") for name in used):
            found[index] = (column.path, column.physical_type)
    return found


def _check_size(name: str, file: pq.ParquetFile, leaves: dict[int, tuple[str, str]]) -> None:
    size = values = 0
    for group in range(file.metadata.num_row_groups):
        described = file.metadata.row_group(group)
        for index in leaves:
            column = described.column(index)
            size += max(0, column.total_uncompressed_size)
            values += max(0, column.num_values)
    if size > UNFOLDED_LIMIT or values > VALUES_LIMIT:
        raise CurateError(
            f"{name}: its columns unfold to {size >> 20:,} MiB and {values:,} values, too many for a list of videos"
        )


def _values(column: pa.Array) -> Iterator[Any]:
    """Values of a column; what each text is made of is decoded once."""
    import pyarrow.types as types

    kind = column.type
    if types.is_list(kind) or types.is_large_list(kind):
        inner = list(_values(column.flatten()))
        place = 0
        for length in column.value_lengths().to_pylist():
            if length is None:
                yield None
                continue
            items = inner[place : place + length]
            place += length
            broken = next((item for item in items if isinstance(item, UnicodeDecodeError)), None)
            yield items if broken is None else broken
    elif types.is_dictionary(kind):
        texts = list(_values(column.dictionary))
        for index in column.indices.to_pylist():
            yield None if index is None else texts[index]
    elif types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind):
        yield from _texts(column)
    else:
        yield from column.to_pylist()


def _texts(column: pa.Array) -> Iterator[str | UnicodeDecodeError | None]:
    import pyarrow as pa
    import pyarrow.compute as pc

    short = pc.binary_slice(column.view(pa.binary()) if pa.types.is_string(column.type) else column, 0, CELL_LIMIT + 1)
    for data in short.to_pylist():
        if isinstance(data, str):
            yield data
        elif data is None:
            yield None
        else:
            try:
                yield data.decode("utf-8", "ignore" if len(data) > CELL_LIMIT else "strict")
            except UnicodeDecodeError as error:
                yield error
