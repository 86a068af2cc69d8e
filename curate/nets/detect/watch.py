"""The single-frame looks at one video: networks run where something changed, or where nothing is known yet.

The overlay network's look at a pair of frames is cheap and says where anything is that is not surgery. The text
detector, which costs ten times as much a frame, is shown those parts, and the places of text that is known. Text that
`curate.nets.detect.fusion` believes is text of which the overlay network sees something, so little is lost by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from curate.nets.detect.overlay import OverlayNet, panels_of
from curate.nets.detect.text_detector import TextDetector, downwards
from curate.records import Region
from curate.vision.boxes import Box, ScoredBox, Size, area, scale
from curate.vision.changes import (
    GRID,
    WHOLE,
    Change,
    Changes,
    Tiles,
    changed_parts,
    index_of,
    largest_difference,
    tile_means,
    with_parts,
)
from curate.vision.static_content import COLUMNS, ROWS, gradients, presence, reduce, statistics

Image = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]

SUSPECT = 0.1
"""Mean probability of overlay in a tile from which the text detector is shown it. Half of what text must have inside
its box to be believed: a line fills half a tile."""

TOGETHER = 2
"""Frames that the overlay network is shown together. What is on one of two is still seen, at half its contrast; tissue
that looks like an overlay in one is not seen in both."""

SEEN = 0.3
"""Probability of overlay from which a pixel is suspect; what changes elsewhere in a tile is tissue that moves."""

OTHER = 45
"""Difference of a colour (0..255) from which a suspect pixel shows something else: tissue shines through thin
letters."""

SURE = 0.8
"""Share of the edges of text that a frame must show for the text to be there still."""

CHANGED = 0.12
"""Share of a tile's pixels, suspect ones of one colour or another, from which it is to be looked at again: eight."""

GLIMPSE = 0.5
"""Probability from which a pixel belongs to an interface or an insert that a pair of frames shows. Each of them is
looked at alone where the window of frames around it does not show that."""

MARGIN = 1
"""Tiles around what is suspect that the text detector is shown with it: it takes what fills its picture for no text."""


@dataclass(frozen=True)
class Look:
    """What single-frame detectors say of a frame.

    Attributes:
        text: What the text detector found.
        others: What other detectors found.
        reduced: The frame as `curate.vision.static_content.reduce` gives it.
        steps: Its `curate.vision.static_content.gradients`.
        glimpsed: Where the overlay network sees an interface or an insert in it or in the frame beside it, in pixels of
            the reduced image.
    """

    text: list[ScoredBox]
    others: list[Region]
    reduced: Image
    steps: npt.NDArray[np.float32]
    glimpsed: Sequence[Region] = ()


@dataclass(frozen=True)
class _Held:
    """A frame that waits for the next one."""

    n: int
    image: Image
    reduced: Image
    steps: npt.NDArray[np.float32]
    change: Change


@dataclass
class _Known:
    """What the text detector was shown last, in every place."""

    reduced: Image
    steps: npt.NDArray[np.float32]
    suspect: npt.NDArray[np.bool_]

    def other(self, reduced: Image, suspect: npt.NDArray[np.bool_]) -> Tiles:
        """Tiles in which what is suspect is new, or shows something else."""
        import cv2

        around = np.asarray(cv2.dilate(self.suspect.astype(np.uint8), np.ones((3, 3), np.uint8))) > 0
        differs = largest_difference(reduced, self.reduced) > OTHER
        return tile_means(suspect & (differs | ~around)) >= CHANGED

    def shows(self, steps: npt.NDArray[np.float32], box: Box) -> bool:
        """Whether the edges in a box of the reduced picture, those of text that was found, are still there."""
        return presence(steps, self.steps, box) >= SURE

    def renew(
        self, reduced: Image, steps: npt.NDArray[np.float32], suspect: npt.NDArray[np.bool_], place: tuple[slice, slice]
    ) -> None:
        """Take over a part of a frame, which is shown to the detector."""
        self.reduced[place] = reduced[place]
        self.steps[(slice(None), *place)] = steps[(slice(None), *place)]
        self.suspect[place] |= suspect[place]


