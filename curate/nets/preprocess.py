"""From JPEG bytes or arrays to the pixels a classifier takes: the one resampling for training and use."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import simplejpeg

from curate.nets.weights.model_config import CropMode, Interpolation, ModelConfig

Image = npt.NDArray[np.uint8]
"""uint8 RGB, (H, W, 3)."""

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


@dataclass(frozen=True)
class Framing:
    """Which part of a picture a network sees, as timm says it (``timm.data.transforms_factory``).

    Attributes:
        mode: ``squash`` stretches the picture; ``center`` keeps the aspect ratio and cuts the longer side's ends off;
            ``border`` keeps the aspect ratio and pads the shorter side.
        share: Of the resized picture's sides, that is kept of its middle.
        fill: RGB of padding, 0..255.
    """

    mode: CropMode = "squash"
    share: float = 1.0
    fill: tuple[int, int, int] = (0, 0, 0)


WHOLE = Framing()


def framing(config: ModelConfig) -> Framing:
    """Which part of a picture a network sees; padding has the mean colour, as in timm."""
    red, green, blue = (round(255 * value) for value in config.mean)
    return Framing(config.crop_mode, config.crop_pct, (red, green, blue))


def to_input(
    image: bytes | Image, width: int, height: int, interpolation: Interpolation, framing: Framing = WHOLE
) -> Image:
    """Bring a picture to a network's input size; by default it is stretched, and its aspect ratio is not kept.

    ``area`` averages, and decodes a JPEG at reduced scale first; ``linear`` is OpenCV's bilinear from full size,
    exactly decoded, as in the code that LEMON's networks come with. All others are as timm's own transforms.

    Args:
        image: JPEG bytes, or uint8 RGB (H, W, 3).
        width: In pixels.
        height: In pixels.
        interpolation: How it is resized.
        framing: Which part is seen; ``area`` and ``linear`` know only the whole.

    Returns:
        uint8 RGB (height, width, 3).

    Raises:
        ValueError: Bytes that are no usable JPEG, or an array of another shape or type.
    """
    if isinstance(image, bytes):
        image = decode(image, width, height) if interpolation == "area" else decode(image, exact=True)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"expected a uint8 RGB picture (H, W, 3), got {image.dtype} {image.shape}")
    if interpolation not in _FLAGS:
        return _framed(image, width, height, interpolation, framing)
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=_FLAGS[interpolation]), np.uint8)


def _framed(image: Image, width: int, height: int, interpolation: Interpolation, framing: Framing) -> Image:
    """Resize with Pillow, then take the middle, rounding as timm and torchvision do."""
    across, down = math.floor(width / framing.share), math.floor(height / framing.share)
    rows, columns = image.shape[:2]
    if framing.mode == "squash":
        size = (across, down)
    elif framing.mode == "center" and across == down:  # torchvision cuts the longer side's fraction off
        short = min(rows, columns)
        size = (int(across * columns / short), int(across * rows / short))
    else:  # timm rounds it
        ratios = rows / down, columns / across
        ratio = max(ratios) if framing.mode == "border" else min(ratios)
        size = (round(columns / ratio), round(rows / ratio))
    size = (max(size[0], 1), max(size[1], 1))
    resample = PIL.Image.Resampling[interpolation.upper()]
    resized = np.asarray(PIL.Image.fromarray(image).resize(size, resample))
    return _middle(resized, width, height, framing.fill)


def _middle(image: Image, width: int, height: int, fill: tuple[int, int, int]) -> Image:
    """The middle of a picture, padded where the picture is smaller."""
    rows, columns = image.shape[:2]
    more = max(0, height - rows), max(0, width - columns)
    if any(more):
        borders = (more[0] // 2, (more[0] + 1) // 2, more[1] // 2, (more[1] + 1) // 2)
        image = np.asarray(cv2.copyMakeBorder(image, *borders, cv2.BORDER_CONSTANT, value=fill), np.uint8)
        rows, columns = image.shape[:2]
    top, left = round((rows - height) / 2), round((columns - width) / 2)
    return np.ascontiguousarray(image[top : top + height, left : left + width])
