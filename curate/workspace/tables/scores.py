"""``scores/{id}.parquet``: what the network said of each sampled frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import BadArtefact
from curate.files.parquet import read_columns, text_metadata, write_table
from curate.workspace.tables.schemas import score_schema

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Scores:
    """The table of the classify stage, and what its model says of it.

    Attributes:
        n: Numbers of the frames.
        timestamps: Seconds from the start of the video, never falling.
        p_surgical: Probability of surgery, 0..1.
        changes: How far the colours are from those of the frame before, 0..1.
        model: Name of the network.
        sha256: Of its weights, hex digits with blanks between the files.
        threshold: The model's own operating point.
        band: Its own band of uncertainty, ``(low, high)``.
    """

    n: npt.NDArray[np.int32]
    timestamps: npt.NDArray[np.float64]
    p_surgical: npt.NDArray[np.float32]
    changes: npt.NDArray[np.float32]
    model: str
    sha256: str
    threshold: float
    band: tuple[float, float]


def write_scores(path: Path, scores: Scores) -> None:
    """Write a table of scores to a temporary name."""
    import pyarrow as pa

    schema = score_schema().with_metadata(
        {
            "model": scores.model,
            "sha256": scores.sha256,
            "threshold": repr(scores.threshold),
            "uncertain_low": repr(scores.band[0]),
            "uncertain_high": repr(scores.band[1]),
        }
    )
    write_table(path, pa.table([scores.n, scores.timestamps, scores.p_surgical, scores.changes], schema=schema))


def read_scores(path: Path) -> Scores:
    """Read a table of scores.

    A day of video at 1 frame a second is 86,400 rows of 20 bytes: it is held whole.

    Raises:
        BadArtefact: The table cannot be read, has no rows or no operating point, timestamps that fall, or probabilities
            outside 0..1.
    """
    import numpy as np

    table = read_columns(path, score_schema().names)
    said = text_metadata(table)
    n, timestamps, p, changes = (column.to_numpy() for column in table.columns)
    if not len(n):
        raise BadArtefact(path, "it has no rows of scores")
    if (np.diff(timestamps) < 0).any():
        raise BadArtefact(path, "its timestamps fall, so its scores make no sense")
    if not ((p >= 0) & (p <= 1)).all():
        raise BadArtefact(path, "it has scores outside 0..1")
    try:
        band = float(said["uncertain_low"]), float(said["uncertain_high"])
        return Scores(n, timestamps, p, changes, said["model"], said.get("sha256", ""), float(said["threshold"]), band)
    except (KeyError, ValueError) as error:
        raise BadArtefact(path, f"its metadata tell no operating point: {error}") from error
