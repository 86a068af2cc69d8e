"""``signatures/{id}.parquet``: perceptual hashes of the kept frames of a video, one row a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import BadArtefact
from curate.files.parquet import read_columns, text_metadata, write_table
from curate.workspace.tables.schemas import signature_schema

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CROPS = 6
"""Parts of a picture that have a hash of their own."""

HASH = 32
"""Bytes of a hash."""


@dataclass(frozen=True)
class Signature:
    """The hashes of a video: an hour is 3,600 rows of 301 bytes, so it is held whole.

    Attributes:
        n: Numbers of the sampled frames; int32, (rows,).
        timestamps: Seconds from the start of the video, rising; float64, (rows,).
        quality: How much content there is, 0..100; uint8, (rows,).
        whole: Hashes of the pictures; uint8, (rows, 32).
        mirror: Of their mirror images; uint8, (rows, 32).
        crops: Of their parts; uint8, (rows, crops, 32).
        frame: Of all of the frames but dark borders; uint8, (rows, 32).
        width: Of the largest frame, in pixels.
        height: Of the largest frame.
        spacing: Seconds that a row stands for.
    """

    n: npt.NDArray[np.int32]
    timestamps: npt.NDArray[np.float64]
    quality: npt.NDArray[np.uint8]
    whole: npt.NDArray[np.uint8]
    mirror: npt.NDArray[np.uint8]
    crops: npt.NDArray[np.uint8]
    frame: npt.NDArray[np.uint8]
    width: int
    height: int
    spacing: float


def write_signature(path: Path, signature: Signature) -> None:
    """Write hashes to a temporary name."""
    import pyarrow as pa

    schema = signature_schema().with_metadata(
        {"width": str(signature.width), "height": str(signature.height), "spacing": repr(signature.spacing)}
    )
    rows = len(signature.n)
    parts = signature.whole, signature.mirror, signature.crops, signature.frame
    codes = [
        pa.FixedSizeBinaryArray.from_buffers(kind, rows, [None, pa.py_buffer(part.tobytes())])
        for kind, part in zip(schema.types[3:], parts, strict=True)
    ]
    write_table(path, pa.table([signature.n, signature.timestamps, signature.quality, *codes], schema=schema))


def read_signature(path: Path) -> Signature:
    """Read the hashes of a video.

    Raises:
        BadArtefact: The table cannot be read, its times do not rise, or it lacks its metadata.
    """
    import numpy as np

    table = read_columns(path, signature_schema().names).combine_chunks()
    if table.schema.remove_metadata() != signature_schema():
        raise BadArtefact(path, "its columns are of other types than those of a table of signatures")
    said = text_metadata(table)
    n, timestamps, quality = (table.column(name).to_numpy() for name in ("n", "timestamp", "quality"))
    whole, mirror, crops, frame = (
        np.frombuffer(b"".join(table.column(name).to_pylist()), np.uint8)
        for name in ("whole", "mirror", "crops", "frame")
    )
    if (np.diff(timestamps) <= 0).any():
        raise BadArtefact(path, "its timestamps do not rise")
    try:
        width, height, spacing = int(said["width"]), int(said["height"]), float(said["spacing"])
        if not (width > 0 and height > 0 and spacing > 0):
            raise ValueError("a size or spacing that is not positive")
    except (KeyError, ValueError) as error:
        raise BadArtefact(path, f"its metadata do not tell size and spacing: {error}") from error
    return Signature(
        *(n, timestamps, quality, whole.reshape(-1, HASH), mirror.reshape(-1, HASH)),
        *(crops.reshape(len(n), CROPS, HASH), frame.reshape(-1, HASH), width, height, spacing),
    )
