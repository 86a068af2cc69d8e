"""Many small pictures with captions on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import simplejpeg

from curate.files.text import printable
from curate.vision.grid import centred, fit, grid

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
    return fit(image, WIDTH, HEIGHT)


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
    tiles = []
    for cell in cells:
        tile = PIL.Image.new("RGB", (across, down), "white")
        picture = centred(thumbnail(cell.image), WIDTH, HEIGHT, background=255)
        tile.paste(PIL.Image.fromarray(picture), (MARGIN, MARGIN))
        draw = PIL.ImageDraw.Draw(tile)
        for number, text in enumerate(cell.caption):
            draw.text((MARGIN, MARGIN + HEIGHT + 2 + number * LINE), _fit(text, font), fill="black", font=font)
        tiles.append(np.asarray(tile))
    page = grid(tiles, across, down, min(COLUMNS, len(cells)), background=255)
    return simplejpeg.encode_jpeg(page, QUALITY, "RGB", "444")


def _fit(text: str, font: PIL.ImageFont.ImageFont | PIL.ImageFont.FreeTypeFont) -> str:
    """One line of text no wider than a cell."""
    line = printable(text)
    if len(line) < 200 and font.getlength(line) <= WIDTH:
        return line
    line = line[-100:]  # more than ever fits
    while line and font.getlength("..." + line) > WIDTH:
        line = line[1:]
    return "..." + line
