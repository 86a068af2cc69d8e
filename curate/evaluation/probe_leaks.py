"""Pictures of a probe set that stand in an export: whoever was pretrained on it has seen them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from curate.errors import CurateError, why_of
from curate.exports.reading.stores import FrameStore, open_record, open_store
from curate.exports.reading.whole import check_whole
from curate.nets.preprocess import decode
from curate.vision.perceptual_hash import BITS, CROPS, SIDE, hash_pictures, lit_part, small_picture

LEAST_CONTENT = 8
"""Content, 0..100, below which a picture is like too many others to be compared by its looks."""

RADIUS = 24
"""Bits of 256 in which the hashes of two pictures may differ that count as alike."""

_BATCH = 256

Small = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]


class Leak(NamedTuple):
    """A picture of the probe set that an export shows.

    Attributes:
        frame: Its number in the probe set.
        export: Name of the export.
        key: Key of the export's picture.
        video: Its video.
        bits: In which the two differ, of 256; -1 for the same bytes.
    """

    frame: int
    export: str
    key: str
    video: str
    bits: int


class ProbePictures:
    """What is held of a probe set's pictures: checksums, and hashes of each, of its mirror image and of its parts."""

    def __init__(self) -> None:
        import faiss

        self._sums: dict[bytes, int] = {}
        self._owners: list[int] = []
        self._index = faiss.IndexBinaryFlat(BITS)

    def add(self, number: int, jpeg: bytes) -> None:
        """Take note of a picture.

        Args:
            number: Of the picture in the probe set.
            jpeg: The picture.

        Raises:
            ValueError: It is no usable JPEG.
        """
        whole, lit = _small(jpeg, "rgb", ())
        self._sums.setdefault(hashlib.sha256(jpeg).digest(), number)
        hashes = hash_pictures(np.stack([whole, lit]))
        good = hashes.quality >= LEAST_CONTENT
        parts = [hashes.whole[good], hashes.mirror[good], hashes.crops[0] if good[0] else hashes.crops[0][:0]]
        codes = np.ascontiguousarray(np.concatenate(parts))
        if len(codes):
            self._index.add(codes)
            self._owners += [number] * len(codes)

    def found_in(self, folder: Path, advance: Callable[[int], object] = lambda count: None) -> list[Leak]:
        """Pictures of the set that an export shows, in any of its splits; each once, with the closest it has.

        The export's pictures are read one after the other, and what it has painted over is left out of the comparison.

        Args:
            folder: Of an export of pictures.
            advance: Told how many more were looked at.

        Raises:
            CurateError: It is no export of pictures, or one of its pictures cannot be read.
        """
        best: dict[int, Leak] = {}

        def note(frame: int, key: str, video: str, bits: int) -> None:
            if frame not in best or bits < best[frame].bits:
                best[frame] = Leak(frame, folder.name, key, video, bits)

        for batch in _batches(_pictures(folder, advance)):
            for one in batch:
                if (frame := self._sums.get(one.sha256)) is not None:
                    note(frame, one.key, one.video, -1)
            for row, owner, bits in self._alike(batch):
                note(owner, batch[row].key, batch[row].video, bits)
        return [best[frame] for frame in sorted(best)]

    def _alike(self, batch: Sequence[_Shown]) -> Iterator[tuple[int, int, int]]:
        """Row of the batch, number in the set and bits of each pair that looks alike."""
        if not self._owners:
            return
        for small in (np.stack([one.whole for one in batch]), np.stack([one.lit for one in batch])):
            hashes = hash_pictures(small)
            rows = np.flatnonzero(hashes.quality >= LEAST_CONTENT)
            for codes in (hashes.whole, *(hashes.crops[:, crop] for crop in range(len(CROPS)))):
                limits, bits, found = self._index.range_search(np.ascontiguousarray(codes[rows]), RADIUS + 1)
                for i, row in enumerate(rows):
                    for place in range(limits[i], limits[i + 1]):
                        yield int(row), self._owners[found[place]], int(bits[place])


class _Shown(NamedTuple):
    """A picture of an export, as it is compared."""

    key: str
    video: str
    sha256: bytes
    whole: Small
    lit: Small


def count_pictures(folder: Path) -> int:
    """How many pictures all splits of an export have.

    Raises:
        CurateError: The folder is not an export of pictures.
    """
    return sum(len(store) for store in stores(folder))


def stores(folder: Path) -> list[FrameStore]:
    """All splits of an export of pictures.

    Raises:
        CurateError: The folder is not an export of pictures, or lacks some of its files.
    """
    record = open_record(folder)
    check_whole(folder, record)
    return [open_store(folder, split) for split in record["counts"]["splits"]]


def _pictures(folder: Path, advance: Callable[[int], object]) -> Iterator[_Shown]:
    for store in stores(folder):
        table = store.table(["key", "video_id", "regions"])
        for block in store.blocks():
            rows = table.slice(block.start, len(block)).to_pylist()
            for i, row in zip(block, rows, strict=True):
                jpeg = _jpeg(store, i)
                boxes = [(r["x1"], r["y1"], r["x2"], r["y2"]) for r in row["regions"] or ()]
                try:
                    small = _small(jpeg, store.channel_order, boxes)
                except ValueError as error:
                    raise CurateError(
                        f"{folder}: picture {row['key']} cannot be read: {error}; see 'curate verify {folder}'"
                    ) from error
                yield _Shown(row["key"], row["video_id"], hashlib.sha256(jpeg).digest(), *small)
            advance(len(block))


def _jpeg(store: FrameStore, index: int) -> bytes:
    try:
        return store.jpeg(index)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise CurateError(
            f"{store.folder}: picture {index} of {store.split} cannot be read: {why_of(error)}; "
            f"'curate verify {store.folder}' tells all that is wrong"
        ) from error


def _batches(shown: Iterator[_Shown]) -> Iterator[list[_Shown]]:
    batch: list[_Shown] = []
    for one in shown:
        batch.append(one)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _small(jpeg: bytes, order: str, boxes: Sequence[Box]) -> tuple[Small, Small]:
    """All of a picture, and the part without dark borders, as hashes are made of them; boxes are left out.

    Raises:
        ValueError: It is no usable JPEG.
    """
    height, width, _, _ = simplejpeg.decode_jpeg_header(jpeg)
    by = min(2 * SIDE / max(min(height, width), 1), 1.0)
    image = decode(jpeg, math.ceil(width * by), math.ceil(height * by))
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY if order == "rgb" else cv2.COLOR_BGR2GRAY), np.uint8)
    rows, columns = grey.shape
    shown = np.ones((rows, columns), bool)
    for x1, y1, x2, y2 in boxes:
        across = slice(max(x1 * columns // width, 0), max(-(-x2 * columns // width), 0))
        shown[max(y1 * rows // height, 0) : max(-(-y2 * rows // height), 0), across] = False
    x1, y1, x2, y2 = lit_part(np.where(shown, grey, 0).astype(np.uint8))
    lit = small_picture(np.ascontiguousarray(grey[y1:y2, x1:x2]), shown[y1:y2, x1:x2])
    return small_picture(grey, shown), lit
