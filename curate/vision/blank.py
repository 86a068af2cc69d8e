"""Pictures that show nothing: black ones, noise in the dark, the ends of fades, a covered lens, one plain colour."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

DARKEST = 48
"""Value of the brightest channel that a hundredth of a picture reaches at least if it shows something. Of 2,596 real
surgical frames of 22 sources all but a black one reached 136."""

FLATTEST = 16
"""Steps of grey between the darkest and the brightest hundredth at least; of those surgical frames all had 74."""

_SIDE = 64
"""Both sides in pixels of the picture that is looked at; small, so that noise averages out."""


def is_blank(image: npt.NDArray[np.uint8]) -> bool:
    """Whether a picture has no content.

    Args:
        image: uint8 RGB (H, W, 3).
    """
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    if np.percentile(small.max(axis=2), 99) < DARKEST:
        return True
    low, high = np.percentile(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (1, 99))
    return bool(high - low < FLATTEST)
