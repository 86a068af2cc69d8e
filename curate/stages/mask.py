"""Find what is not surgery in surgical frames, and store it as boxes; nothing is painted here.

One pass over the sampled frames, a row group at a time. Only frames that the trimmed video keeps and that are not
judged non-surgical are decoded and looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curate.config import MaskOptions
from curate.nets.text_detector import TextDetector, packaged_model, providers, sha256
from curate.records import NON_SURGICAL, Done, Failed, Outcome, Reason, Video, region_schema
from curate.stage import Files, Lane, Stage

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_A_READ = 16
"""Frames held in memory at a time."""

ROWS_A_GROUP = 10_000
"""Regions in one row group of the output."""


class BadArtefact(Exception):
    """An input of the stage cannot be read or contradicts the other."""


class MaskStage(Stage[MaskOptions]):
    """Regions of the frames of one video, from the text detector of the ``rapidocr`` package."""

    name = "mask"
    folder = "regions"
    inputs = ("sample", "trim")

    _detector: TextDetector | None = None

    @property
    def lane(self) -> Lane:
        """A GPU worker only if the network will run on one."""
        if self.options.detector == "none":
            return "cpu"
        return "gpu" if providers(self.options.device)[0][0] == "CUDAExecutionProvider" else "cpu"

    def fingerprint_extra(self) -> dict[str, Any]:
        """The weights of the detector."""
        return {} if self.options.detector == "none" else {"sha256": sha256(packaged_model())}

    def setup(self) -> None:
        """Load the detector."""
        if self.options.detector == "none":
            return
        self._detector = TextDetector(
            packaged_model(),
            side=self.options.side,
            threshold=self.options.threshold,
            device=self.options.device,
            threads=self.options.threads,
        )

    def process(self, video: Video, files: Files) -> Outcome:
        """Write ``regions/{id}.parquet``; a video without regions gets an empty table."""
        artefact = files.temporary(".parquet")
        looked_at = with_regions = regions = 0
        try:
            wanted = frames_to_look_at(files.inputs["trim"])
            with RegionWriter(artefact) as writer:
                for n, image in decoded_frames(files.inputs["sample"], wanted):
                    rows = self._regions(n, image)
                    writer.add(rows)
                    looked_at += 1
                    with_regions += bool(rows)
                    regions += len(rows)
        except BadArtefact as error:
            return Failed(Reason.BAD_ARTEFACT, str(error))
        if looked_at != len(wanted):
            missing = len(wanted) - looked_at
            return Failed(Reason.BAD_ARTEFACT, f"{files.inputs['sample']} lacks {missing} of {len(wanted)} kept frames")
        return Done(artefact, figures={"frames": looked_at, "frames_with_regions": with_regions, "regions": regions})

    def close(self) -> None:
        """Let the detector go."""
        self._detector = None

    def _regions(self, n: int, image: npt.NDArray[np.uint8]) -> list[dict[str, Any]]:
        if self._detector is None:
            return []
        (boxes,) = self._detector.detect([image])
        return [
            {"n": n, "kind": "text", "score": b.score, "x1": b.x1, "y1": b.y1, "x2": b.x2, "y2": b.y2, "model": "text"}
            for b in boxes
        ]


def frames_to_look_at(verdicts: Path) -> frozenset[int]:
    """Numbers ``n`` of the frames that are kept and not judged non-surgical.

    Raises:
        BadArtefact: The verdicts cannot be read.
    """
    wanted = []
    for batch in _batches(verdicts, ["n", "kept", "verdict"], 4096):
        columns = (batch.column(name).to_pylist() for name in ("n", "kept", "verdict"))
        wanted += [n for n, kept, verdict in zip(*columns, strict=True) if kept and verdict != NON_SURGICAL]
    return frozenset(wanted)


def decoded_frames(frames: Path, wanted: frozenset[int]) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """The wanted frames of a ``frames`` table, in its order.

    Yields:
        ``n``, and the image: RGB, uint8, shape (height, width, 3).

    Raises:
        BadArtefact: The table or one of its JPEGs cannot be read.
    """
    import simplejpeg

    for batch in _batches(frames, ["n", "image"], ROWS_A_READ):
        images = batch.column("image")
        for row, n in enumerate(batch.column("n").to_pylist()):
            if n not in wanted:
                continue
            try:
                yield n, simplejpeg.decode_jpeg(images[row].as_py())
            except ValueError as error:
                raise BadArtefact(f"{frames}: frame {n} is not a readable JPEG: {error}") from error


def _batches(path: Path, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            if missing := set(columns) - set(table.schema_arrow.names):
                raise BadArtefact(f"{path} lacks the columns {', '.join(sorted(missing))}")
            yield from table.iter_batches(batch_size=rows, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise BadArtefact(f"cannot read {path}: {error}") from error


class RegionWriter:
    """Writes regions to Parquet, sorted by frame and then box, holding one row group at most.

    Args:
        path: File to write.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(path, region_schema(), compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> RegionWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._flush()
        self._writer.close()

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Add the regions of one frame; frames come in rising order."""
        self._rows += sorted(rows, key=lambda r: (r["n"], r["y1"], r["x1"], r["y2"], r["x2"], r["kind"], r["model"]))
        if len(self._rows) >= ROWS_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=region_schema()))
        self._rows = []
