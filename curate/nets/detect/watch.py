"""The single-frame looks at one video: networks run where something changed, or where nothing is known yet.

The overlay network's look at a frame alone is cheap and says where anything is that is not surgery. The text detector,
which costs five times as much, is shown those parts of the frame, and the places of text that is known. Text that
`curate.nets.detect.fusion` believes is text of which the overlay network sees something, so nothing is lost by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curate.nets.detect.overlay import OverlayNet
from curate.nets.detect.text_detector import TextDetector
from curate.records import Region
from curate.vision.boxes import ScoredBox, area, contains, scale, share_inside
from curate.vision.changes import GRID, Changes, Tiles, index_of, largest_difference, parts_of, tile_means
from curate.vision.static_content import COLUMNS, ROWS, gradients, reduce, statistics

Image = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]

SUSPECT = 0.1
"""Mean probability of overlay in a tile from which the text detector is shown it. Half of what text must have inside
its box to be believed: a line fills half a tile."""

SEEN = 0.3
"""Probability of overlay from which a pixel is suspect; what changes elsewhere in a tile is tissue that moves."""

OTHER = 30
"""Difference of a colour (0..255) from which a suspect pixel shows something else: tissue shines through thin
letters."""

CHANGED = 0.08
"""Share of a tile's pixels, suspect ones of one colour or another, from which it is to be looked at again: five."""

SAME = 0.5
"""Share of new text that lies in text which stays from which it is the same text."""

MARGIN = 1
"""Tiles around what is suspect that the text detector is shown with it: it takes what fills its picture for no text."""

WHOLE = 0.6
"""Share of the frame from which the text detector is shown all of it instead of parts."""


@dataclass(frozen=True)
class Look:
    """What single-frame detectors say of a frame.

    Attributes:
        text: What the text detector found.
        others: What other detectors found.
        reduced: The frame as `curate.vision.static_content.reduce` gives it.
        steps: Its `curate.vision.static_content.gradients`.
        alone: Probability of overlay that the network sees in the frame alone, float32 in 0..1, of the shape of
            ``reduced``; ``None`` where it was not asked.
    """

    text: list[ScoredBox]
    others: list[Region]
    reduced: Image
    steps: npt.NDArray[np.float32]
    alone: npt.NDArray[np.float32] | None = None


class Watch:
    """Looks at the frames of one video, in order; what stands still is looked at once.

    Args:
        text: The text detector, if text is looked for.
        net: The overlay network, if there is one; without it text is looked for in the whole of a frame that changed.
        others: Gives the regions of detectors that look at whole frames.
        seen: Counts what each network saw: frames that the text detector was shown anything of (``text_frames``)
            and tiles of them (``text_tiles``), frames that the overlay network was shown alone (``overlay_frames``).
    """

    def __init__(
        self,
        text: TextDetector | None,
        net: OverlayNet | None,
        others: Callable[[Image], list[Region]],
        seen: Counter[str],
    ) -> None:
        self._detector = text
        self._net = net
        self._find_others = others
        self._seen = seen
        self._changes = Changes()
        self._size = (0, 0)
        self._last: Look | None = None
        self._reference: Image | None = None
        self._suspect = np.zeros((ROWS, COLUMNS), dtype=bool)

    def look(self, n: int, image: Image) -> Look:
        """Look at the next frame.

        Args:
            n: Its number, above that of the frame before.
            image: RGB, uint8, shape (height, width, 3).
        """
        reduced = reduce(image)
        if image.shape[:2] != self._size:
            self._changes, self._size = Changes(), image.shape[:2]
        change = self._changes.see(n, reduced)
        steps = gradients(reduced)
        last = self._last
        if last is not None and not change.any:
            look = Look(last.text, last.others, reduced, steps, last.alone)
        else:
            alone = self._alone(reduced, steps)
            known = [] if last is None or change.anew else last.text
            text = self._text(image, reduced, change.anew, alone, known)
            look = Look(text, self._find_others(image), reduced, steps, alone)
        self._last = look
        return look

    def _alone(self, reduced: Image, steps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
        if self._net is None or self._detector is None:
            return None
        self._seen["overlay_frames"] += 1
        return 1 - self._net.probabilities(statistics([reduced], [steps]))[0]

    def _text(
        self, image: Image, reduced: Image, anew: bool, alone: Probabilities | None, known: list[ScoredBox]
    ) -> list[ScoredBox]:
        if self._detector is None:
            return []
        size = (image.shape[1], image.shape[0])
        if alone is None:
            return self._whole(image)
        suspect = alone >= SEEN
        if anew or self._reference is None:
            self._reference, self._suspect = reduced.copy(), suspect
            return self._whole(image)
        wanted = tile_means(alone) >= SUSPECT
        boxes = [scale(box.box, size, GRID) for box in known]
        for box in boxes:
            wanted[index_of(box)] = True
        changed = self._changed(reduced, suspect)
        parts = [part for part in parts_of(wanted, MARGIN) if (wanted & changed)[index_of(part)].any()]
        if not parts:
            return known
        for part in parts:
            pixels = index_of(scale(part, GRID, (COLUMNS, ROWS)))
            self._reference[pixels] = reduced[pixels]
            self._suspect[pixels] |= suspect[pixels]
        whole = [scale(part, GRID, size) for part in parts]
        shown = sum(area(part) for part in parts)
        if shown >= WHOLE * wanted.size:
            return self._whole(image)
        self._seen["text_frames"] += 1
        self._seen["text_tiles"] += shown
        stays = [one for one, box in zip(known, boxes, strict=True) if not any(contains(part, box) for part in parts)]
        found = self._detector.detect_in(image, whole)
        stays += [box for box in found if not any(share_inside(box.box, other.box) >= SAME for other in stays)]
        return sorted(stays, key=lambda box: (box.y1, box.x1, box.y2, box.x2))

    def _changed(self, reduced: Image, suspect: npt.NDArray[np.bool_]) -> Tiles:
        """Tiles in which what is suspect is new, or is not what it was when the text detector was shown it last."""
        import cv2

        assert self._reference is not None, "only called where something is known"
        around = np.asarray(cv2.dilate(self._suspect.astype(np.uint8), np.ones((3, 3), np.uint8))) > 0
        differs = largest_difference(reduced, self._reference) > OTHER
        return tile_means(suspect & (differs | ~around)) >= CHANGED

    def _whole(self, image: Image) -> list[ScoredBox]:
        assert self._detector is not None, "only called where text is looked for"
        self._seen["text_frames"] += 1
        self._seen["text_tiles"] += GRID[0] * GRID[1]
        return self._detector.detect([image])[0]
