"""The metadata that stands beside the pictures: per frame, per video, per procedure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.corpus.balance import ProcedureRow
from curate.exports.formats.dataset import Dataset
from curate.exports.pixels.frames import ExportFrame
from curate.exports.pixels.render import Renderer
from curate.exports.plan.plan import PlannedVideo
from curate.files.csv_file import CsvWriter
from curate.files.parquet import ROWS_A_GROUP, RowWriter, read_rows, write_table
from curate.version import __version__

METADATA = "metadata.parquet"
"""One row a frame, or in the formats of video files one a file."""

VIDEOS = "videos.parquet"
"""One row a video, beside every export."""

DECISIONS = "decisions.jsonl"
"""What people decided about the videos of an export, one line a decision (`curate.verdicts.journal`)."""

REGION = pa.struct(
    [
        ("kind", pa.string()),
        ("score", pa.float32()),
        ("x1", pa.int32()),
        ("y1", pa.int32()),
        ("x2", pa.int32()),
        ("y2", pa.int32()),
        ("model", pa.string()),
    ]
)
"""A region in pixels of the exported picture, ``x2`` and ``y2`` exclusive."""

FIELD = pa.struct(
    [
        ("shape", pa.string()),
        ("score", pa.float32()),
        ("x1", pa.int32()),
        ("y1", pa.int32()),
        ("x2", pa.int32()),
        ("y2", pa.int32()),
        ("cx", pa.float32()),
        ("cy", pa.float32()),
        ("rx", pa.float32()),
        ("ry", pa.float32()),
    ]
)
"""The field of view in pixels of the exported picture: the part of the box that lies in the ellipse, if ``rx`` > 0."""

CROP = pa.struct([("x1", pa.int32()), ("y1", pa.int32()), ("x2", pa.int32()), ("y2", pa.int32())])
"""The part of the sampled frame that is exported, in its pixels, ``x2`` and ``y2`` exclusive."""

ORIGIN = (("channel", pa.string()), ("case", pa.string()), ("corpus", pa.string()), ("public", pa.bool_()))
"""Whose a video is, as the fields of `curate.records.Video`."""

FRAME_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("video_id", pa.string()),
        ("n", pa.int32()),
        ("timestamp", pa.float64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("title", pa.string()),
        ("source", pa.string()),
        ("procedures", pa.list_(pa.string())),
        ("domain", pa.string()),
        ("robotic", pa.bool_()),
        ("p_surgical", pa.float32()),
        ("verdict", pa.string()),
        ("regions", pa.list_(REGION)),
        ("field", FIELD),
        ("crop", CROP),
        ("split", pa.string()),
        ("licence", pa.string()),
        *ORIGIN,
    ]
)
"""One row a frame. ``n`` counts samples and ``timestamp`` seconds from the start of the source video; the number in
``key`` counts from the first frame inside the trim."""

VIDEO_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("title", pa.string()),
        ("source", pa.string()),
        ("procedures", pa.list_(pa.string())),
        ("domain", pa.string()),
        ("robotic", pa.bool_()),
        ("licence", pa.string()),
        ("split", pa.string()),
        ("frames", pa.int64()),
        ("seconds", pa.float64()),
        ("frame_weight", pa.float64()),
        *ORIGIN,
    ]
)
"""`VIDEOS`. ``frame_weight`` is the probability with which a balanced sampler of the video's split draws any
one of its frames."""

_PLACE = (("file", pa.string()), ("offset", pa.int64()), ("size", pa.int64()))
"""Where a picture is: file relative to the export, offset and size in bytes; no offset in LMDB."""


def frame_row(frame: ExportFrame, renderer: Renderer) -> dict[str, Any]:
    """The row of `FRAME_SCHEMA` for a frame."""
    video = frame.video
    width, height = renderer.size(frame)
    field = renderer.field(frame)
    return {
        "key": frame.key,
        "video_id": video.id,
        "n": frame.n,
        "timestamp": frame.timestamp,
        "width": width,
        "height": height,
        "title": video.title,
        "source": video.source,
        "procedures": list(video.entry.video.procedures),
        "domain": video.entry.video.domain,
        "robotic": video.entry.video.robotic,
        "p_surgical": frame.p_surgical,
        "verdict": frame.verdict,
        "regions": [_struct(region, REGION) for region in renderer.regions(frame)],
        "field": None if field is None else _struct(field, FIELD),
        "crop": dict(zip(("x1", "y1", "x2", "y2"), renderer.crop(frame), strict=True)),
        "split": video.split,
        "licence": video.licence,
        **origin(video),
    }


def origin(video: PlannedVideo) -> dict[str, Any]:
    """The columns of `ORIGIN` for a video."""
    return {name: getattr(video.entry.video, name) for name, _ in ORIGIN}


def _struct(value: Any, kind: pa.StructType) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in kind}


def made_with(context: Mapping[str, str]) -> dict[str, str]:
    """Key-value metadata of a Parquet file: how the dataset was made, as JSON under ``curate``."""
    return {"curate": json.dumps({"version": __version__, "made_with": dict(context)}, sort_keys=True)}


ROWS = "rows.arrow"
"""Rows of the frames of a shard, as long as it is staged."""


def place_schema(*, checksums: bool = False) -> pa.Schema:
    """Columns of `FRAME_SCHEMA` and where the picture is.

    Args:
        checksums: Whether there is a column with the SHA-256 of each picture, for formats in which every picture is a
            file of its own.
    """
    place = (*_PLACE, ("sha256", pa.string())) if checksums else _PLACE
    return pa.schema([*FRAME_SCHEMA, *(pa.field(*field) for field in place)])


class RowsFile:
    """Collects the rows of a shard in `ROWS`; a context manager.

    Args:
        folder: Of the shard.
        checksums: As for `place_schema`.
    """

    PIECE = 1_000
    """Rows that are held and written together."""

    def __init__(self, folder: Path, *, checksums: bool = False) -> None:
        self._schema = place_schema(checksums=checksums)
        self._writer = pa.ipc.new_file(str(folder / ROWS), self._schema)
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> RowsFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._writer:
            if kind is None:
                self._flush()

    def add(self, row: dict[str, Any], **place: Any) -> None:
        """Append the row of a frame, with ``file``, ``offset``, ``size`` and, where asked for, ``sha256``."""
        self._rows.append(row | place)
        if len(self._rows) == self.PIECE:
            self._flush()

    def add_batch(self, batch: pa.RecordBatch) -> None:
        """Append finished rows."""
        self._flush()
        self._writer.write_batch(batch)

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
            self._rows = []


def read_batches(folder: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a shard, some at a time."""
    with pa.ipc.open_file(str(folder / ROWS)) as file:
        for index in range(file.num_record_batches):
            yield file.get_batch(index)


