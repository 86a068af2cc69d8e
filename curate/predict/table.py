"""Predictions on disk: Parquet, CSV or JSON lines, written as they come and whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from curate.errors import CurateError
from curate.files.atomic import check_replaceable, commit, temporary_beside
from curate.files.csv_file import CsvWriter
from curate.files.parquet import RowWriter
from curate.records import Region
from curate.workspace.tables import prediction_schema

SUFFIXES = (".parquet", ".csv", ".jsonl")
"""File name endings that choose the format."""

ROWS_A_GROUP = 1000
"""Rows held in memory, and in one row group of Parquet."""

Row = dict[str, Any]


class PredictionWriter:
    """Writes predictions under a temporary name; a ``with`` block that ends well gives the file its own.

    Args:
        path: File to write; its ending is one of `SUFFIXES`. In CSV the regions are a JSON list.

    Raises:
        CurateError: Another ending, or the folder is not there.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise CurateError(f"{path}: the name must end in {', '.join(SUFFIXES)}")
        if not path.parent.is_dir():
            raise CurateError(f"{path}: there is no folder {path.parent}; make it first")
        check_replaceable(path)
        self._path = path
        self._temporary: Path
        self._rows: list[Row] = []
        self._open = ExitStack()
        self._write: Callable[[Sequence[Row]], None]

    def __enter__(self) -> PredictionWriter:
        self._temporary = temporary_beside(self._path)
        opener = {".parquet": self._parquet, ".csv": self._csv, ".jsonl": self._jsonl}[self._path.suffix.lower()]
        self._write = opener()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
            self._open.close()
            if kind is None:
                commit({self._temporary: self._path})
        finally:
            self._temporary.unlink(missing_ok=True)

    def add(
        self, path: str, timestamp: float | None, p_surgical: float, verdict: str, regions: Sequence[Region]
    ) -> None:
        """Add one row; the columns are those of `curate.workspace.tree.tables.prediction_schema`."""
        # The shortest decimal that is this float32: the same number in all formats.
        p = float(str(np.float32(p_surgical)))
        boxes = [
            {
                "kind": r.kind,
                "score": float(str(np.float32(r.score))),
                "x1": r.x1,
                "y1": r.y1,
                "x2": r.x2,
                "y2": r.y2,
                "model": r.model,
            }
            for r in regions
        ]
        values = (path, timestamp, p, verdict, boxes)
        self._rows.append(dict(zip(prediction_schema().names, values, strict=True)))
        if len(self._rows) == ROWS_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._write(self._rows)
        self._rows = []

    def _parquet(self) -> Callable[[Sequence[Row]], None]:
        writer = self._open.enter_context(RowWriter(self._temporary, prediction_schema(), rows_a_group=ROWS_A_GROUP))

        def write(rows: Sequence[Row]) -> None:
            for row in rows:
                writer.add(row)

        return write

    def _csv(self) -> Callable[[Sequence[Row]], None]:
        stream = self._open.enter_context(self._temporary.open("w", encoding="utf-8", newline=""))
        writer = CsvWriter(stream, prediction_schema().names)

        def write(rows: Sequence[Row]) -> None:
            for row in rows:
                writer.write({**row, "regions": json.dumps(row["regions"])})

        return write

    def _jsonl(self) -> Callable[[Sequence[Row]], None]:
        stream = self._open.enter_context(self._temporary.open("w", encoding="utf-8"))
        return lambda rows: stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
