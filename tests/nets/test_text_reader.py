from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from curate.errors import CurateError
from curate.nets.detect.text_detector import packaged_model as detector_model
from curate.nets.detect.text_reader import TextReader, packaged_model


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader(packaged_model())


def line(text: str, size: int = 24) -> np.ndarray:
    """A line in the font that comes with Pillow, on tissue-coloured ground."""
    font = ImageFont.load_default(size)
    image = Image.new("RGB", (round(font.getlength(text)) + 12, round(size * 1.5)), (120, 40, 30))
    ImageDraw.Draw(image).text((6, size // 8), text, font=font, fill=(255, 255, 255))
    return np.asarray(image)


@settings(max_examples=12, deadline=None)
@given(st.dates().filter(lambda d: d.year > 1900), st.sampled_from(["%d.%m.%Y", "%Y-%m-%d", "%d/%m/%Y"]))
def test_dates_are_read(reader, day, form):
    ((text, score),) = reader.read([line(day.strftime(form))])
    assert text == day.strftime(form) and score > 0.9


def test_lines_of_any_length_come_back_in_their_order(reader):
    texts = ["MRN 00482913", "Dr. Jane Doe", "A", "Patient: Smith, John  DOB: 03/11/1964", "12:33:10"] * 3
    read = reader.read([line(text, 16 + 2 * (i % 5)) for i, text in enumerate(texts)])
    assert [" ".join(text.split()) for text, _ in read] == [" ".join(text.split()) for text in texts]
    assert reader.read([]) == []


def test_an_empty_line_reads_as_nothing(reader):
    ((text, score),) = reader.read([np.full((30, 200, 3), 90, np.uint8)])
    assert (text, score) == ("", 0.0)


def test_a_model_without_an_alphabet_is_a_named_error(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(CurateError, match="cannot load the text recogniser"):
        TextReader(tmp_path / "bad.onnx")
    assert packaged_model() != detector_model()
