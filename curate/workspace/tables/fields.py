"""``fields/{id}.parquet``: where the endoscope's picture lies in the frame, one row a shot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from curate.files.parquet import RowWriter, read_rows
from curate.workspace.tables.schemas import field_schema


class ShotField(NamedTuple):
    """The field of view of one shot; see `field_schema`. Pixels of the sampled frame, ``x2``/``y2`` exclusive."""

    first: int
    last: int
    width: int
    height: int
    shape: str
    score: float
    x1: int
    y1: int
    x2: int
    y2: int
    cx: float
    cy: float
    rx: float
    ry: float


def read_fields(path: Path) -> Iterator[ShotField]:
    """Fields of view in the order of the shots.

    Raises:
        BadArtefact: The table cannot be read.
    """
    return (ShotField(*row) for row in read_rows(path, ShotField._fields))


class FieldWriter:
    """Writes fields of view shot by shot, to a temporary name; a context manager."""

    def __init__(self, path: Path) -> None:
        self._rows = RowWriter(path, field_schema())

    def __enter__(self) -> FieldWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._rows.__exit__(*exception)

    def add(self, shot: ShotField) -> None:
        """Append a shot, which begins after the one before."""
        self._rows.add(shot._asdict())
