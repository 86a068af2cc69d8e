"""Lines of captions over pictures that move, with the real networks."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from curate.nets.detect import text_detector, text_reader
from curate.nets.detect.text_detector import TextDetector
from curate.nets.detect.text_reader import TextReader
from curate.privacy.lines import LONGEST_WAIT, TRIES, LineReader
from curate.records import Region
from tests.stages.test_mask import picture

PLACE = (40, 300)


@pytest.fixture(scope="module")
def reader():
    return LineReader(TextDetector(text_detector.packaged_model()), TextReader(text_reader.packaged_model()))


def captioned(n: int, text: str, *, blur: float = 0, bars: bool = False) -> tuple[np.ndarray, Region]:
    """The n-th picture, with bars that move if asked for, a caption of 22 pixels, and the region of the caption."""
    font = ImageFont.load_default(22)
    image = Image.fromarray(picture(n))
    draw = ImageDraw.Draw(image)
    for left in range(11 * n % 60, image.width if bars else 0, 60):
        draw.rectangle((left, 0, left + 7, image.height), fill=(200, 110, 100))
    draw.text(PLACE, text, font=font, fill=(255, 255, 255), stroke_width=1, stroke_fill=(0, 0, 0))
    x, y = PLACE
    region = Region(x - 6, y - 4, x + round(font.getlength(text)) + 6, y + 32, "text", 0.9, "text")
    drawn = np.asarray(image)
    return (cv2.GaussianBlur(drawn, (0, 0), blur) if blur else drawn), region


def read(reader: LineReader, *captions: tuple[np.ndarray, Region]) -> tuple[list[set[str]], Counter[str]]:
    """What stands on each frame of a video, and what the networks saw."""
    seen: Counter[str] = Counter()
    reader.reset(seen)
    return [{line.text for line in reader.lines(image, [region])} for image, region in captions], seen


def test_a_caption_over_moving_pictures_is_read_now_and_then(reader):
    texts, seen = read(reader, *(captioned(n, "Clip and divide", bars=True) for n in range(13)))
    assert texts == [{"Clip and divide"}] * 13
    assert 1 < seen["reader_lines"] <= 3 + 12 / LONGEST_WAIT


def test_other_letters_in_the_same_place_are_read_at_once(reader):
    shown = ["Clip and divide"] * 6 + ["Cut and suture."] * 3
    texts, _ = read(reader, *(captioned(n, text) for n, text in enumerate(shown)))
    assert texts == [{text} for text in shown]


def test_what_is_written_on_is_read_at_once(reader):
    shown = ["Patient:", "Patient:", "Patient: Smith"]
    texts, _ = read(reader, *(captioned(0, text) for text in shown))
    assert texts == [{text} for text in shown]


def test_a_line_that_was_read_badly_gets_more_readings_and_all_of_them_count(reader):
    blurs = [3.2, 2.0, 0, 0, 0, 0, 0, 0]
    texts, seen = read(reader, *(captioned(0, "Patient: Smith, John", blur=blur) for blur in blurs))
    assert "Patient: Smith, John" not in texts[0]
    assert all("Patient: Smith, John" in found for found in texts[2:])
    assert 2 <= seen["reader_lines"] <= TRIES + 1
