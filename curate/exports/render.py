"""From a sampled frame to the JPEG that goes into a shard: masks, size, encoding.

A frame that needs no mask and no resize is passed on byte for byte.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg

from curate.config import ExportOptions
from curate.exports.frames import ExportFrame, Region
from curate.exports.plan import BrokenVideo
from curate.media.paint import clip_boxes, paint

_COLOUR = ("444", "422", "420", "440", "411")
_FALLBACK = "420"
"""Chroma subsampling where the sampled frame's cannot be kept."""


class Renderer:
    """Makes exported pictures by the options."""

    def __init__(self, options: ExportOptions) -> None:
        self._options = options

    def size(self, frame: ExportFrame) -> tuple[int, int]:
        """Exported width and height in pixels; the shape is kept and nothing is enlarged."""
        limit, short = self._options.short_side, min(frame.width, frame.height)
        if not limit or short <= limit:
            return frame.width, frame.height
        return max(1, round(frame.width * limit / short)), max(1, round(frame.height * limit / short))

    def is_copied(self, frame: ExportFrame) -> bool:
        """Whether the frame goes out as it was sampled."""
        return not (frame.blank or self._boxes(frame) or self.size(frame) != (frame.width, frame.height))

    def regions(self, frame: ExportFrame) -> tuple[Region, ...]:
        """Regions in pixels of the exported picture, grown to whole pixels."""
        width, height = self.size(frame)
        if (width, height) == (frame.width, frame.height):
            return frame.regions
        return tuple(
            dataclasses.replace(
                region,
                x1=region.x1 * width // frame.width,
                y1=region.y1 * height // frame.height,
                x2=-(-region.x2 * width // frame.width),
                y2=-(-region.y2 * height // frame.height),
            )
            for region in frame.regions
        )

    def jpeg(self, frame: ExportFrame) -> bytes:
        """The exported picture as a JPEG of the ordinary kind.

        Raises:
            BrokenVideo: The sampled JPEG cannot be decoded.
        """
        if self.is_copied(frame):
            return frame.jpeg
        return self._encode(frame, "RGB", self._options.quality)

    def swapped_jpeg(self, frame: ExportFrame) -> bytes:
        """The exported picture as LEMON stores it: encoded with R and B exchanged.

        Decoded by OpenCV, which gives BGR, the array is then in RGB order, and LEMON's readers hand it to PIL as it
        is. Every frame is encoded again, at ``lemon_quality``.

        Raises:
            BrokenVideo: The sampled JPEG cannot be decoded.
        """
        return self._encode(frame, "BGR", self._options.lemon_quality)

    def _boxes(self, frame: ExportFrame) -> list[tuple[int, int, int, int]]:
        if self._options.fill == "none":
            return []
        boxes = [region.box for region in frame.regions]
        return clip_boxes(boxes, frame.width, frame.height, padding=self._options.padding)

    def _encode(self, frame: ExportFrame, order: str, quality: int) -> bytes:
        """Encode a frame's RGB pixels, told to the encoder to be in ``order``."""
        pixels, subsampling = self._pixels(frame)
        encoded: bytes = simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels), quality=quality, colorspace=order, colorsubsampling=subsampling
        )
        return encoded

    def _pixels(self, frame: ExportFrame) -> tuple[npt.NDArray[np.uint8], str]:
        """Painted and resized RGB pixels, uint8 of shape (height, width, 3), and the sampled JPEG's subsampling."""
        width, height = self.size(frame)
        if frame.blank:
            return np.zeros((height, width, 3), np.uint8), _FALLBACK
        pixels, subsampling = self._decode(frame)
        if self._boxes(frame):
            boxes = [region.box for region in frame.regions]
            pixels = paint(pixels, boxes, fill=self._options.fill, padding=self._options.padding)
        if (width, height) != (frame.width, frame.height):
            pixels = _shrink(pixels, width, height)
        return pixels, subsampling

    def _decode(self, frame: ExportFrame) -> tuple[npt.NDArray[np.uint8], str]:
        try:
            header: tuple[Any, ...] = simplejpeg.decode_jpeg_header(frame.jpeg)
            pixels = simplejpeg.decode_jpeg(frame.jpeg, colorspace="RGB")
        except ValueError as error:
            raise BrokenVideo(frame.video.id, f"frame {frame.n} is not a whole JPEG: {error}") from error
        if pixels.shape != (frame.height, frame.width, 3):
            raise BrokenVideo(
                frame.video.id,
                f"frame {frame.n} is {pixels.shape[1]}x{pixels.shape[0]}, its row says {frame.width}x{frame.height}",
            )
        subsampling = header[3] if header[3] in _COLOUR else _FALLBACK
        return pixels, subsampling


def _shrink(pixels: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    import cv2

    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
