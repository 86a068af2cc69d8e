from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg

from curate.media.jpeg import encode_jpeg
from tests.media.videos import picture


@pytest.mark.parametrize(("chroma", "name"), [("420", "420"), ("422", "422"), ("444", "444")])
def test_jpeg_is_ordinary_rgb(chroma: Any, name: str) -> None:
    image = cv2.GaussianBlur(picture(3, 96, 64), (9, 9), 0)
    data = encode_jpeg(image, quality=95, chroma=chroma)
    height, width, _, subsampling = simplejpeg.decode_jpeg_header(data)
    assert (height, width, subsampling) == (64, 96, name)
    read = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert np.abs(read.astype(int) - image).mean() < 4
    assert encode_jpeg(image, quality=95, chroma=chroma) == data


def test_quality_costs_bytes() -> None:
    image = picture(3, 96, 64)
    sizes = [len(encode_jpeg(image, quality=quality)) for quality in (50, 80, 95)]
    assert sizes == sorted(set(sizes))
