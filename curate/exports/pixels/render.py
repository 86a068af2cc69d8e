"""From a sampled frame to the JPEG that goes into a shard: masks, crop, size, encoding.

A frame that needs no mask, no crop and no resize is passed on byte for byte. Regions are painted first, then what lies
outside of the field of view; the crop comes after, as in LEMON, whose crop goes by the painted pixels.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg

from curate.config import ExportOptions
from curate.exports.pixels.frames import ExportFrame
from curate.exports.plan.plan import BrokenVideo
from curate.records import Region
from curate.vision.border import black_crop, lemon_crop
from curate.vision.boxes import Box, clip, clip_boxes, scale
from curate.vision.field_of_view import FieldOfView
from curate.vision.paint import paint

_COLOUR = ("444", "422", "420", "440", "411")
_FALLBACK = "420"
"""Chroma subsampling where the sampled frame's cannot be kept."""

_REMEMBERED = 4096
"""Crops of single frames that are remembered, so that a frame's row need not look at its pixels again."""


def fill_of(options: ExportOptions) -> str:
    """How regions are painted over, and where they are not, what the privacy audit found: black."""
    return "black" if options.fill == "none" else options.fill


class Renderer:
    """Makes exported pictures by the options."""

    def __init__(self, options: ExportOptions) -> None:
        self._options = options
        self._crops: dict[str, Box] = {}
        self._lock = threading.Lock()

    @property
    def looks(self) -> bool:
        """Whether the crop goes by the pixels of each frame, and not by the field of view."""
        return self._options.crop in ("lemon", "lemon-black")

    def crop(self, frame: ExportFrame) -> Box:
        """The part of the sampled frame that is exported, as a half-open box in its pixels.

        Raises:
            BrokenVideo: The crop goes by the pixels, and the sampled JPEG cannot be decoded.
        """
        whole = (0, 0, frame.width, frame.height)
        if self.looks:
            if frame.blank:
                return whole
            return self._crops.get(frame.key) or self._look(frame, self._painted(frame)[0]) or whole
        if self._options.crop == "none" or frame.field is None or frame.field.shape == "none":
            return whole
        return _field_crop(frame.field, inside=self._options.crop == "inside")

    def is_too_small(self, frame: ExportFrame) -> bool:
        """Whether LEMON's crops leave so little of a frame that it is dropped.

        Raises:
            BrokenVideo: The sampled JPEG cannot be decoded.
        """
        if self._options.crop != "lemon" or frame.blank:
            return False
        return self._look(frame, self._painted(frame)[0]) is None

    def size(self, frame: ExportFrame) -> tuple[int, int]:
        """Exported width and height in pixels; the shape of the crop is kept and nothing is enlarged."""
        x1, y1, x2, y2 = self.crop(frame)
        width, height = x2 - x1, y2 - y1
        limit, short = self._options.short_side, min(width, height)
        if not limit or short <= limit:
            return width, height
        return max(1, round(width * limit / short)), max(1, round(height * limit / short))

    def is_copied(self, frame: ExportFrame) -> bool:
        """Whether it is sure, without a look at the pixels, that the frame goes out as it was sampled."""
        if frame.blank or self._boxes(frame) or self.looks or self._blacked(frame):
            return False
        return self.size(frame) == (frame.width, frame.height)

    def regions(self, frame: ExportFrame) -> tuple[Region, ...]:
        """Regions in pixels of the exported picture, grown to whole pixels; those cropped away are left out."""
        crop, (width, height) = self.crop(frame), self.size(frame)
        if (*crop, width, height) == (0, 0, frame.width, frame.height, frame.width, frame.height):
            return frame.regions
        moved = []
        for region in frame.regions:
            box = _moved(region.box, crop, width, height)
            if box is not None:
                x1, y1, x2, y2 = box
                moved.append(region._replace(x1=x1, y1=y1, x2=x2, y2=y2))
        return tuple(moved)

    def field(self, frame: ExportFrame) -> FieldOfView | None:
        """The field of view in pixels of the exported picture, its box clipped to it and grown to whole pixels."""
        if frame.field is None:
            return None
        crop, (width, height) = self.crop(frame), self.size(frame)
        left, top, right, bottom = crop
        across, down = width / (right - left), height / (bottom - top)
        field = frame.field
        box = (int(field.x1), int(field.y1), int(field.x2), int(field.y2))
        x1, y1, x2, y2 = _moved(box, crop, width, height) or (0, 0, 0, 0)
        moved = dataclasses.replace(field, x1=x1, y1=y1, x2=x2, y2=y2)
        if not field.is_round:
            return moved
        return dataclasses.replace(
            moved,
            cx=(field.cx - left) * across,
            cy=(field.cy - top) * down,
            rx=field.rx * across,
            ry=field.ry * down,
        )

    def jpeg(self, frame: ExportFrame) -> bytes:
        """The exported picture as a JPEG of the ordinary kind.

        Raises:
            BrokenVideo: The sampled JPEG cannot be decoded.
        """
        if self.is_copied(frame):
            return frame.jpeg
        pixels, subsampling = self._pixels(frame)
        if self.looks and not (frame.blank or self._boxes(frame) or self._blacked(frame)) and self._is_whole(frame):
            return frame.jpeg
        return _encode(pixels, "RGB", self._options.quality, subsampling)

    def swapped_jpeg(self, frame: ExportFrame) -> bytes:
        """The exported picture as LEMON stores it: encoded with R and B exchanged.

        Decoded by OpenCV, which gives BGR, the array is then in RGB order, and LEMON's readers hand it to PIL as it
        is. Every frame is encoded again, at the quality of ``lmdb-lemon``.

        Raises:
            BrokenVideo: The sampled JPEG cannot be decoded.
        """
        pixels, subsampling = self._pixels(frame)
        return _encode(pixels, "BGR", self._options.lmdb_lemon.quality, subsampling)

    def _boxes(self, frame: ExportFrame) -> list[Box]:
        """What is painted over, grown by the padding."""
        painted = frame.private if self._options.fill == "none" else frame.regions
        boxes = [region.box for region in painted]
        return clip_boxes(boxes, frame.width, frame.height, padding=self._options.padding)

    def _blacked(self, frame: ExportFrame) -> bool:
        """Whether what lies outside of the field of view is painted black."""
        return self._options.outside == "black" and frame.field is not None and frame.field.shape != "none"

    def _is_whole(self, frame: ExportFrame) -> bool:
        """Whether nothing is cut off or shrunk."""
        return (*self.crop(frame), *self.size(frame)) == (0, 0, *(2 * (frame.width, frame.height)))

    def _pixels(self, frame: ExportFrame) -> tuple[npt.NDArray[np.uint8], str]:
        """Painted, cropped and resized RGB pixels, uint8 of shape (height, width, 3), and the JPEG's subsampling."""
        pixels, subsampling = self._painted(frame)
        if self.looks and not frame.blank:
            self._look(frame, pixels)
        x1, y1, x2, y2 = self.crop(frame)
        pixels = pixels[y1:y2, x1:x2]
        width, height = self.size(frame)
        if (width, height) != (x2 - x1, y2 - y1):
            pixels = _shrink(pixels, width, height)
        return pixels, subsampling

    def _painted(self, frame: ExportFrame) -> tuple[npt.NDArray[np.uint8], str]:
        """RGB pixels of the whole frame with all that is to be hidden painted over, and the JPEG's subsampling."""
        if frame.blank:
            return np.zeros((frame.height, frame.width, 3), np.uint8), _FALLBACK
        pixels, subsampling = self._decode(frame)
        if boxes := self._boxes(frame):
            pixels = paint(pixels, boxes, fill=fill_of(self._options))
        if self._blacked(frame):
            assert frame.field is not None
            pixels = np.where(_kept(frame.field, frame.width, frame.height), pixels, np.uint8(0))
        return pixels, subsampling

    def _look(self, frame: ExportFrame, pixels: npt.NDArray[np.uint8]) -> Box | None:
        """Crop by the painted pixels, and remember the box."""
        box = lemon_crop(pixels) if self._options.crop == "lemon" else black_crop(pixels)
        if box is not None:
            with self._lock:
                self._crops[frame.key] = box
                if len(self._crops) > _REMEMBERED:
                    del self._crops[next(iter(self._crops))]
        return box

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


def _moved(box: Box, crop: Box, width: int, height: int) -> Box | None:
    """A box in a picture cropped and resized to ``width`` by ``height``; ``None`` where nothing of it is left."""
    part = clip(box, crop)
    if part is None:
        return None
    left, top, right, bottom = crop
    inside = part[0] - left, part[1] - top, part[2] - left, part[3] - top
    return scale(inside, (right - left, bottom - top), (width, height))


@functools.lru_cache(maxsize=16)
def _field_crop(field: FieldOfView, *, inside: bool) -> Box:
    return field.inscribed() if inside else (int(field.x1), int(field.y1), int(field.x2), int(field.y2))


@functools.lru_cache(maxsize=4)
def _kept(field: FieldOfView, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Pixels of a field, shape (height, width, 1)."""
    return field.mask(width, height, grow=1.0)[:, :, None]


def _encode(pixels: npt.NDArray[np.uint8], order: str, quality: int, subsampling: str) -> bytes:
    """Encode RGB pixels, told to the encoder to be in ``order``."""
    encoded: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=quality, colorspace=order, colorsubsampling=subsampling
    )
    return encoded


def _shrink(pixels: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    import cv2

    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
