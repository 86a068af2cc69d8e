"""Small pictures of chosen frames. What must not be seen is unrecognisable in their very pixels."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from curate.errors import BadArtefact
from curate.records import Finding
from curate.vision.boxes import clip, grow, scale
from curate.vision.grid import fit
from curate.workspace.tables.frames import read_frames

Image = npt.NDArray[np.uint8]

WIDEST, TALLEST = 320, 240
"""Of a picture in pixels, at most."""

QUALITY = 80

BLOCKS = 2
"""Blocks that are left of the short side of a finding: nobody can be known by them, nor a word be read."""

COARSE = 24
"""Blocks on the longer side of a picture of a frame that nobody audited: a slide, a face that fills the frame and the
inside of a body are told from one another, but nobody is known and nothing can be read."""


def small_pictures(
    frames: Path, wanted: Collection[int], findings: Mapping[int, Sequence[Finding]], coarse: Collection[int] = ()
) -> Iterator[tuple[int, bytes]]:
    """Small JPEGs of some frames.

    Args:
        frames: The video's table of frames.
        wanted: Numbers of the frames.
        findings: What to make unrecognisable, by frame number; boxes in pixels of the sampled frame.
        coarse: Numbers of frames that are shown in `COARSE` blocks.

    Yields:
        ``n``, and the JPEG, in order of ``n``.

    Raises:
        BadArtefact: The table or one of the pictures cannot be read.
    """
    for n, _, jpeg in read_frames(frames, wanted):
        try:
            yield n, small_picture(jpeg, findings.get(n, ()), coarse=n in coarse)
        except ValueError as error:
            raise BadArtefact(frames, f"frame {n} is not a readable JPEG: {error}") from error


def small_picture(jpeg: bytes, findings: Iterable[Finding] = (), *, coarse: bool = False) -> bytes:
    """One frame made small, its findings unrecognisable, or all of it.

    Raises:
        ValueError: It is not a readable JPEG.
    """
    height, width, _, _ = simplejpeg.decode_jpeg_header(jpeg)
    share = min(1.0, WIDEST / width, TALLEST / height)
    # The decoder halves a picture for next to nothing, so it is asked for one that is just large enough.
    image = simplejpeg.decode_jpeg(jpeg, min_width=math.ceil(width * share), min_height=math.ceil(height * share))
    small: Image = np.ascontiguousarray(fit(image, WIDEST, TALLEST))
    size = (small.shape[1], small.shape[0])
    if coarse:
        blur(small, COARSE)
    for finding in () if coarse else findings:
        hide(small, scale(grow(finding.box, max(4, width // 160)), (width, height), size))
    drawn: bytes = simplejpeg.encode_jpeg(small, quality=QUALITY)
    return drawn


def hide(image: Image, box: tuple[int, int, int, int]) -> None:
    """Make what lies in a box unrecognisable, in place: a few blocks of its mean colours are left.

    Args:
        image: uint8 RGB (H, W, 3).
        box: Pixels; what lies outside of the image is left out.
    """
    inside = clip(box, (0, 0, image.shape[1], image.shape[0]))
    if inside is None:
        return
    x1, y1, x2, y2 = inside
    short, long = sorted((x2 - x1, y2 - y1))
    blur(image[y1:y2, x1:x2], BLOCKS * long / short)


def blur(image: Image, blocks: float) -> None:
    """Leave a few blocks of mean colours of an image, in place.

    Args:
        image: uint8 RGB (H, W, 3).
        blocks: On its longer side, at most.
    """
    height, width = image.shape[:2]
    block = max(1, math.ceil(max(width, height) / blocks))
    few = cv2.resize(image, (-(-width // block), -(-height // block)), interpolation=cv2.INTER_AREA)
    image[:] = cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR)
