"""From JPEG bytes or arrays to the square pixels a classifier takes: the one resampling for training and use."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

Image = npt.NDArray[np.uint8]
"""uint8 RGB, (H, W, 3)."""

Interpolation = Literal["area", "linear"]

_FLAGS = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}

MAX_PIXELS = 64_000_000
"""Largest JPEG that is decoded: nearly twice 8K video; more is a decompression bomb or not a frame."""


def decode(data: bytes, width: int = 0, height: int = 0, *, exact: bool = False) -> Image:
    """Decode a JPEG, at the smallest of libjpeg's reduced scales that is not below a size.

    Args:
        data: A JPEG file; grey ones become RGB.
        width: Smallest width wanted, in pixels; 0 decodes at full size.
        height: Smallest height wanted, in pixels.
        exact: Decode as OpenCV and Pillow do, bit for bit: libjpeg's accurate transform and smooth chroma in place of
            the fast ones, which differ from them by up to 19 of 255 at edges and take a third less time.

    Returns:
        uint8 RGB (H, W, 3), at full size or at n/8 of it.

    Raises:
        ValueError: Not a JPEG, damaged, or more than `MAX_PIXELS` pixels.
    """
    full_height, full_width, _, _ = simplejpeg.decode_jpeg_header(data)
    if full_height * full_width > MAX_PIXELS:
        raise ValueError(f"JPEG of {full_width}x{full_height} pixels is larger than {MAX_PIXELS} pixels")
    return simplejpeg.decode_jpeg(
        data, "RGB", fastdct=not exact, fastupsample=not exact, min_height=height, min_width=width
    )


def to_input(image: bytes | Image, width: int, height: int, interpolation: Interpolation) -> Image:
    """Stretch a picture to a network's input size; the aspect ratio is not kept.

    ``area`` averages, and decodes a JPEG at reduced scale first; ``linear`` is OpenCV's bilinear from full size,
    exactly decoded, as in the code that LEMON's networks come with.

    Args:
        image: JPEG bytes, or uint8 RGB (H, W, 3).
        width: In pixels.
        height: In pixels.
        interpolation: ``area`` or ``linear``.

    Returns:
        uint8 RGB (height, width, 3).

    Raises:
        ValueError: Bytes that are no usable JPEG, or an array of another shape or type.
    """
    if isinstance(image, bytes):
        image = decode(image, width, height) if interpolation == "area" else decode(image, exact=True)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"expected a uint8 RGB picture (H, W, 3), got {image.dtype} {image.shape}")
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=_FLAGS[interpolation]), np.uint8)
