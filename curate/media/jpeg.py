"""JPEG encoding."""

from __future__ import annotations

from typing import Literal

import numpy as np
import simplejpeg

Chroma = Literal["420", "422", "444"]
"""Chroma subsampling: 4:2:0, 4:2:2 or 4:4:4."""


def encode_jpeg(image: np.ndarray, *, quality: int = 95, chroma: Chroma = "420") -> bytes:
    """Encode an RGB image.

    Args:
        image: uint8, RGB, height x width x 3, C-contiguous.
        quality: 1 to 100, on libjpeg's scale.
        chroma: Subsampling of the colour channels.

    Returns:
        A baseline JFIF file. The same pixels give the same bytes on one version of libjpeg-turbo.
    """
    return simplejpeg.encode_jpeg(image, quality=quality, colorspace="RGB", colorsubsampling=chroma, fastdct=False)
