"""The normalised manifest on disk: ``manifest.parquet`` and the same rows as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from itertools import repeat
from pathlib import Path
from typing import Any, Literal

from curate.errors import CurateError, why_of
from curate.files.csv_file import csv_text
from curate.records import LATER_FIELDS, Video
from curate.workspace.tables import manifest_schema

Kind = Literal["parquet", "csv", "tsv", "jsonl"]


def write_manifest(videos: Sequence[Video], path: Path) -> None:
    """Write ``manifest.parquet``; the same videos give the same bytes. Making it atomic is the caller's business."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([_row(video) for video in videos], schema=manifest_schema())
    pq.write_table(table, path, compression="zstd", row_group_size=10_000)


def write_table(videos: Sequence[Video], path: Path, kind: Kind) -> None:
    """Write a normalised manifest in one of the formats that can be read as a source."""
    if kind == "parquet":
        write_manifest(videos, path)
    else:
        path.write_text(as_text(videos, kind), encoding="utf-8", newline="")


def as_text(videos: Sequence[Video], kind: Literal["csv", "tsv", "jsonl"]) -> str:
    """A normalised manifest as text that is read back the same as a source.

    In CSV and TSV the names of a list stand in one cell with ``;`` between them, and ``None`` is an empty cell.
    """
    if kind == "jsonl":
        return "".join(json.dumps(_row(video), ensure_ascii=False) + "\n" for video in videos)
    return csv_text(manifest_schema().names, map(list_cells, videos), "\t" if kind == "tsv" else ",")


def list_cells(video: Video) -> dict[str, Any]:
    """A row of a list in CSV or TSV."""
    return {**_row(video), "procedures": ";".join(video.procedures)}


def read_manifest(path: Path) -> list[Video]:
    """Read a ``manifest.parquet``.

    Raises:
        CurateError: Missing, damaged, of another layout, or with a row that is no valid video.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [f.name for f in fields(Video)]
    try:
        file = pq.ParquetFile(path)
        names = [name for name in names if name in file.schema_arrow.names or name not in LATER_FIELDS]
        schema = pa.schema([manifest_schema().field(name) for name in names])
        table = file.read(columns=names, use_threads=False)  # to start them takes longer than to read
        columns = (table if table.schema.equals(schema) else table.cast(schema)).to_pydict()
        columns["procedures"] = [tuple(procedures or ()) for procedures in columns["procedures"]]
        return [*map(Video, *(columns.get(field.name, repeat(field.default)) for field in fields(Video)))]
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise CurateError(f"{path} is not a usable manifest: {why_of(error)}") from error


def _row(video: Video) -> dict[str, Any]:
    return {**asdict(video), "procedures": list(video.procedures)}
