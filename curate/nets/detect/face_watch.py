"""Looking for faces in the frames of one video: closely where one may be, and only where something changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from curate.nets.detect.face_detector import FaceDetector
from curate.records import Region
from curate.vision.boxes import Box, ScoredBox, area, scale
from curate.vision.changes import GRID, WHOLE, Changes, Tiles, changed_parts, index_of, with_parts
from curate.vision.static_content import reduce

Image = npt.NDArray[np.uint8]

WINDOWS = frozenset(["pip", "other"])
"""Kinds of regions that may show a person: they are looked at closely wherever they change, for a glance misses faces
in the smallest of them."""

MARGIN = 3
"""Tiles around what may be a face that are looked at with it."""


class FaceWatch:
    """Looks for faces in the frames of one video, in order.

    A frame in which nothing changed has the faces of the one before. Where something did, a glance at all of it says
    where faces may be, and those places, the windows that the mask stage found, and the places of known faces are
    looked at closely, if they changed. The first frame, those after a cut or a gap, and one now and then are looked at
    closely as a whole.

    Args:
        detector: Finds them.
        seen: Counts what it saw: frames at a glance (``face_glances``), frames and tiles closely (``face_frames``,
            ``face_tiles``).
    """

    def __init__(self, detector: FaceDetector, seen: Counter[str]) -> None:
        self._detector = detector
        self._seen = seen
        self._changes = Changes()
        self._size = (0, 0)
        self._faces: list[ScoredBox] = []

    def look(self, n: int, image: Image, regions: Sequence[Region]) -> list[ScoredBox]:
        """Faces of the next frame, the surest first.

        Args:
            n: Its number, above that of the frame before.
            image: RGB, uint8, shape (height, width, 3).
            regions: Of the frame, as the mask stage found them.
        """
        size = (image.shape[1], image.shape[0])
        if size != self._size:
            self._changes, self._size = Changes(), size
        change = self._changes.see(n, reduce(image))
        if change.anew:
            self._faces = self._closely(image)
        elif change.any:
            self._faces = self._where_changed(image, change.tiles, regions)
        return self._faces

    def _where_changed(self, image: Image, changed: Tiles, regions: Sequence[Region]) -> list[ScoredBox]:
        """Faces of a frame of which some tiles changed."""
        size = (image.shape[1], image.shape[0])
        self._seen["face_glances"] += 1
        wanted = np.zeros(changed.shape, dtype=bool)
        for box in (*(face.box for face in self._faces), *self._suspect(image, regions)):
            wanted[index_of(scale(box, size, GRID))] = True
        parts = changed_parts(wanted, changed, MARGIN)
        if not parts:
            return self._faces
        shown = sum(area(part) for part in parts)
        if shown >= WHOLE * wanted.size:
            return self._closely(image)
        self._seen["face_frames"] += 1
        self._seen["face_tiles"] += shown
        found = self._detector.detect_in(image, [scale(part, GRID, size) for part in parts])
        return sorted(with_parts(self._faces, size, parts, found), key=lambda face: (-face.score, face))

    def _suspect(self, image: Image, regions: Sequence[Region]) -> list[Box]:
        """Where a glance or the mask stage says that a person may be."""
        windows = [region.box for region in regions if region.kind in WINDOWS]
        return [*(face.box for face in self._detector.glance(image)), *windows]

    def _closely(self, image: Image) -> list[ScoredBox]:
        self._seen["face_frames"] += 1
        self._seen["face_tiles"] += GRID[0] * GRID[1]
        return self._detector.detect(image)
