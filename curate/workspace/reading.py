"""Reading the frames that a trimmed video shows as surgery, for stages that look at their pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from curate.records import NON_SURGICAL

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_A_READ = 16
"""Frames held in memory at a time."""


class BadArtefact(Exception):
    """An input of the stage cannot be read or contradicts the other."""


def frames_to_look_at(verdicts: Path) -> frozenset[int]:
    """Numbers ``n`` of the frames that are kept and not judged non-surgical.

    Raises:
        BadArtefact: The verdicts cannot be read.
    """
    wanted = []
    for batch in read_batches(verdicts, ["n", "kept", "verdict"], 4096):
        columns = (batch.column(name).to_pylist() for name in ("n", "kept", "verdict"))
        wanted += [n for n, kept, verdict in zip(*columns, strict=True) if kept and verdict != NON_SURGICAL]
    return frozenset(wanted)


def check_all_seen(frames: Path, wanted: frozenset[int], seen: int) -> None:
    """Hold the frames that were looked at against those that were to be.

    Raises:
        BadArtefact: The table of frames lacks some.
    """
    if missing := len(wanted) - seen:
        raise BadArtefact(f"{frames} lacks {missing} of {len(wanted)} kept frames")


def wanted_jpegs(frames: Path, wanted: frozenset[int]) -> Iterator[tuple[int, bytes]]:
    """The wanted frames of a ``frames`` table, in its order.

    Yields:
        ``n``, and the JPEG.

    Raises:
        BadArtefact: The table cannot be read.
    """
    for batch in read_batches(frames, ["n", "image"], ROWS_A_READ):
        images = batch.column("image")
        for row, n in enumerate(batch.column("n").to_pylist()):
            if n in wanted:
                yield n, images[row].as_py()


def read_batches(path: Path, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Some columns of a Parquet file, ``rows`` rows at a time.

    Raises:
        BadArtefact: The file cannot be read or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            if missing := set(columns) - set(table.schema_arrow.names):
                raise BadArtefact(f"{path} lacks the columns {', '.join(sorted(missing))}")
            yield from table.iter_batches(batch_size=rows, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise BadArtefact(f"cannot read {path}: {error}") from error
