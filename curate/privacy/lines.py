"""Reading what stands in the regions of frames; what stands still is read once.

Captions and interfaces stand still while surgery moves, so a region at the place of an earlier one with the same
content needs no new reading. One that was read badly gets some, and all that they say counts. One that says the same
again and again although it looks different, for tissue moves behind it, gets ever fewer.
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

SAME_PLACE = 0.65
"""Intersection over union from which two regions may be the same one, if they end at the same letters."""

SAME_ENDS = 0.5
"""Heights by which the ends of a line may lie apart in two frames; what is written on beyond them is another line."""

BLOCK = 8
"""Side in pixels of the blocks in which contents are compared."""

GROUND = 15
"""Side in pixels of the surroundings from which strokes differ: more than a stroke is wide, less than shades of tissue
are."""

SAME_LOOK = 14.0
"""Mean difference (0..255) in no block of which two contents are the same: JPEG of a status caption differs by less
than half of it, one changed letter by more than twice."""

SHOWN = 0.8
"""Share of the strokes of an earlier look that a region must show for the same letters to stand there."""

SURE = 0.95
"""Score from which a line was read right."""

TRIES = 4
"""Readings that a region gets for its lines to be read right."""

LONGEST_WAIT = 4
"""Frames from one reading to the next, at most, of a region that says the same but looks different."""

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
    """A region that was read, in frame ``read``, for the so-manieth time, and last seen in frame ``seen``."""

    region: Box
    look: Strokes
    lines: tuple[Line, ...]
    read: int
    seen: int
    readings: int = 1
    wait: int = 1

    @property
    def score(self) -> float:
        """That of the line that was read worst, at its best."""
        return min((line.score for line in self.lines), default=1.0)

    @property
    def texts(self) -> list[str]:
        """What was read."""
        return [line.text for line in self.lines]

    def holds(self, look: Strokes, frame: int) -> bool:
        """Whether a region that looks so now needs no new reading."""
        if self.score < SURE and self.readings < TRIES:
            return False
        return _alike(self.look, look) or (frame - self.read < self.wait and _shown(self.look, look))

    def again(self, new: _Known) -> _Known:
        """What is known after another reading of the same letters."""
        if new.texts == self.texts:
            new.wait = min(2 * self.wait, LONGEST_WAIT)
        elif self.score >= SURE:
            return new
        else:
            new.lines += tuple(line for line in self.lines if line.text not in new.texts)
        new.readings += self.readings
        return new


class _Place(NamedTuple):
    """A region to be read: its lines, and what is known of the same letters."""

    region: Box
    lines: list[Box]
    before: _Known | None


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
        new: list[_Place] = []
        drawn = [region.box for region in regions if region.model == "text"]
        for box in drawn:
            known, holds = self._recall(grey, box)
            if known and holds:
                found += known.lines
            else:
                new.append(_Place(box, [box], known))
        for region in regions:
            box = region.box
            if region.model == "text" or region.kind not in OWN_LOOK:
                continue
            if any(share_inside(line, box) >= INSIDE for line in drawn):
                continue
            known, holds = self._recall(grey, box)
            if known and holds:
                found += known.lines
            else:
                new.append(_Place(box, self._seek(image, box), known))
                sought = True
        self._seen["line_frames"] += sought
        lines_to_read = sum(len(place.lines) for place in new)
        self._seen["reader_frames"] += lines_to_read > 0
        self._seen["reader_lines"] += lines_to_read
        readings = iter(self._reader.read([_cut(image, box) for place in new for box in place.lines]))
        for place in new:
            lines = tuple(Line(line, *next(readings)) for line in place.lines)
            found += self._learn(place, _strokes(_cut(grey, place.region)), lines)
        self._known = [known for known in self._known if self._frame - known.seen < REMEMBERED]
        return sorted(set(found), key=lambda line: (line.box[1], line.box[0], line))

    def _recall(self, grey: Image, box: Box) -> tuple[_Known | None, bool]:
        """What is known of the letters in a region, and whether it holds without a new reading."""
        same: _Known | None = None
        for known in self._known:
            if not _same_place(known.region, box):
                continue
            look = _strokes(_cut(grey, known.region))
            if known.holds(look, self._frame):
                known.seen = self._frame
                return known, True
            if same is None and _shown(known.look, look):
                same = known
        return same, False

    def _learn(self, place: _Place, look: Strokes, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        """Remember a region that was read; returns its lines."""
        known = _Known(place.region, look, lines, self._frame, self._frame)
        if place.before:
            self._known = [other for other in self._known if other is not place.before]
            known = place.before.again(known)
        self._known.append(known)
        return known.lines

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


def _same_place(a: Box, b: Box) -> bool:
    """Whether two regions may hold the same letters."""
    apart = SAME_ENDS * min(a[3] - a[1], b[3] - b[1])
    return iou(a, b) >= SAME_PLACE and abs(a[0] - b[0]) <= apart and abs(a[2] - b[2]) <= apart


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


def _shown(before: Strokes, after: Strokes) -> bool:
    """Whether a picture has the strokes of another one, and perhaps more."""
    if before.shape != after.shape:
        return False
    return float((before * after).sum()) >= SHOWN * float((before * before).sum())
