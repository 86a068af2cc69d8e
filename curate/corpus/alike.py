"""Pictures of different splits that look alike: by perceptual hashes of each and of its mirror image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from curate.corpus.foreign import LARGEST_FILE, MOST_PIXELS
from curate.files.bounded import read_bounded
from curate.vision.perceptual_hash import BITS, hash_pictures, small_picture

LEAST_CONTENT = 8
"""Content, 0..100, below which a picture is like too many others."""

_BLOCK = 1024
"""Pictures that are looked up at a time."""


class Alike(NamedTuple):
    """Two pictures of different splits, by the numbers that they were added under, and the bits that differ."""

    one: int
    other: int
    bits: int


class PictureHashes:
    """Hashes of many pictures; 32 bytes and some numbers are held for each, and for its mirror image."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._splits: list[int] = []
        self._whole: list[bytes] = []
        self._mirror: list[bytes] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, number: int, split: int, path: Path) -> bool:
        """Hash a picture.

        Args:
            number: Of the picture, for `pairs`.
            split: Any number that its split has alone.
            path: Of its file.

        Returns:
            Whether it has enough content to be compared.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no picture, damaged, or too large.
        """
        import cv2
        import PIL.Image

        data = read_bounded(path, LARGEST_FILE)
        try:
            with PIL.Image.open(path) as header:
                width, height = header.size
        except Exception as error:  # whatever a header of a stranger makes of the library
            raise ValueError(f"is no picture that can be read: {error}") from error
        if width * height > MOST_PIXELS:
            raise ValueError(f"has {width}x{height} pixels, more than {MOST_PIXELS / 1e6:g} million")
        grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise ValueError("is damaged")
        hashes = hash_pictures(small_picture(np.asarray(grey, np.uint8))[None])
        if hashes.quality[0] < LEAST_CONTENT:
            return False
        self._numbers.append(number)
        self._splits.append(split)
        self._whole.append(hashes.whole[0].tobytes())
        self._mirror.append(hashes.mirror[0].tobytes())
        return True

    def pairs(self, radius: int) -> Iterator[Alike]:
        """Pictures of different splits whose hashes differ by at most ``radius`` of 256 bits, each pair both ways."""
        import faiss

        if not self._numbers:
            return
        index = faiss.IndexBinaryFlat(BITS)
        index.add(_codes(self._whole))
        for start in range(0, len(self), _BLOCK):
            queries = (self._whole[start : start + _BLOCK], self._mirror[start : start + _BLOCK])
            nearest: dict[tuple[int, int], int] = {}
            for codes in map(_codes, queries):
                limits, bits, found = index.range_search(codes, radius + 1)
                for i in range(len(codes)):
                    for place in range(limits[i], limits[i + 1]):
                        one, other = start + i, int(found[place])
                        if self._splits[one] != self._splits[other]:
                            pair = one, other
                            nearest[pair] = min(int(bits[place]), nearest.get(pair, BITS))
            for (one, other), difference in sorted(nearest.items()):
                yield Alike(self._numbers[one], self._numbers[other], difference)


def _codes(rows: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), BITS // 8)
