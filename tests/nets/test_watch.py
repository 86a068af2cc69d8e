"""What stands still is looked at once: real networks on frames of real encoded videos."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from curate.config import MaskOptions, SampleOptions
from curate.media.decode import Sampler
from curate.media.select import AtRate
from curate.nets.detect.regions import RegionFinder
from curate.vision.boxes import cover

WIDTH, HEIGHT = 640, 360


def tissue(n: int) -> np.ndarray:
    """A smooth reddish picture that wanders with ``n``."""
    coarse = np.random.default_rng(7).integers(0, 60, (12, 16, 3)) + np.array([130, 50, 40])
    large = cv2.resize(coarse.astype(np.uint8), (WIDTH + 200, HEIGHT + 200), interpolation=cv2.INTER_CUBIC)
    x, y = round(60 + 50 * np.cos(n)), round(60 + 50 * np.sin(n))
    return np.ascontiguousarray(large[y : y + HEIGHT, x : x + WIDTH])


def caption(image: np.ndarray, text: str, at: tuple[int, int]) -> np.ndarray:
    x, y = at
    cv2.rectangle(image, (x - 10, y - 26), (x + 18 * len(text), y + 12), (20, 20, 30), -1)
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    return image


def filmed(path: Path, images: list[np.ndarray]) -> list[tuple[int, np.ndarray]]:
    """Frames of a video at one frame a second, after H.264."""
    with av.open(str(path), "w") as video:
        stream = video.add_stream("libx264", rate=1, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in images:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        video.mux(stream.encode(None))
    return [(n, frame.image) for n, frame in enumerate(Sampler(path, AtRate(SampleOptions().rate)))]


@pytest.fixture(scope="module")
def finder():
    return RegionFinder(MaskOptions(device="cpu"))


def test_a_still_interface_is_looked_at_once(finder, tmp_path):
    still = caption(tissue(0), "INSUFFLATION 12 mmHg", (60, 330))
    seen: Counter[str] = Counter()
    found = dict(finder.find(filmed(tmp_path / "still.mp4", [still] * 10), seen))
    assert seen["text_frames"] == 1 and seen["overlay_pairs"] == 1 and not seen["overlay_frames"]
    assert all({region.kind for region in found[n]} >= {"text"} for n in range(10))
    assert all([region.box for region in found[n]] == [region.box for region in found[0]] for n in range(10))


def test_new_text_is_found_in_the_frame_where_it_appears(finder, tmp_path):
    images = [caption(tissue(n), "INSUFFLATION 12 mmHg", (60, 330)) for n in range(14)]
    images[9:] = [caption(image, "Calot triangle", (320, 60)) for image in images[9:]]
    seen: Counter[str] = Counter()
    found = dict(finder.find(filmed(tmp_path / "new.mp4", images), seen))
    shown = [n for n, regions in found.items() if any(r.model == "text" and r.y2 < 100 for r in regions)]
    assert shown == list(range(9, 14))
    assert all(any(r.model == "text" and r.y1 > 280 for r in regions) for regions in found.values())
    assert seen["text_tiles"] < 0.6 * 960 * len(images)


def menu(image: np.ndarray) -> np.ndarray:
    """A panel of a tower that is open."""
    cv2.rectangle(image, (100, 120), (330, 300), (40, 90, 160), -1)
    for row, words in enumerate(("Light source", "Mode", "Intensity", "Exit")):
        cv2.putText(image, words, (112, 155 + 40 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (240, 240, 240), 2)
        cv2.rectangle(image, (270, 138 + 40 * row), (318, 160 + 40 * row), (150, 190, 230), -1)
    return image


@pytest.mark.parametrize("at", [0, 5, 6, 13])
def test_a_menu_that_is_open_for_a_second_is_covered_then_and_only_then(finder, tmp_path, at):
    images = [menu(tissue(n)) if n == at else tissue(n) for n in range(14)]
    found = dict(finder.find(filmed(tmp_path / "menu.mp4", images)))
    panel = [cover([r.box for r in regions], WIDTH, HEIGHT)[120:300, 100:330].mean() for regions in found.values()]
    assert [n for n, covered in enumerate(panel) if covered > 0.5] == [at]
    assert panel[at] > 0.75


def test_text_that_goes_is_gone(finder, tmp_path):
    images = [caption(tissue(n), "INSUFFLATION 12 mmHg", (60, 330)) if n < 9 else tissue(n) for n in range(14)]
    found = dict(finder.find(filmed(tmp_path / "goes.mp4", images)))
    assert [n for n, regions in found.items() if any(r.model == "text" for r in regions)] == list(range(9))


def test_frames_are_looked_at_alike_whatever_was_looked_at_before(finder, tmp_path):
    frames = filmed(tmp_path / "one.mp4", [caption(tissue(n), "Step 3 of 8", (60, 330)) for n in range(6)])
    first = list(finder.find(frames))
    list(finder.find(filmed(tmp_path / "other.mp4", [tissue(n + 50) for n in range(3)])))
    assert list(finder.find(frames)) == first


@pytest.mark.parametrize(("width", "height"), [(1, 1), (641, 35), (90, 700)])
def test_frames_of_any_size_are_looked_at(finder, width, height):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (height, width, 3)).astype(np.uint8) for _ in range(4)]
    found = list(finder.find(enumerate(images)))
    assert [n for n, _ in found] == list(range(4))
    assert all(0 <= r.x1 < r.x2 <= width and 0 <= r.y1 < r.y2 <= height for _, regions in found for r in regions)
