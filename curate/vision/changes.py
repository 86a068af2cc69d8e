"""What changed since it was last looked at, tile by tile; what stands still need not be looked at twice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curate.vision.boxes import Box, ScoredBox, Size, area, clip_boxes, contains, scale, share_inside, union
from curate.vision.static_content import COLUMNS, ROWS

Image = npt.NDArray[np.uint8]
Tiles = npt.NDArray[np.bool_]

TILE = 8
"""Side of a tile in pixels of the reduced picture: 32 by 30 pixels of a frame of 720 rows."""

GRID: Size = (COLUMNS // TILE, ROWS // TILE)
"""Tiles across and down."""

NOISE = 10
"""Difference of a colour (0..255), mean of three by three reduced pixels, up to which a place is the same. Compressed
pictures of one thing differ by less than half of it, single pixels at sharp edges apart; a letter of 10 pixels' width
that changes in a frame of 720 rows makes more than twice as much."""

AGAIN = 32
"""Frames after which everything is looked at anew, whatever changed: what was missed once is not missed for good."""

CUT = 0.6
"""Share of the colours of a picture that are not those of the one before from which it is another scene."""

BINS = 4
"""Steps of each colour in which the colours of two pictures are compared."""

WHOLE = 0.6
"""Share of the frame from which a detector is shown all of it instead of parts."""

SAME = 0.5
"""Share of a new find that lies in one that stays from which it is the same."""

GAP = 4
"""Numbers missing between two frames from which nothing that is known of the earlier one is believed of the later."""


class Change(NamedTuple):
    """What is to be looked at in a frame.

    Attributes:
        tiles: Which tiles changed since they were last looked at: bool, shape (rows, columns) of `GRID`.
        anew: Nothing is known of the frame: it is the first one, the first after a gap or a cut, or it is time to look
            again. All tiles changed then.
    """

    tiles: Tiles
    anew: bool

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        return bool(self.tiles.any())


class Changes:
    """Compares the frames of one video, in order, each with what was last looked at in every place.

    Slow drifts are seen: a tile is held against the picture in which it last changed, not against the frame before.
    """

    def __init__(self) -> None:
        self._known: Image | None = None
        self._colours: npt.NDArray[np.float64] | None = None
        self._last = 0
        self._frames = 0

    def see(self, n: int, reduced: Image) -> Change:
        """Take the next frame; what changed counts as looked at from then on.

        Args:
            n: Its number, above that of the frame before.
            reduced: As `curate.vision.static_content.reduce` gives it.
        """
        colours = _colours(reduced)
        anew = (
            self._known is None
            or self._colours is None
            or n - self._last > GAP
            or self._frames >= AGAIN
            or float(np.abs(colours - self._colours).sum()) / 2 >= CUT
        )
        self._last, self._colours = n, colours
        if anew or self._known is None:
            self._known, self._frames = reduced.copy(), 1
            return Change(np.ones(GRID[::-1], dtype=bool), True)
        tiles = changed_tiles(self._known, reduced)
        self._frames += 1
        _by_tiles(self._known)[tiles] = _by_tiles(reduced)[tiles]
        return Change(tiles, False)


def changed_tiles(before: Image, after: Image) -> Tiles:
    """Tiles in which two reduced pictures differ anywhere by more than `NOISE`.

    Returns:
        bool, shape (rows, columns) of `GRID`.
    """
    import cv2

    return tile_means(np.asarray(cv2.blur(largest_difference(before, after), (3, 3))) > NOISE) > 0


def largest_difference(before: Image, after: Image) -> Image:
    """Of the three colours of every pixel the one that differs most: uint8, shape (rows, columns)."""
    import cv2

    red, green, blue = cv2.split(cv2.absdiff(before, after))
    return np.asarray(cv2.max(cv2.max(red, green), blue), dtype=np.uint8)


def tile_means(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Mean in every tile of values that the reduced picture has by the pixel.

    Args:
        values: Numbers or bool, shape (`ROWS`, `COLUMNS`).

    Returns:
        Shape (rows, columns) of `GRID`.
    """
    import cv2

    # Whole tiles, so that the method is a plain mean.
    return np.asarray(cv2.resize(values.astype(np.float32), GRID, interpolation=cv2.INTER_AREA))


def parts_of(wanted: Tiles, margin: int) -> list[Box]:
    """Boxes around what is wanted, with something of what lies around it.

    Args:
        wanted: bool, shape (rows, columns) of `GRID`.
        margin: Tiles by which a box reaches beyond what is wanted.

    Returns:
        In tiles, top to bottom. Each connected group of wanted tiles lies in one of them; boxes that take less area as
        one are one.
    """
    import cv2

    count, _, stats, _ = cv2.connectedComponentsWithStats(wanted.astype(np.uint8), connectivity=8)
    groups = [(x, y, x + across, y + down) for x, y, across, down, _ in stats[1:count].tolist()]
    boxes = clip_boxes(groups, *GRID, padding=margin)
    while pair := next((p for p in combinations(boxes, 2) if area(union(p)) <= area(p[0]) + area(p[1])), None):
        boxes = [*(box for box in boxes if box not in pair), union(pair)]
    return sorted(boxes, key=lambda box: (box[1], box[0], box))


def changed_parts(wanted: Tiles, changed: Tiles, margin: int) -> list[Box]:
    """Those of the `parts_of` what is wanted in which something wanted changed."""
    return [part for part in parts_of(wanted, margin) if (wanted & changed)[index_of(part)].any()]


def index_of(box: Box) -> tuple[slice, slice]:
    """Index of what lies in a box, of an array (rows, columns)."""
    x1, y1, x2, y2 = box
    return slice(y1, y2), slice(x1, x2)


def with_parts(
    known: Sequence[ScoredBox], size: Size, parts: Sequence[Box], found: Sequence[ScoredBox]
) -> list[ScoredBox]:
    """What is known of a frame after parts of it were looked at again.

    Args:
        known: Finds of the frame before.
        size: Width and height of the frame.
        parts: What was looked at again, in tiles: what was known wholly inside of one is forgotten.
        found: What is there now.

    Returns:
        What stays, then what is new.
    """
    stays = [one for one in known if not any(contains(part, scale(one.box, size, GRID)) for part in parts)]
    return [
        *stays,
        *(one for one in found if not any(share_inside(one.box, other.box) >= SAME for other in stays)),
    ]


def _by_tiles(reduced: Image) -> Image:
    """A view of a reduced picture: shape (rows, columns of `GRID`, `TILE`, `TILE`, 3)."""
    return reduced.reshape(GRID[1], TILE, GRID[0], TILE, 3).swapaxes(1, 2)


def _colours(reduced: Image) -> npt.NDArray[np.float64]:
    """Shares of the picture's pixels that have each colour, of `BINS` steps of red, green and blue."""
    steps = reduced[::2, ::2].reshape(-1, 3) // (256 // BINS)
    places = (steps[:, 0].astype(np.intp) * BINS + steps[:, 1]) * BINS + steps[:, 2]
    return np.bincount(places, minlength=BINS**3) / len(places)
