"""Formats with one file for many shards, a split or a class: what their shards hold, and how they are put together.

Making a picture anew costs a hundred times what copying it does, so that is what is shared out: a shard of such a
format holds the pictures that were made anew, and the rows of all, which tell where each picture is. A second job for
each file copies all pictures, the others straight from the artefacts of their videos. Beside the pictures that were
made anew it needs no disk but for the file in hand, and no picture.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from curate.exports.disk.output import OutputFile
from curate.exports.formats.finished import FinishedShard
from curate.exports.formats.making import Making
from curate.exports.formats.tables import ROWS, RowsFile, RowsReader, frame_row, in_pieces, read_batches
from curate.exports.plan.plan import BrokenVideo, PlannedVideo

ENCODED = "encoded.bin"
"""The pictures of a shard that were made anew, one after the other."""

FRAMES = "frames"
"""Stands for the frames of the video in place of the name of a file."""

_OPEN = 16
"""Files that are kept open."""

_ROWS = 1_000
"""Rows that are held as Python objects at a time."""

_PLACE = ("key", "file", "offset", "size")


def prepare(making: Making, *, swapped: bool = False) -> dict[str, Any]:
    """Make the pictures of a shard that are not copied, and the rows of all.

    ``file`` of a row says where its picture is, `ENCODED` or `FRAMES`, and ``offset`` and ``size`` where in it.

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
            if jpeg is None and (offset := frame.jpeg_place) is not None:
                rows.add(row, file=FRAMES, offset=offset, size=frame.jpeg_size)
            else:
                picture = frame.jpeg if jpeg is None else jpeg
                rows.add(row, file=ENCODED, offset=file.tell(), size=len(picture))
                file.write(picture)
    making.summed[ENCODED] = file.facts()
    return {}


def holds(finished: FinishedShard) -> bool:
    """Whether a shard that is staged is one that `prepare` would leave."""
    return finished.has_files(ENCODED, ROWS) and finished.has_rows([ENCODED, FRAMES]) and in_pieces(finished.folder)


class Place(NamedTuple):
    """Where the picture of a frame is until shards are joined.

    Attributes:
        key: Of the frame.
        video: It belongs to.
        folder: Of the shard.
        file: `ENCODED` or `FRAMES`.
        offset: In the file.
        size: In bytes.
    """

    key: str
    video: PlannedVideo
    folder: Path
    file: str
    offset: int
    size: int


class StagedPictures:
    """Reads the pictures of the shards that a job joins, from wherever they are; a context manager."""

    def __init__(self) -> None:
        self._open: dict[Path, int] = {}

    def __enter__(self) -> StagedPictures:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)

    def read(self, place: Place) -> bytes:
        """A picture.

        Raises:
            BrokenVideo: It cannot be read.
            DamagedArtefact: The frames are not the ones that were sampled.
        """
        entry = place.video.entry
        path = entry.frames if place.file == FRAMES else place.folder / place.file
        try:
            descriptor = self._open.pop(path, None)
            if descriptor is None:
                entry.sealed.check(path)
                descriptor = os.open(path, os.O_RDONLY)
            self._open[path] = descriptor  # the last one is the one that was used last
            if len(self._open) > _OPEN:
                os.close(self._open.pop(next(iter(self._open))))
            picture = os.pread(descriptor, place.size, place.offset)
        except OSError as error:
            raise BrokenVideo(place.video.id, f"{path}: {error.strerror}") from error
        if len(picture) != place.size:
            raise BrokenVideo(place.video.id, f"{path}: it ends within the picture of {place.key}")
        return picture


@dataclass(frozen=True)
class JoinedRows:
    """Some rows with their pictures.

    Attributes:
        batch: The rows.
        places: Where their pictures are.
    """

    batch: pa.RecordBatch
    places: tuple[Place, ...]


def joined(making: Making) -> Iterator[JoinedRows]:
    """The rows of all shards of a job that joins some, in the order of the export."""
    for key, shard in making.job.joins:
        folder = making.job.staging.shard(key)
        videos = (span.video for span in shard.spans for _ in range(span.frames))
        for batch in read_batches(folder):
            rows = _rows(batch)
            yield JoinedRows(batch, tuple(Place(key, next(videos), folder, *where) for key, *where in rows))


def in_order_of_keys(making: Making) -> Iterator[Place]:
    """The pictures of all shards of a job that joins some, in the order of the bytes of their keys.

    Those of one video are sorted. All keys of a video begin with its id and ``_``, so few videos are in hand at a time:
    one, and those with ids that go on from there, as ``a_b`` does from ``a``.
    """
    pieces: dict[str, list[tuple[Path, PlannedVideo, int, int]]] = {}
    for key, shard in making.job.joins:
        start = 0
        for span in shard.spans:
            stop = start + span.frames
            pieces.setdefault(f"{span.video.id}_", []).append((making.job.staging.shard(key), span.video, start, stop))
            start = stop
    with RowsReader() as reader:
        yield from _merged((prefix, _sorted(pieces[prefix], reader)) for prefix in sorted(pieces))


def _sorted(pieces: list[tuple[Path, PlannedVideo, int, int]], reader: RowsReader) -> Iterator[Place]:
    tables = [reader.between(folder, start, stop, _PLACE) for folder, _, start, stop in pieces]
    owners = [pa.array([index] * len(table), pa.int32()) for index, table in enumerate(tables)]
    rows = [table.append_column("piece", owner) for table, owner in zip(tables, owners, strict=True)]
    for batch in pa.concat_tables(rows).sort_by("key").to_batches(_ROWS):
        for key, file, offset, size, index in _rows(batch, "piece"):
            folder, video, *_ = pieces[index]
            yield Place(key, video, folder, file, offset, size)


def _rows(batch: pa.RecordBatch, *further: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(batch.column(name).to_pylist() for name in (*_PLACE, *further)), strict=True)


def _merged(sources: Iterable[tuple[str, Iterator[Place]]]) -> Iterator[Place]:
    """Places in the order of their keys.

    Args:
        sources: What all keys of a source begin with, in order, and its places in order. A source is opened once a key
            of it may be due.
    """
    waiting: list[tuple[str, int, Place, Iterator[Place]]] = []

    def wait(number: int, source: Iterator[Place]) -> None:
        if place := next(source, None):
            heapq.heappush(waiting, (place.key, number, place, source))

    def until(prefix: str | None) -> Iterator[Place]:
        while waiting and (prefix is None or waiting[0][0] < prefix):
            _, number, place, source = heapq.heappop(waiting)
            yield place
            wait(number, source)

    for number, (prefix, source) in enumerate(sources):
        yield from until(prefix)
        wait(number, source)
    yield from until(None)
