"""Formats with one large file for many frames: pictures are made in parallel, the file is written by one task.

Making a picture anew costs a hundred times what copying it does, so that is what is shared out: a shard of such a
format holds the rows of its frames and those pictures that are not copied. What is copied stays where it was sampled,
and is read when the file is written, from beginning to end at the speed of the disk. A kill costs the writing of the
file in hand, and no picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import BadArtefact
from curate.exports.disk.output import OutputFile
from curate.exports.formats.making import Making
from curate.exports.formats.tables import RowsFile, frame_row, read_batches
from curate.exports.plan.plan import BrokenVideo
from curate.exports.plan.shards import Span
from curate.workspace.tables.frames import read_frames

ENCODED = "encoded.bin"
"""The pictures of a shard that were made anew, one after the other."""


def prepare(making: Making, *, swapped: bool = False) -> dict[str, Any]:
    """Make the pictures of a shard that are not copied, and the rows of all.

    ``offset`` and ``size`` of a row say where its picture is in `ENCODED`; those of a copied one are empty.

    Args:
        making: What to make.
        swapped: As for `Making.encoded`.

    Returns:
        Nothing to keep.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """
    with OutputFile(making.folder / ENCODED) as file, RowsFile(making.folder) as rows:
        for frame, jpeg in making.encoded(swapped=swapped):
            row = frame_row(frame, making.renderer)
            if jpeg is None:
                rows.add(row, file="", offset=None, size=None)
            else:
                rows.add(row, file="", offset=file.tell(), size=len(jpeg))
                file.write(jpeg)
    making.summed[ENCODED] = file.facts()
    return {}


@dataclass(frozen=True)
class JoinedRows:
    """Some rows with their pictures.

    Attributes:
        batch: The rows, without a place.
        pictures: Their JPEGs, in order; to be taken once.
    """

    batch: pa.RecordBatch
    pictures: Iterator[bytes]

    @property
    def keys(self) -> list[str]:
        """Their keys."""
        keys: list[str] = self.batch.column("key").to_pylist()
        return keys


def joined(making: Making) -> Iterator[JoinedRows]:
    """The rows of all shards of a job that joins some, with their pictures; few pictures are held.

    Raises:
        BrokenVideo: A copied picture cannot be read.
        DamagedArtefact: The frames are not the ones that were sampled.
    """
    for key, shard in making.job.joins:
        folder = making.job.staging.shard(key)
        encoded = np.memmap(folder / ENCODED, np.uint8, "r") if (folder / ENCODED).stat().st_size else None
        copied = _copied(iter(shard.spans), folder)
        for batch in read_batches(folder):
            yield JoinedRows(batch, _pictures(batch, encoded, copied, making))


def _pictures(
    batch: pa.RecordBatch, encoded: np.memmap[Any, Any] | None, copied: Iterator[bytes], making: Making
) -> Iterator[bytes]:
    for offset, size in zip(batch.column("offset").to_pylist(), batch.column("size").to_pylist(), strict=True):
        making.tick()
        if offset is None or encoded is None:
            yield next(copied)
        else:
            yield encoded[offset : offset + size].tobytes()


def _copied(spans: Iterator[Span], folder: Any) -> Iterator[bytes]:
    """The pictures of a shard that are copied, in order."""
    rows = (
        row
        for batch in read_batches(folder)
        for row in zip(batch.column("n").to_pylist(), batch.column("offset").to_pylist(), strict=True)
    )
    for span in spans:
        wanted = [n for n, offset in itertools.islice(rows, span.frames) if offset is None]
        if not wanted:
            continue
        entry = span.video.entry
        entry.sealed.check(entry.frames)
        found = 0
        try:
            for frame in read_frames(entry.frames, frozenset(wanted)):
                found += 1
                yield frame.jpeg
        except BadArtefact as error:
            raise BrokenVideo.by(span.video.id, error) from error
        if found != len(wanted):
            raise BrokenVideo(span.video.id, f"{entry.frames} lacks {len(wanted) - found} of {len(wanted)} frames")
