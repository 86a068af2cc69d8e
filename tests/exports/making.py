"""Small workspaces' worth of real artefacts for the export tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from curate import records
from curate.exports import ExportEntry, exporter
from curate.exports.formats.video_files import VIDEO_FORMATS
from curate.records import Video
from curate.workspace import tables
from tests.media.videos import encode as encode_video

ALL = tuple(exporter.FORMATS)
PICTURES = tuple(name for name in ALL if name not in VIDEO_FORMATS)
"""Formats of single pictures."""

WIDTH, HEIGHT = 96, 64
RATE = 5
"""Frames a second of the videos."""

BOX = (16, 16, 48, 32)


def picture(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A mostly red RGB picture with a bright box where an overlay would be."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 0] = 180 + seed % 40
    image[:, :, 1] = np.linspace(0, 40, width, dtype=np.uint8)[None, :]
    x1, y1, x2, y2 = BOX
    image[y1:y2, x1:x2] = 250
    return image


def encode(image: np.ndarray) -> bytes:
    return simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=95, colorsubsampling="420")


def make_entry(
    folder: Path,
    video_id: str,
    verdicts: str = "nsssnssu",
    *,
    kept: Sequence[int] | None = None,
    regions: Sequence[int] = (),
    rows_a_group: int = 3,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    source_meta: dict[str, Any] | None = None,
    fields: Sequence[dict[str, Any]] = (),
    source_file: bool = True,
    findings: Sequence[tuple[int, str, tuple[int, int, int, int]]] = (),
    **video: Any,
) -> ExportEntry:
    """Write the artefacts of one video.

    Args:
        folder: Where to write.
        video_id: Id of the video.
        verdicts: One letter a sampled frame: ``s``, ``n`` or ``u``.
        kept: Frames inside the trim; by default from the first to the last ``s`` and whatever follows it as ``u``.
        regions: Frames that get a region at `BOX`.
        rows_a_group: Rows of a row group of images.
        size: Width and height.
        source_meta: What the source told.
        fields: Rows of the field of view, by what is not that of a whole frame; one whole shot by default.
        findings: Frame, kind and box of what the privacy audit found, in the order of frames.
        source_file: Whether to encode the video, with `RATE` frames a second; white where it is not surgical.
        video: Further fields of the video.
    """
    words = {"s": records.SURGICAL, "n": records.NON_SURGICAL, "u": records.UNCERTAIN}
    inside = set(kept if kept is not None else range(verdicts.index("s"), len(verdicts)))
    folder.mkdir(exist_ok=True)
    names = ("frames", "verdicts", "regions", "fields", "audit")
    paths = {name: folder / f"{video_id}.{name}.parquet" for name in names}
    frames = [
        {
            "n": n,
            "timestamp": float(n),
            "source_index": n * RATE,
            "key_frame": False,
            "width": size[0],
            "height": size[1],
            "image": encode(picture(n, *size)),
        }
        for n in range(len(verdicts))
    ]
    with pq.ParquetWriter(paths["frames"], tables.frame_schema(), compression="none") as writer:
        for i in range(0, len(frames), rows_a_group):
            writer.write_table(pa.Table.from_pylist(frames[i : i + rows_a_group], tables.frame_schema()))
    judged = [
        {
            "n": n,
            "timestamp": float(n),
            "p_surgical": 0.9 if letter == "s" else 0.1,
            "verdict": words[letter],
            "kept": n in inside,
            "reason": "" if n in inside else "before_first_run",
        }
        for n, letter in enumerate(verdicts)
    ]
    pq.write_table(pa.Table.from_pylist(judged, tables.verdict_schema()), paths["verdicts"])
    x1, y1, x2, y2 = BOX
    boxes = [
        {"n": n, "kind": "text", "score": 0.8, "x1": x1, "y1": y1, "x2": x2, "y2": y2, "model": "test"}
        for n in sorted(regions)
    ]
    pq.write_table(pa.Table.from_pylist(boxes, tables.region_schema()), paths["regions"])
    white = np.full((size[1], size[0], 3), 255, np.uint8)
    if source_file:
        encode_video(
            folder / f"{video_id}.mp4",
            frames=RATE * len(verdicts),
            size=size,
            rate=RATE,
            options={"preset": "ultrafast", "crf": "10"},
            images=lambda i: white if verdicts[i // RATE] == "n" else picture(i // RATE, *size),
        )
    whole = {"first": 0, "last": len(verdicts) - 1, "width": size[0], "height": size[1], "shape": "none", "score": 0.0}
    whole |= {"x1": 0, "y1": 0, "x2": size[0], "y2": size[1], "cx": 0.0, "cy": 0.0, "rx": 0.0, "ry": 0.0}
    shots = [whole | row for row in fields or [{}]]
    pq.write_table(pa.Table.from_pylist(shots, tables.field_schema()), paths["fields"])
    found = [
        dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
        | {"n": n, "kind": kind, "score": 0.9, "pattern": "" if kind == "face" else "Aa. Aaaa", "model": "test"}
        for n, kind, box in findings
    ]
    pq.write_table(pa.Table.from_pylist(found, tables.audit_schema()), paths["audit"])
    return ExportEntry(
        video=Video(id=video_id, source=video.pop("source", f"https://example.org/{video_id}"), **video),
        frames=paths["frames"],
        verdicts=paths["verdicts"],
        regions=paths["regions"],
        fields=paths["fields"],
        audit=paths["audit"],
        source_meta=source_meta or {},
        source_file=folder / f"{video_id}.mp4" if source_file else None,
    )


def sampled_jpeg(entry: ExportEntry, n: int) -> bytes:
    """The sampled JPEG of frame ``n``."""
    return pq.read_table(entry.frames, columns=["image"]).column(0)[n].as_py()


def tree_bytes(folder: Path) -> dict[str, bytes]:
    """Content of every file below a folder, by relative path."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
