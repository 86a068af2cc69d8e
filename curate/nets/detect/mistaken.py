"""What the overlay network takes for an overlay though it is the picture itself, told by rule."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from curate.records import Region

Bools = npt.NDArray[np.bool_]

LIT = 30
"""Luma (0..255) from which a pixel shows something; what surrounds a round picture is darker."""

ITSELF = 0.5
"""Share of all that is lit from which a region is the picture itself: a small round picture before black is no insert,
and a frame round the picture no panel."""

WHITE, ALL_WHITE = 235, 0.95
"""Luma of white, and share of it from which a region is the white around a picture, with nothing drawn on it."""

LARGE, SURE = 0.05, 0.9
"""Share of the picture from which a text or a logo is large, and the score that it needs then: lettering on instruments
close by is larger than marks are."""

GREEN, GLOWING = 1.3, 0.3
"""How much more green than red and blue a pixel has in the light of fluorescence, and share of such pixels from which
the picture is seen in it."""


def is_mistaken(region: Region, maps: npt.NDArray[np.float32]) -> bool:
    """Whether a region is part of the picture, or what surrounds it.

    Args:
        region: In pixels of the reduced image.
        maps: As `curate.vision.static_content.statistics` gives them; the colours are looked at.
    """
    colours = maps[:3] * 255
    luma = np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), colours, 1)
    inside = np.s_[region.y1 : region.y2, region.x1 : region.x2]
    lit = luma >= LIT
    if lit[inside].sum() >= ITSELF * max(int(lit.sum()), 1):
        return True
    if float((luma[inside] >= WHITE).mean()) >= ALL_WHITE:
        return True
    if region.kind in ("text", "logo"):
        return bool(luma[inside].size >= LARGE * luma.size and region.score < SURE)
    green = _green(colours)
    return bool(green[lit].mean() >= GLOWING and green[inside].mean() >= 0.5)


def _green(colours: npt.NDArray[np.float32]) -> Bools:
    """Pixels in one hue of green."""
    return np.asarray(colours[1] >= GREEN * np.maximum(colours[0], colours[2]) + 4, np.bool_)