def in_pieces(folder: Path) -> bool:
    """Whether the rows of a shard lie as `RowsReader` looks for them."""
    *sizes, last = [len(batch) for batch in read_batches(folder)] or [0]
    return set(sizes) <= {RowsFile.PIECE} and last <= RowsFile.PIECE


class RowsReader:
    """Reads rows of shards that were added one by one; the files of a few shards stay open. A context manager."""

    MOST = 16
    """Files that stay open."""

    def __init__(self) -> None:
        self._open: dict[Path, tuple[pa.MemoryMappedFile, pa.ipc.RecordBatchFileReader]] = {}

    def __enter__(self) -> RowsReader:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self._close(next(iter(self._open)))

    def between(self, folder: Path, start: int, stop: int, columns: Sequence[str]) -> pa.Table:
        """Some columns of some rows of a shard; the others are not read."""
        piece = RowsFile.PIECE
        file = self._file(folder / ROWS)
        batches = [file.get_batch(index).select(columns) for index in range(start // piece, -(-stop // piece))]
        return pa.Table.from_batches(batches).slice(start % piece, stop - start)

    def _file(self, path: Path) -> pa.ipc.RecordBatchFileReader:
        found = self._open.pop(path, None)
        if found is None:
            source = pa.memory_map(str(path))
            found = source, pa.ipc.open_file(source)
        self._open[path] = found  # the last one is the one that was used last
        if len(self._open) > self.MOST:
            self._close(next(iter(self._open)))
        return found[1]

    def _close(self, path: Path) -> None:
        source, file = self._open.pop(path)
        file.__exit__(None, None, None)
        source.close()


def with_place(batch: pa.RecordBatch, **columns: Any) -> pa.RecordBatch:
    """The same rows with other columns of the place of the pictures."""
    kinds = dict(_PLACE)
    arrays = {name: batch.column(name) for name in batch.schema.names}
    arrays |= {name: pa.array(values, kinds[name]) for name, values in columns.items()}
    return pa.RecordBatch.from_arrays(list(arrays.values()), schema=batch.schema)


def write_frame_table(
    path: Path, batches: Iterable[pa.RecordBatch], metadata: Mapping[str, str], *, checksums: bool = False
) -> None:
    """Write ``metadata.parquet``, in row groups that do not tell where shards ended.

    Args:
        path: The file.
        batches: Rows in the order of the export.
        metadata: Key-value metadata of the file.
        checksums: As for `place_schema`.
    """
    schema = place_schema(checksums=checksums).with_metadata(metadata)

    def write_group(writer: RowWriter, group: list[pa.RecordBatch]) -> None:
        writer.add_group(pa.Table.from_batches(group).combine_chunks().replace_schema_metadata(schema.metadata))

    with RowWriter(path, schema) as writer:
        held: list[pa.RecordBatch] = []
        count = 0
        for batch in batches:
            while count + len(batch) >= ROWS_A_GROUP:
                room = ROWS_A_GROUP - count
                write_group(writer, [*held, batch.slice(0, room)])
                batch, held, count = batch.slice(room), [], 0
            held.append(batch)
            count += len(batch)
        if count:
            write_group(writer, held)


def read_places(path: Path, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Some columns of ``metadata.parquet``, a tuple a frame; few rows are held at a time."""
    return read_rows(path, columns)


def read_videos(folder: Path, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of the table of videos of an export, a tuple a video.

    Raises:
        BadArtefact: It cannot be read.
    """
    return list(read_rows(folder / VIDEOS, columns))


def write_tables(dataset: Dataset, folder: Path) -> None:
    """Write what stands beside every export: ``videos.parquet``, ``procedures.csv``, and decisions if there are any."""
    if lines := [line for video in dataset.plan.videos for line in video.entry.decisions]:
        (folder / DECISIONS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    rows = [
        {
            "video_id": video.id,
            "title": video.title,
            "source": video.source,
            "procedures": list(video.entry.video.procedures),
            "domain": video.entry.video.domain,
            "robotic": video.entry.video.robotic,
            "licence": video.licence,
            "split": video.split,
            "frames": video.frames,
            "seconds": video.seconds,
            "frame_weight": dataset.weights[video.id],
            **origin(video),
        }
        for video in dataset.plan.videos
    ]
    write_table(folder / VIDEOS, pa.Table.from_pylist(rows, VIDEO_SCHEMA))
    with open(folder / "procedures.csv", "w", newline="", encoding="utf-8") as stream:
        writer = CsvWriter(stream, [field.name for field in dataclasses.fields(ProcedureRow)])
        for row in dataset.procedures:
            numbers = (f"{row.frames:.10g}", f"{row.hours:.6f}", f"{row.weight:.9f}")
            writer.write((row.split, row.procedure, row.videos, *numbers))
