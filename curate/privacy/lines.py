"""Reading what stands in the regions of frames; what stands still is read once.

Captions and interfaces stand still while surgery moves, so a region at the place of an earlier one with the same
content needs no new reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.nets.detect.text_detector import TextDetector
from curate.nets.detect.text_reader import TextReader
from curate.records import Region
from curate.vision.boxes import Box, iou, share_inside

Image = npt.NDArray[np.uint8]
Strokes = npt.NDArray[np.float32]

OWN_LOOK = frozenset(["text", "logo", "ui", "other"])
"""Kinds of regions in which lines are looked for where the mask stage told none. Windows with pictures (``pip``) are
not among them: they move, and the mask stage has looked at every frame of them."""

SAME_PLACE = 0.8
"""Intersection over union from which two regions may be the same one."""

BLOCK = 8
"""Side in pixels of the blocks in which contents are compared."""

GROUND = 15
"""Side in pixels of the surroundings from which strokes differ: more than a stroke is wide, less than shades of tissue
are."""

SAME_LOOK = 14.0
"""Mean difference (0..255) in no block of which two contents are the same: JPEG of a status caption differs by less
than half of it, one changed letter by more than twice."""

REMEMBERED = 12
"""Frames for which a region that is not seen is remembered."""

AROUND = 4
"""Heights of a region shown to the detector above and below it, since it takes what fills its picture for no text."""

INSIDE = 0.5
"""Share of a line that must lie in a region for it to be the region's."""

TALLEST = 0.12
"""Largest share of the frame's height of a region that is read as one line if the detector sees no line in it."""


class Line(NamedTuple):
    """A line of text: its half-open box in pixels of the frame, what was read, and the reading's score (0..1)."""

    box: Box
    text: str
    score: float


@dataclass
class _Known:
    """A region that was read."""

    region: Box
    look: Strokes
    lines: tuple[Line, ...]
    seen: int


class LineReader:
    """Reads the lines in the regions of the frames of one video, in order.

    Args:
        detector: Finds lines in regions that are not lines themselves.
        reader: Reads them.
    """

    def __init__(self, detector: TextDetector, reader: TextReader) -> None:
        self._detector = detector
        self._reader = reader
        self._known: list[_Known] = []
        self._frame = 0
        self._seen: Counter[str] = Counter()

    def reset(self, seen: Counter[str]) -> None:
        """Forget everything: another video begins.

        Args:
            seen: Counts what the networks see: frames in which lines are looked for (``line_frames``), frames in which
                any is read (``reader_frames``), and lines read (``reader_lines``).
        """
        self._known = []
        self._seen = seen

    def lines(self, image: Image, regions: Sequence[Region]) -> list[Line]:
        """Lines of text of a frame, top to bottom.

        Args:
            image: RGB, uint8, shape (height, width, 3).
            regions: Of the frame, as the mask stage found them.
        """
        import cv2

        self._frame += 1
        grey: Image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        found: list[Line] = []
        sought = False
        new: list[tuple[Box, list[Box]]] = []
        drawn = [region.box for region in regions if region.model == "text"]
        for box in drawn:
            if not self._recall(grey, box, found):
                new.append((box, [box]))
        for region in regions:
            box = region.box
            if region.model == "text" or region.kind not in OWN_LOOK:
                continue
            if any(share_inside(line, box) >= INSIDE for line in drawn):
                continue
            if not self._recall(grey, box, found):
                new.append((box, self._seek(image, box)))
                sought = True
        self._seen["line_frames"] += sought
        lines_to_read = sum(len(boxes) for _, boxes in new)
        self._seen["reader_frames"] += lines_to_read > 0
        self._seen["reader_lines"] += lines_to_read
        readings = iter(self._reader.read([_cut(image, box) for _, boxes in new for box in boxes]))
        for box, boxes in new:
            lines = tuple(Line(line, *next(readings)) for line in boxes)
            self._known.append(_Known(box, _strokes(_cut(grey, box)), lines, self._frame))
            found += lines
        self._known = [known for known in self._known if self._frame - known.seen < REMEMBERED]
        return sorted(set(found), key=lambda line: (line.box[1], line.box[0], line))

    def _recall(self, grey: Image, box: Box, found: list[Line]) -> bool:
        """Add the lines of a region that was read before; returns whether it was."""
        for known in self._known:
            if iou(known.region, box) >= SAME_PLACE and _alike(known.look, _strokes(_cut(grey, known.region))):
                known.seen = self._frame
                found += known.lines
                return True
        return False

    def _seek(self, image: Image, box: Box) -> list[Box]:
        """Boxes of the lines in a region."""
        height, width = image.shape[:2]
        tall = box[3] - box[1]
        left, top = max(box[0] - tall, 0), max(box[1] - AROUND * tall, 0)
        part = image[top : min(box[3] + AROUND * tall, height), left : min(box[2] + tall, width)]
        (seen,) = self._detector.detect([np.ascontiguousarray(part)])
        boxes = [(left + line.x1, top + line.y1, left + line.x2, top + line.y2) for line in seen]
        inside = [line for line in boxes if share_inside(line, box) >= INSIDE]
        if not inside and tall <= TALLEST * height and box[2] - box[0] >= 2 * tall:
            return [box]
        return inside


def _cut(image: Image, box: Box) -> Image:
    x1, y1, x2, y2 = box
    return np.ascontiguousarray(image[y1:y2, x1:x2])


def _strokes(grey: Image) -> Strokes:
    """What differs from its surroundings: letters, and not the tissue that moves behind them."""
    import cv2

    values = grey.astype(np.float32)
    return np.asarray(values - cv2.blur(values, (GROUND, GROUND)), dtype=np.float32)


def _alike(a: Strokes, b: Strokes) -> bool:
    """Whether two pictures show the same in every block."""
    if a.shape != b.shape:
        return False
    difference = np.abs(a - b)
    rows, columns = (range(0, side, BLOCK) for side in a.shape)
    sums = np.add.reduceat(np.add.reduceat(difference, rows, axis=0), columns, axis=1)
    sizes = np.outer(np.diff([*rows, a.shape[0]]), np.diff([*columns, a.shape[1]]))
    return bool((sums < SAME_LOOK * sizes).all())
