"""``regions/{id}.parquet`` and ``audit/{id}.parquet``: boxes on the frames of a video, ordered by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from curate.errors import BadArtefact
from curate.files.parquet import RowWriter, read_rows
from curate.records import Finding, Region

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T", Region, Finding)


def read_regions(path: Path) -> Iterator[tuple[int, Region]]:
    """Regions in order, each with the number of its frame.

    Raises:
        BadArtefact: The table cannot be read.
    """
    return ((n, Region(*values)) for n, *values in read_rows(path, ["n", *Region._fields]))


def read_findings(path: Path) -> Iterator[tuple[int, Finding]]:
    """Findings of the privacy audit in order, each with the number of its frame.

    Raises:
        BadArtefact: The table cannot be read.
    """
    return ((n, Finding(*values)) for n, *values in read_rows(path, ["n", *Finding._fields]))


class ByFrame(Generic[T]):
    """Boxes of a video, asked for in rising order of frames; only a few rows are held.

    Args:
        path: The table; ``None`` where none was made: no frame has any.
        read: `read_regions` or `read_findings`.

    Raises:
        BadArtefact: The table cannot be read.
    """

    def __init__(self, path: Path | None, read: Callable[[Path], Iterator[tuple[int, T]]]) -> None:
        self._path = path
        self._rows: Iterator[tuple[int, T]] = read(path) if path else iter(())
        self._next: tuple[int, T] | None = next(self._rows, None)

    def of(self, n: int) -> list[T]:
        """Boxes of a frame.

        Args:
            n: Number of the frame, above that of the call before.

        Raises:
            BadArtefact: The table cannot be read, or is not ordered by ``n``.
        """
        found: list[T] = []
        while self._next is not None and self._next[0] <= n:
            (number, box), self._next = self._next, next(self._rows, None)
            if self._path and self._next is not None and self._next[0] < number:
                raise BadArtefact(self._path, "it is not ordered by n")
            if number == n:
                found.append(box)
        return found


class BoxWriter:
    """Writes regions or findings frame by frame, to a temporary name; a context manager.

    Args:
        path: File to write.
        schema: `region_schema` or `audit_schema`.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._rows = RowWriter(path, schema)

    def __enter__(self) -> BoxWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._rows.__exit__(*exception)

    def add(self, n: int, boxes: Iterable[Region | Finding]) -> None:
        """Append the boxes of a frame, whose number is above that of the call before."""
        for box in boxes:
            self._rows.add({"n": n, **box._asdict()})
