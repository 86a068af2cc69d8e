"""Hash the kept frames of a video, one a second, so that duplicates can be found between videos.

Each frame is decoded grey and reduced; what is hashed is the field of view of its shot, without the regions of mask.
A stage sees one video: what its hashes have in common with those of others is found by `curate.corpus.matching`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.config import SignatureOptions
from curate.errors import BadArtefact
from curate.records import NON_SURGICAL, Done, Failed, Outcome, Reason, Video
from curate.stage import Files, Stage
from curate.vision.field_of_view import FieldOfView
from curate.vision.perceptual_hash import SIDE, Hashes, hash_pictures, lit_part, small_picture
from curate.vision.shot_fields import ShotFields
from curate.workspace.reading import check_all_seen
from curate.workspace.tables.frames import read_frame_groups
from curate.workspace.tables.regions import ByFrame, read_regions
from curate.workspace.tables.signatures import Signature, write_signature
from curate.workspace.tables.verdicts import read_verdicts

SPACING = 1.0
"""Seconds from one hashed frame to the next, at least."""

_BATCH = 256

Small = npt.NDArray[np.float32]


class SignatureStage(Stage[SignatureOptions]):
    """The hashes of one video."""

    name = "signature"
    folder = "signatures"
    inputs = ("sample", "trim", "mask", "field")
    optional = ("mask", "field")

    @property
    def enabled(self) -> bool:
        """Not for ``none``."""
        return self.options.method != "none"

    def process(self, video: Video, files: Files) -> Outcome:
        """Write ``signatures/{id}.parquet``, one row a second."""
        artefact = files.temporary(".parquet")
        try:
            times = _frames_to_hash(files.inputs["trim"])
            signature = _hash_frames(files, times)
            check_all_seen(files.inputs["sample"], frozenset(times), len(signature.n))
        except BadArtefact as error:
            return Failed(Reason.BAD_ARTEFACT, str(error))
        write_signature(artefact, signature)
        return Done(artefact, figures={"hashes": len(signature.n)})


def _frames_to_hash(verdicts: Path) -> dict[int, float]:
    """Times of the frames to hash, by number: those that are kept and not judged non-surgical, one a second."""
    times: dict[int, float] = {}
    before = -1
    for row in read_verdicts(verdicts):
        second = math.floor(row.timestamp / SPACING + 0.5)  # a frame comes up to its own length before its second
        if row.kept and row.verdict != NON_SURGICAL and second > before:
            times[row.n] = row.timestamp
            before = second
    return times


def _hash_frames(files: Files, times: dict[int, float]) -> Signature:
    sizes: list[tuple[int, int]] = [(1, 1)]
    found: list[tuple[Hashes, Hashes]] = []
    numbers: list[int] = []
    fields: list[Small] = []
    frames: list[Small] = []
    for n, field, frame, size in files.watched(_small_pictures(files, times)):
        numbers.append(n)
        sizes.append(size)
        fields.append(field)
        frames.append(frame)
        if len(fields) == _BATCH:
            found.append((hash_pictures(np.stack(fields)), hash_pictures(np.stack(frames))))
            fields, frames = [], []
    found.append((hash_pictures(_stacked(fields)), hash_pictures(_stacked(frames))))
    whole, mirror, crops, quality = (np.concatenate(parts) for parts in zip(*(one for one, _ in found), strict=True))
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    timestamps = np.array([times[n] for n in numbers], np.float64)
    spacing = max(SPACING, float(np.median(np.diff(timestamps)))) if len(timestamps) > 1 else SPACING
    return Signature(
        n=np.array(numbers, np.int32),
        timestamps=timestamps,
        quality=quality,
        whole=whole,
        mirror=mirror,
        crops=crops,
        frame=np.concatenate([of_frames.whole for _, of_frames in found]),
        width=width,
        height=height,
        spacing=spacing,
    )


def _stacked(pictures: list[Small]) -> Small:
    return np.stack(pictures) if pictures else np.zeros((0, SIDE, SIDE), np.float32)


def _small_pictures(files: Files, times: dict[int, float]) -> Iterator[tuple[int, Small, Small, tuple[int, int]]]:
    """Number, small pictures of field and frame, and size of each frame to hash."""
    regions = ByFrame(files.inputs.get("mask"), read_regions)
    fields = ShotFields(files.inputs.get("field"))
    for group in read_frame_groups(files.inputs["sample"]):
        chosen = [i for i, row in enumerate(group.rows) if row.n in times]
        jpegs = group.jpegs() if chosen else None
        for i in chosen:
            assert jpegs is not None
            row = group.rows[i]
            field = fields.of(row.n, row.width, row.height) or FieldOfView.whole(row.width, row.height)
            boxes = [region.box for region in regions.of(row.n)]
            try:
                small = _shrink(jpegs[i].as_py(), row.width, row.height, field, boxes)
            except ValueError as error:
                raise BadArtefact(files.inputs["sample"], f"frame {row.n} is not a readable JPEG: {error}") from error
            yield row.n, *small, (row.width, row.height)


def _shrink(
    jpeg: bytes, width: int, height: int, field: FieldOfView, boxes: list[tuple[int, int, int, int]]
) -> tuple[Small, Small]:
    """The field of view of a frame, and all of it that is lit, without some boxes, as hashes are made of them."""
    import simplejpeg

    least = min(field.x2 - field.x1, field.y2 - field.y1)
    by = min(SIDE * 1.5 / max(least, 1), 1.0)
    grey = simplejpeg.decode_jpeg(
        jpeg, "GRAY", min_width=math.ceil(width * by), min_height=math.ceil(height * by), min_factor=1, fastdct=True
    )[:, :, 0]
    rows, columns = grey.shape
    scale_x, scale_y = columns / width, rows / height
    shown = np.ones((rows, columns), bool)
    for left, top, right, bottom in boxes:
        across = slice(math.floor(left * scale_x), math.ceil(right * scale_x))
        shown[math.floor(top * scale_y) : math.ceil(bottom * scale_y), across] = False
    x1, y1, x2, y2 = lit_part(np.where(shown, grey, 0) if boxes else grey)
    frame = small_picture(np.ascontiguousarray(grey[y1:y2, x1:x2]), shown[y1:y2, x1:x2])
    if field.shape == "none":
        return small_picture(np.ascontiguousarray(grey), shown), frame
    inner = field.scaled(scale_x, scale_y)
    x1, y1 = round(inner.x1), round(inner.y1)
    x2, y2 = max(round(inner.x2), x1 + 1), max(round(inner.y2), y1 + 1)
    if field.is_round:
        shown &= inner.mask(columns, rows)
    return small_picture(np.ascontiguousarray(grey[y1:y2, x1:x2]), shown[y1:y2, x1:x2]), frame
