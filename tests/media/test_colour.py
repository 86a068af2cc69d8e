from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from curate.media.colour import Converter, describe, is_full_range, output_size

# Luma weights of red and blue: ITU-R BT.601 and BT.709, BT.2020 (non-constant luminance), SMPTE 240M.
WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593), "smpte240m": (0.212, 0.087)}
CODES = {"bt709": 1, "bt601": 6, "smpte240m": 7, "bt2020": 9}
COLOURS = [(200, 30, 40), (30, 180, 60), (20, 40, 210), (128, 128, 128), (240, 200, 20), (255, 255, 255), (0, 0, 0)]


def solid(rgb: tuple[int, int, int], matrix: str, full: bool, size: tuple[int, int], tag: bool) -> av.VideoFrame:
    """A frame of one colour, its YUV worked out from the definition of the matrix."""
    red, green, blue = (value / 255 for value in rgb)
    weight_red, weight_blue = WEIGHTS[matrix]
    luma = weight_red * red + (1 - weight_red - weight_blue) * green + weight_blue * blue
    cb, cr = (blue - luma) / (2 * (1 - weight_blue)), (red - luma) / (2 * (1 - weight_red))
    if full:
        y, u, v = 255 * luma, 128 + 255 * cb, 128 + 255 * cr
    else:
        y, u, v = 16 + 219 * luma, 128 + 224 * cb, 128 + 224 * cr
    frame = av.VideoFrame(*size, "yuv420p")
    for plane, value in zip(frame.planes, (y, u, v), strict=True):
        plane.update(bytes([min(255, max(0, round(value)))]) * plane.buffer_size)
    if tag:
        frame.colorspace = CODES[matrix]
        frame.color_range = 2 if full else 1
    return frame


@pytest.mark.parametrize("rgb", COLOURS)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", list(WEIGHTS))
@pytest.mark.parametrize("limit", [0, 40])
def test_matrix_and_range_of_the_stream(rgb: tuple[int, int, int], matrix: str, full: bool, limit: int) -> None:
    frame = solid(rgb, matrix, full, (96, 64), tag=True)
    image = Converter(max_long_side=limit)(frame)
    assert np.abs(image.astype(int) - np.array(rgb)).max() <= 4
    assert describe(frame) == f"{matrix} {'full' if full else 'limited'}"


@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ((1280, 720), "bt709"),
        ((1920, 1080), "bt709"),
        ((720, 1280), "bt709"),
        ((1280, 544), "bt709"),
        ((854, 480), "bt601"),
        ((720, 576), "bt601"),
        ((640, 360), "bt601"),
    ],
)
def test_untagged_is_bt709_for_hd_only(size: tuple[int, int], matrix: str) -> None:
    for rgb in COLOURS[:3]:
        frame = solid(rgb, matrix, False, size, tag=False)
        assert np.abs(Converter()(frame).astype(int) - np.array(rgb)).max() <= 4
        assert describe(frame) == f"{matrix} limited"


def test_old_full_range_formats() -> None:
    assert is_full_range(av.VideoFrame(16, 16, "yuvj420p"))
    assert not is_full_range(av.VideoFrame(16, 16, "yuv420p"))


def test_one_converter_takes_frames_of_any_kind() -> None:
    convert = Converter()
    for size in ((96, 64), (64, 96), (96, 64)):
        for matrix in ("bt601", "bt709"):
            image = convert(solid(COLOURS[0], matrix, False, size, tag=True))
            assert image.shape == (size[1], size[0], 3)
            assert image.flags.c_contiguous
            assert np.abs(image.astype(int) - np.array(COLOURS[0])).max() <= 4


@pytest.mark.parametrize(
    ("size", "aspect", "limits", "expected"),
    [
        ((1280, 720), Fraction(1), (0, 0), (1280, 720)),
        ((1280, 720), Fraction(1), (640, 0), (640, 360)),
        ((720, 1280), Fraction(1), (640, 0), (360, 640)),
        ((1280, 720), Fraction(1), (0, 360), (640, 360)),
        ((1280, 720), Fraction(1), (1000, 360), (640, 360)),
        ((320, 240), Fraction(1), (640, 360), (320, 240)),
        ((720, 576), Fraction(64, 45), (0, 0), (1024, 576)),
        ((720, 480), Fraction(8, 9), (0, 0), (720, 540)),
        ((720, 576), Fraction(64, 45), (512, 0), (512, 288)),
        ((2000, 2), Fraction(1), (100, 0), (100, 1)),
    ],
)
def test_output_size(
    size: tuple[int, int], aspect: Fraction, limits: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert output_size(*size, aspect, *limits) == expected
