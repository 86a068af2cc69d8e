"""The truth of composed clips: boxes around what can be seen, on the frames that show it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
BOX = (100, 40, 300, 100)


class Stamp:
    """Draws one rectangle of a colour and an opacity."""

    def __init__(self, box: tuple[int, int, int, int], shade: int, alpha: int) -> None:
        self.box, self.fill = box, (shade, shade, shade, alpha)

    def logo(self, rng: np.random.Generator) -> Image.Image:
        layer = Image.new("RGBA", (640, 384), (0, 0, 0, 0))
        layer.paste(self.fill, self.box)
        return layer


@pytest.fixture(scope="module")
def compose():
    sys.path.insert(0, str(SCRIPTS))
    try:
        import compose_overlays
    finally:
        sys.path.remove(str(SCRIPTS))
    return compose_overlays


def clip_of(compose, stamp, scene, detail, seed, kinds=("logo",)):
    composer = compose.Composer([], [[scene] * 16], [], stamp, detail)
    return composer.clip(np.random.default_rng(seed), 12, list(kinds), followed=1.0)


@pytest.mark.parametrize("detail", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_the_box_is_where_the_overlay_is_drawn(compose, detail, seed):
    monotone = np.full((384, 640, 3), 60, np.uint8)
    clip = clip_of(compose, Stamp(BOX, 255, 255), monotone, detail, seed)
    ((kind, box, shown),) = clip.drawn
    assert kind == "logo" and box == tuple(v * detail // 2 for v in BOX)
    marked = clip.target == 2
    assert marked.sum() == (box[2] - box[0]) * (box[3] - box[1]) and marked[box[1] : box[3], box[0] : box[2]].all()
    bright = [frame[box[1] : box[3], box[0] : box[2]].mean() > 90 for frame in clip.frames]
    assert bright == shown.tolist() and any(shown)


def test_what_nobody_can_see_is_neither_overlay_nor_surgery(compose):
    clip = clip_of(compose, Stamp(BOX, 66, 255), np.full((384, 640, 3), 62, np.uint8), 2, 0)
    assert [one.kind for one in clip.drawn] == [None]
    assert set(np.unique(clip.target)) == {0, compose.UNSEEN}


@pytest.mark.parametrize("seed", range(6))
def test_a_dark_panel_ends_where_the_picture_ends(compose, seed):
    scene = np.zeros((384, 640, 3), np.uint8)
    scene[192:] = 120
    panel = Stamp((100, 0, 300, 384), 0, 255)
    below = clip_of(compose, panel, scene, 2, seed, kinds=())
    ((kind, box, _),) = clip_of(compose, panel, scene, 2, seed).drawn
    bright = np.flatnonzero(np.mean(below.frames, axis=(0, 2, 3)) > 60)
    assert kind == "logo" and box[0] == 100 and box[2] == 300
    assert abs(box[1] - bright[0]) <= 2 and box[3] == bright[-1] + 1
