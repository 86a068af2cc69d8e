"""Order, windows and persistence, without and with a network that is told what to find."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.nets.detect.fusion import GAP, ONE_OFF, Fusion
from curate.nets.detect.watch import Look
from curate.records import Region
from curate.vision.boxes import ScoredBox
from curate.vision.static_content import WINDOW, gradients, reduce

WIDTH, HEIGHT = 640, 384
LOGO = Region(10, 10, 50, 40, "logo", 0.9, "overlay")


class KnownNet:
    """Stands in for the network: always finds the same boxes.

    Sees overlay everywhere, but nothing in single frames if it is ``blind``, and nothing over time if it is ``moved``.
    """

    def __init__(self, *boxes: Region) -> None:
        self.boxes = boxes
        self.threshold = 0.7
        self.bright_is_overlay = False
        self.windows: list[float] = []
        self.looks = 0
        self.blind = self.moved = False

    def probabilities(self, maps: np.ndarray) -> np.ndarray:
        self.looks += 1
        surgery = 1 - maps[0] if self.bright_is_overlay else np.full(maps.shape[1:], 0.2 + 0.8 * self.blind, np.float32)
        return np.stack([surgery, *[(1 - surgery) / 4] * 4])

    def find(self, maps: np.ndarray) -> tuple[list[Region], np.ndarray]:
        self.windows.append(round(float(maps[8, 0, 0]) * WINDOW))
        return list(self.boxes), np.full(maps.shape[1:], 0.0 if self.moved else 0.8, np.float32)


def frame(seed: int, logo: bool = False) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 120, (24, 40, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    if logo:
        image[20:80, 20:100] = 255
        image[40:60, 40:80] = 0
    return image


def push(fusion: Fusion, n: int, image: np.ndarray, text=()):
    reduced = reduce(image)
    look = Look(list(text), [], reduced, gradients(reduced))
    return fusion.push(n, (image.shape[1], image.shape[0]), look)


def fuse(fusion: Fusion, images, texts=None):
    texts = texts or [[]] * len(images)
    out = []
    for n, (image, text) in enumerate(zip(images, texts, strict=True)):
        out += push(fusion, n, image, text)
    return [*out, *fusion.flush()]


@settings(deadline=None, max_examples=8)
@given(count=st.integers(0, 20))
def test_every_frame_comes_back_once_and_in_order(count):
    image = frame(0)
    net = KnownNet()
    out = fuse(Fusion(net, 0.7), [image] * count)
    assert [n for n, _ in out] == list(range(count))
    assert all(regions == [] for _, regions in out)
    assert sum(net.windows) >= count


def test_memory_is_flat():
    fusion = Fusion(None, 0.7)
    image = frame(0)
    given_back = 0
    for n in range(50):
        given_back += len(list(push(fusion, n, image)))
        assert n + 1 - given_back < WINDOW


def test_text_that_no_neighbour_shows_needs_a_higher_score():
    images = [frame(seed) for seed in range(12)]
    weak, strong = ScoredBox(50, 50, 150, 70, 0.7 + ONE_OFF / 2), ScoredBox(300, 200, 400, 220, 0.7 + ONE_OFF)
    texts = [[weak, strong] if n == 5 else [] for n in range(12)]
    found = dict(fuse(Fusion(None, 0.7), images, texts))
    assert [region[:4] for region in found[5]] == [strong[:4]]


def test_text_that_persists_needs_only_the_threshold():
    images = [frame(seed) for seed in range(12)]
    texts = [[ScoredBox(50 + n % 2, 50, 150, 70, 0.7)] if 4 <= n < 9 else [] for n in range(12)]
    found = dict(fuse(Fusion(None, 0.7), images, texts))
    assert [n for n, regions in found.items() if regions] == [4, 5, 6, 7, 8]
    assert {region.kind for regions in found.values() for region in regions} == {"text"}


def test_the_only_frame_of_a_video_is_judged_by_the_threshold():
    ((_, regions),) = fuse(Fusion(None, 0.7), [frame(0)], [[ScoredBox(50, 50, 150, 70, 0.7)]])
    assert len(regions) == 1 and regions[0].model == "text"


@pytest.mark.parametrize(("moved", "blind", "kept"), [(True, True, 0), (True, False, 12), (False, True, 12)])
def test_text_that_the_network_sees_nothing_of_is_dropped(moved, blind, kept):
    net = KnownNet()
    net.moved, net.blind = moved, blind
    out = fuse(Fusion(net, 0.7), [frame(seed) for seed in range(12)], [[ScoredBox(50, 50, 150, 70, 0.95)]] * 12)
    assert sum(len(regions) for _, regions in out) == kept


@pytest.mark.parametrize("frames", [1, 2])
def test_text_is_believed_where_there_is_no_evidence_over_time(frames):
    net = KnownNet()
    net.moved = net.blind = True
    out = fuse(Fusion(net, 0.7), [frame(0)] * frames, [[ScoredBox(50, 50, 150, 70, 0.95)]] * frames)
    assert sum(len(regions) for _, regions in out) == frames


def test_an_overlay_is_marked_only_on_the_frames_that_show_it():
    images = [frame(seed, logo=3 <= seed < 17) for seed in range(20)]
    found = dict(fuse(Fusion(KnownNet(LOGO), 0.7), images))
    assert [n for n, regions in found.items() if regions] == list(range(3, 17))
    for regions in found.values():
        for region in regions:
            assert region[:4] == (20, 20, 100, 80)
            assert (region.kind, region.score, region.model) == ("logo", 0.9, "overlay")


def test_in_a_still_scene_the_frames_themselves_tell_when_an_overlay_goes():
    net = KnownNet(LOGO)
    net.bright_is_overlay = True
    shown, gone = frame(0, logo=True), frame(0)
    gone[30:70:8, 20:100] = 90
    found = dict(fuse(Fusion(net, 0.7), [shown] * 6 + [gone] * 6))
    assert [n for n, regions in found.items() if regions] == list(range(6))


def test_frames_alone_are_looked_at_only_where_something_comes_or_goes():
    still, leaving = KnownNet(LOGO), KnownNet(LOGO)
    out = fuse(Fusion(still, 0.7), [frame(seed, logo=True) for seed in range(12)])
    assert all(len(regions) == 1 for _, regions in out) and still.looks == 0
    fuse(Fusion(leaving, 0.7), [frame(seed, logo=seed < 6) for seed in range(12)])
    assert leaving.looks == 12


def test_frames_far_apart_are_not_looked_at_together():
    net = KnownNet()
    fusion = Fusion(net, 0.7)
    out = []
    for n in (0, 1, 2, 3 + GAP, 4 + GAP):
        out += push(fusion, n, frame(0))
    out += fusion.flush()
    assert [n for n, _ in out] == [0, 1, 2, 3 + GAP, 4 + GAP]
    assert net.windows == [3, 2]


def test_both_scores_stay_where_text_lies_in_an_overlay():
    images = [frame(seed, logo=True) for seed in range(3)]
    texts = [[ScoredBox(30, 30, 90, 70, 0.72)] if n == 1 else [] for n in range(3)]
    found = dict(fuse(Fusion(KnownNet(LOGO), 0.7), images, texts))
    assert sorted((region.model, region.score) for region in found[1]) == [("overlay", 0.9), ("text", 0.72)]


@pytest.mark.parametrize(("frames", "found"), [(1, 0), (2, 0), (3, 3)])
def test_overlays_without_evidence_over_time_need_a_higher_score(frames, found):
    weak = LOGO._replace(score=0.74)
    out = fuse(Fusion(KnownNet(weak), 0.7), [frame(seed, logo=True) for seed in range(frames)])
    assert sum(len(regions) for _, regions in out) == found


@pytest.mark.parametrize(("width", "height"), [(640, 384), (641, 383), (100, 50), (1280, 720)])
def test_boxes_are_rounded_outwards_and_stay_inside(width, height):
    net = KnownNet(Region(0, 0, 320, 192, "ui", 0.9, "overlay"), Region(301, 150, 319, 191, "logo", 0.9, "overlay"))
    image = cv2.resize(frame(0), (width, height))
    ((_, regions),) = fuse(Fusion(net, 0.7), [image])
    (whole,) = [region for region in regions if region.kind == "ui"]
    (logo,) = [region for region in regions if region.kind == "logo"]
    assert whole[:4] == (0, 0, width, height)
    assert logo.x1 <= 301 * width / 320 and logo.x2 >= 319 * width / 320
    assert logo.x2 <= width and logo.y2 <= height