Looked = tuple[int, Size, Look]
"""Number of a frame, its width and height, and what was found in it."""


class Watch:
    """Looks at the frames of one video, in order; what stands still is looked at once.

    Args:
        text: The text detector, if text is looked for.
        net: The overlay network, if there is one; without it text is looked for in the whole of a frame that changed.
        others: Gives the regions of detectors that look at whole frames.
        seen: Counts what each network saw: frames that the text detector was shown anything of (``text_frames``)
            and tiles of them (``text_tiles``), and pairs that the overlay network was shown (``overlay_pairs``).
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
        self._held: list[_Held] = []
        self._last: Look | None = None
        self._known: _Known | None = None

    def push(self, n: int, image: Image) -> Iterator[Looked]:
        """Take the next frame and give those that were looked at: none, or a pair.

        Args:
            n: Its number, above that of the frame before.
            image: RGB, uint8, shape (height, width, 3).
        """
        reduced = reduce(image)
        if image.shape[:2] != self._size:
            self._changes, self._size = Changes(), image.shape[:2]
        change = self._changes.see(n, reduced)
        if change.anew:
            yield from self.flush()
        self._held.append(_Held(n, image, reduced, gradients(reduced), change))
        if len(self._held) == TOGETHER:
            yield from self.flush()

    def flush(self) -> Iterator[Looked]:
        """Look at the frames that wait."""
        held, self._held = self._held, []
        changed = [one for one in held if one.change.any]
        probabilities = self._probabilities(changed) if changed else None
        overlaid = None if probabilities is None else 1 - probabilities[0]
        glimpsed = [] if probabilities is None else panels_of(probabilities, GLIMPSE)
        for one in held:
            if self._last is not None and not one.change.any:
                look = replace(self._last, reduced=one.reduced, steps=one.steps)
            else:
                found = self._text(one, overlaid), self._find_others(one.image)
                look = Look(*found, one.reduced, one.steps, glimpsed)
            self._last = look
            yield one.n, (one.image.shape[1], one.image.shape[0]), look

    def _probabilities(self, frames: Sequence[_Held]) -> Probabilities | None:
        """What the overlay network sees in some frames together."""
        if self._net is None:
            return None
        self._seen["overlay_pairs"] += 1
        return self._net.probabilities(statistics([one.reduced for one in frames], [one.steps for one in frames]))

    def _text(self, frame: _Held, overlaid: Probabilities | None) -> list[ScoredBox]:
        """Text of a frame that changed."""
        if self._detector is None:
            return []
        if overlaid is None:
            return self._whole(frame.image)
        suspect = overlaid >= SEEN
        if self._known is None or self._last is None or frame.change.anew:
            self._known = _Known(frame.reduced.copy(), frame.steps.copy(), suspect)
            return self._whole(frame.image)
        known, size = self._last.text, (frame.image.shape[1], frame.image.shape[0])
        wanted = tile_means(overlaid) >= SUSPECT
        changed = self._known.other(frame.reduced, suspect)
        for box in known:
            tiles = index_of(scale(box.box, size, GRID))
            wanted[tiles] = True
            changed[tiles] = not self._known.shows(frame.steps, scale(box.box, size, (COLUMNS, ROWS)))
        parts = changed_parts(wanted, changed, MARGIN)
        if not parts:
            return known
        for part in parts:
            self._known.renew(frame.reduced, frame.steps, suspect, index_of(scale(part, GRID, (COLUMNS, ROWS))))
        shown = sum(area(part) for part in parts)
        if shown >= WHOLE * wanted.size:
            return self._whole(frame.image)
        self._seen["text_frames"] += 1
        self._seen["text_tiles"] += shown
        found = self._detector.detect_in(frame.image, [scale(part, GRID, size) for part in parts])
        return sorted(with_parts(known, size, parts, found), key=downwards)

    def _whole(self, image: Image) -> list[ScoredBox]:
        assert self._detector is not None, "only called where text is looked for"
        self._seen["text_frames"] += 1
        self._seen["text_tiles"] += GRID[0] * GRID[1]
        return self._detector.detect([image])[0]
