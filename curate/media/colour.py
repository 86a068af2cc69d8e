"""From decoded frames to upright RGB images with square pixels."""

from __future__ import annotations

import contextlib
import struct
from fractions import Fraction
from typing import Any

import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
"""From the matrix coefficients of ITU-T H.273, table 4 (FFmpeg's ``AVColorSpace``), to swscale's names."""

_PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le"}
"""What GPUs put out, and the format of the same samples that software decoders put out. Going through it makes both
take the same path to RGB, to the last bit."""

_TURNS = ((False, False, False), (True, False, True), (False, True, True), (True, True, False))
"""What makes frames upright that are to be turned counterclockwise by 0, 90, 180 and 270 degrees."""

_NAMES = {
    Colorspace.ITU709: "bt709",
    Colorspace.FCC: "fcc",
    Colorspace.ITU601: "bt601",
    Colorspace.SMPTE240M: "smpte240m",
    Colorspace.BT2020: "bt2020",
}


def matrix_of(frame: Any) -> Colorspace:
    """Matrix that takes a frame's YUV to RGB.

    The stream's own where it is tagged. Where it is not: BT.709 for HD, BT.601 for less, as players do. HD is 720
    lines or more, or 1280 columns or more, so that wide films with the black bars cut off count too.
    """
    tagged = _MATRICES.get(int(frame.colorspace))
    if tagged is not None:
        return tagged
    return Colorspace.ITU709 if frame.height >= 720 or frame.width >= 1280 else Colorspace.ITU601


def is_full_range(frame: Any) -> bool:
    """Whether luma runs over 0..255 and not 16..235; untagged YUV is limited."""
    return int(frame.color_range) == ColorRange.JPEG or frame.format.name.startswith("yuvj")


def describe(frame: Any) -> str:
    """Matrix and range used for a frame, for people and metadata: ``bt709 limited``; ``rgb`` for RGB codecs."""
    if frame.format.is_rgb:
        return "rgb"
    return f"{_NAMES[matrix_of(frame)]} {'full' if is_full_range(frame) else 'limited'}"


def orientation(frame: Any) -> tuple[bool, bool, bool]:
    """How to turn a frame upright, out of its display matrix.

    Returns:
        Whether to transpose, then to flip left-right, then to flip up-down. Only the eight orientations in steps of
        90 degrees exist here; any other angle goes to the nearest.
    """
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        data = _matrix_among_unknown(frame)
        if data is None and frame.rotation:
            return _TURNS[round(frame.rotation / 90) % 4]
    if data is None:
        return (False, False, False)
    # ISO/IEC 14496-12, 6.2.2: a pixel (x, y) is shown at (a x + c y, b x + d y), in 16.16 fixed point.
    a, b, _, c, d = struct.unpack_from("=5i", bytes(data))
    if max(abs(b), abs(c)) > max(abs(a), abs(d)):
        return (True, c < 0, b < 0)
    return (False, a < 0, d < 0)


def _matrix_among_unknown(frame: Any) -> Any:
    """The display matrix of a frame with side data of kinds that PyAV has no name for; ``None`` if it cannot be had.

    PyAV gives up at the first kind it does not know, but has kept what comes before it.
    """
    kept = SideDataContainer.__new__(SideDataContainer)
    with contextlib.suppress(ValueError):
        kept.__init__(frame)  # type: ignore[misc]
    for data in kept:
        try:
            if data.type.name == "DISPLAYMATRIX":
                return data
        except ValueError:
            break
    return None


def describe_orientation(frame: Any) -> str:
    """What is done to turn a frame upright, in words; empty if nothing."""
    words = ("transposed", "flipped left-right", "flipped up-down")
    return ", ".join(word for word, done in zip(words, orientation(frame), strict=True) if done)


class Converter:
    """Turns decoded frames into RGB images.

    Colours go by the stream's own matrix and range. Pixels that are not square are made square by stretching, never
    by shrinking, so nothing is lost; size limits come after that. Rotation and mirroring of the display matrix are
    applied. Interlaced frames stay as they are, both fields woven.

    Args:
        pixel_aspect: Width of a pixel over its height.
        max_long_side: Largest long side in pixels; 0 for no limit.
        max_short_side: Largest short side in pixels; 0 for no limit.
    """

    def __init__(self, *, pixel_aspect: Fraction = Fraction(1), max_long_side: int = 0, max_short_side: int = 0):
        self._aspect = pixel_aspect
        self._limits = (max_long_side, max_short_side)
        self._reformatter = VideoReformatter()
        self._planar = VideoReformatter()
        self._turned: tuple[int, tuple[bool, bool, bool]] | None = None

    def __call__(self, frame: Any) -> np.ndarray:
        """Convert one ``av.VideoFrame``.

        Returns:
            uint8, RGB, height x width x 3, C-contiguous.
        """
        planar = _PLANAR.get(frame.format.name)
        if planar is not None:
            frame = self._planar.reformat(frame, format=planar, threads=1)
        width, height = output_size(frame.width, frame.height, self._aspect, *self._limits)
        grows = width > frame.width or height > frame.height
        converted = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=matrix_of(frame),
            src_color_range=ColorRange.JPEG if is_full_range(frame) else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.BICUBIC if grows else Interpolation.AREA,
            threads=1,
        )
        image = converted.to_ndarray()
        # Reading side data ties a frame into a reference cycle that keeps its buffers until the garbage collector
        # runs, so it is read only when the cheap part of it, the angle, changes.
        if self._turned is None or self._turned[0] != frame.rotation:
            self._turned = (frame.rotation, orientation(frame))
        transpose, left_right, up_down = self._turned[1]
        if transpose:
            image = image.transpose(1, 0, 2)
        if left_right:
            image = image[:, ::-1]
        if up_down:
            image = image[::-1]
        return np.ascontiguousarray(image)


def output_size(width: int, height: int, aspect: Fraction, max_long: int = 0, max_short: int = 0) -> tuple[int, int]:
    """Size of the image made of a frame, before rotation.

    Args:
        width: Of the decoded frame.
        height: Of the decoded frame.
        aspect: Width of a pixel over its height: above 1 the frame is stretched sideways, below 1 upwards.
        max_long: Largest long side; 0 for no limit.
        max_short: Largest short side; 0 for no limit.
    """
    wide, high = Fraction(width), Fraction(height)
    if aspect > 1:
        wide *= aspect
    else:
        high /= aspect
    scale = Fraction(1)
    if max_long:
        scale = min(scale, max_long / max(wide, high))
    if max_short:
        scale = min(scale, max_short / min(wide, high))
    return max(1, round(wide * scale)), max(1, round(high * scale))
