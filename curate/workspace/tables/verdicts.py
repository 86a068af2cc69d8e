"""``verdicts/{id}.parquet``: the verdict on each sampled frame, and whether it lies inside the trimmed video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from curate.errors import BadArtefact
from curate.files.parquet import count_rows, read_columns, read_rows, text_metadata, write_table
from curate.workspace.tables.schemas import verdict_schema

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ROWS_A_GROUP = 8192


class Verdict(NamedTuple):
    """One row.

    Attributes:
        n: Number of the sample.
        timestamp: Seconds from the start of the video.
        p_surgical: Probability of surgery, 0..1.
        verdict: ``surgical``, ``non-surgical`` or ``uncertain``.
        kept: Whether the frame lies inside the trimmed video.
    """

    n: int
    timestamp: float
    p_surgical: float
    verdict: str
    kept: bool


def read_verdicts(path: Path) -> Iterator[Verdict]:
    """Verdicts in order, a few thousand held at a time.

    Raises:
        BadArtefact: The table cannot be read.
    """
    return (Verdict(*row) for row in read_rows(path, Verdict._fields))


def read_threshold(path: Path) -> float:
    """The probability from which the frames were judged surgical.

    Raises:
        BadArtefact: The table cannot be read or does not tell.
    """
    try:
        return float(text_metadata(read_columns(path, ["n"]))["threshold"])
    except (KeyError, ValueError) as error:
        raise BadArtefact(path, f"its metadata tell no threshold: {error}") from error


def count_verdicts(path: Path) -> int:
    """Rows of a table of verdicts.

    Raises:
        BadArtefact: The table cannot be read.
    """
    return count_rows(path)


def write_verdicts(
    path: Path,
    n: npt.NDArray[np.int32],
    timestamps: npt.NDArray[np.float64],
    p_surgical: npt.NDArray[np.float32],
    verdicts: npt.NDArray[np.str_],
    kept: npt.NDArray[np.bool_],
    reasons: npt.NDArray[np.str_],
    metadata: Mapping[str, str],
) -> None:
    """Write a table of verdicts to a temporary name; the arrays are the columns of `verdict_schema`, in its order."""
    import pyarrow as pa

    schema = verdict_schema().with_metadata(dict(metadata))
    table = pa.table([n, timestamps, p_surgical, verdicts, kept, reasons], schema=schema)
    write_table(path, table, rows_a_group=ROWS_A_GROUP)
