"""Many small pictures with captions on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import simplejpeg

from curate.files.text import printable

Image = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 224, 140
"""Largest size of a picture on the page, in pixels."""

LINE = 15
"""Height of a line of a caption, in pixels."""

MARGIN = 6
COLUMNS = 6
QUALITY = 88


@dataclass(frozen=True)
class Cell:
    """One picture and what stands under it.

    Attributes:
        image: uint8 RGB (H, W, 3), of any size.
        caption: Lines; those that are too wide lose their beginning.
    """

    image: Image
    caption: Sequence[str]


def thumbnail(image: Image) -> Image:
    """Shrink a picture to fit a cell, keeping its aspect ratio; small ones stay as they are."""
    scale = min(WIDTH / image.shape[1], HEIGHT / image.shape[0], 1.0)
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def contact_sheet(cells: Sequence[Cell]) -> bytes:
    """Draw cells row by row on a white page.

    Returns:
        A JPEG.

    Raises:
        ValueError: There are no cells.
    """
    if not cells:
        raise ValueError("a contact sheet needs at least one picture")
    font = PIL.ImageFont.load_default(11)
    across, down = WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN + LINE * max(len(cell.caption) for cell in cells)
    rows = -(-len(cells) // COLUMNS)
    page = PIL.Image.new("RGB", (across * min(COLUMNS, len(cells)), down * rows), "white")
    draw = PIL.ImageDraw.Draw(page)
    for index, cell in enumerate(cells):
        x, y = index % COLUMNS * across + MARGIN, index // COLUMNS * down + MARGIN
        small = thumbnail(cell.image)
        page.paste(PIL.Image.fromarray(small), (x + (WIDTH - small.shape[1]) // 2, y + (HEIGHT - small.shape[0]) // 2))
        for number, text in enumerate(cell.caption):
            draw.text((x, y + HEIGHT + 2 + number * LINE), _fit(text, font), fill="black", font=font)
    return simplejpeg.encode_jpeg(np.asarray(page), QUALITY, "RGB", "444")


def _fit(text: str, font: PIL.ImageFont.ImageFont | PIL.ImageFont.FreeTypeFont) -> str:
    """One line of text no wider than a cell."""
    line = printable(text)
    if len(line) < 200 and font.getlength(line) <= WIDTH:
        return line
    line = line[-100:]  # more than ever fits
    while line and font.getlength("..." + line) > WIDTH:
        line = line[1:]
    return "..." + line
