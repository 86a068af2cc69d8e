"""Render small sample videos for the demo and the tests: drawn by this script, no footage of a patient.

The "surgery" is procedural: layers of smooth noise coloured like tissue, vessels, wet highlights and a moving grasper
seen through a round endoscope image. It looks enough like the real thing for the shipped classifier, and it is said in
the picture and in every file name that it is rendered.

    python scripts/render_demo.py FOLDER
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

WIDTH, HEIGHT, FPS = 640, 360, 25
TITLE_SECONDS, SURGERY_SECONDS, END_SECONDS = 4, 16, 3


def noise(rng: np.random.Generator, height: int, width: int, cell: int) -> npt.NDArray[np.float32]:
    """Smooth noise, float32 in 0..1, whose bumps are about ``cell`` pixels wide."""
    small = rng.random((height // cell + 3, width // cell + 3), dtype=np.float32)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def tissue(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A wide field of rendered tissue, float32 RGB in 0..255, larger than a frame so that the camera can move."""
    height, width = HEIGHT * 2, WIDTH * 2
    layers = sum(noise(rng, height, width, cell) / 2**i for i, cell in enumerate((160, 80, 40, 16, 6)))
    relief = (layers - layers.min()) / np.ptp(layers)
    dark, red, pink, fat = (
        np.array(c, np.float32) for c in ((70, 8, 8), (150, 32, 28), (222, 120, 104), (226, 178, 96))
    )
    picture = dark + (red - dark) * np.clip(relief * 2.4, 0, 1)[..., None]
    picture += (pink - red) * np.clip(relief * 2.2 - 1.1, 0, 1)[..., None]
    fatty = np.clip((noise(rng, height, width, 110) - 0.62) * 6, 0, 1)[..., None]
    picture = picture * (1 - fatty) + fat * (0.7 + 0.3 * relief[..., None]) * fatty
    for _ in range(26):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        angle, points = rng.uniform(0, 2 * np.pi), []
        for _ in range(40):
            points.append((x, y))
            angle += rng.normal(0, 0.25)
            x, y = x + 12 * np.cos(angle), y + 12 * np.sin(angle)
        path = np.array(points, np.int32)[None]
        cv2.polylines(picture, [path], False, (112, 10, 16), int(rng.integers(1, 5)), cv2.LINE_AA)
    slope = cv2.Sobel(cv2.GaussianBlur(relief, (0, 0), 3), cv2.CV_32F, 1, 1, ksize=5)
    picture *= (1 + np.clip(slope * 6, -0.35, 0.35))[..., None]
    wet = np.clip((noise(rng, height, width, 7) * noise(rng, height, width, 26) - 0.66) * 14, 0, 1)
    return picture + (255 - picture) * cv2.GaussianBlur(wet, (0, 0), 1.0)[..., None]


def draw_grasper(picture: Image, base: tuple[float, float], tip: tuple[float, float], opening: float) -> None:
    """Draw a steel shaft from ``base`` to ``tip`` with two jaws."""
    start, end = np.array(base), np.array(tip)
    along = (end - start) / np.linalg.norm(end - start)
    across = np.array((-along[1], along[0]))
    for offset in np.linspace(-11, 11, 23):
        light = int(70 + 150 * np.exp(-(((offset + 3) / 5) ** 2)))
        p, q = (tuple(int(v) for v in point + across * offset) for point in (start, end))
        cv2.line(picture, p, q, (light, light, light + 6), 2, cv2.LINE_AA)
    for side in (-1, 1):
        jaw = end + along * 46 + across * side * (4 + 16 * opening)
        corners = np.array([end + across * side * 10, end, jaw, jaw + across * side * 5], np.int32)
        cv2.fillConvexPoly(picture, corners, (176, 178, 184), cv2.LINE_AA)
        cv2.polylines(picture, [corners], True, (74, 74, 80), 1, cv2.LINE_AA)


def surgery(rng: np.random.Generator, seconds: int) -> Iterator[Image]:
    """Frames of rendered surgery, uint8 RGB (360, 640, 3)."""
    field = tissue(rng)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    radius = np.hypot(columns - WIDTH / 2, rows - HEIGHT / 2)
    light = np.clip(1.12 - (radius / (WIDTH * 0.52)) ** 2, 0.25, 1.1)[..., None]
    inside = (radius < WIDTH * 0.46)[..., None]
    for i in range(seconds * FPS):
        t = i / FPS
        dx = WIDTH / 2 + 120 * np.sin(t / 3.1) + 3 * np.sin(t * 7)
        dy = HEIGHT / 2 + 70 * np.sin(t / 2.3 + 1) + 2 * np.cos(t * 5)
        zoom = 1.0 + 0.12 * np.sin(t / 4)
        move = np.array([[zoom, 0, -dx * zoom], [0, zoom, -dy * zoom]], np.float32)
        view = cv2.warpAffine(field, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
        picture = np.clip(view, 0, 255).astype(np.uint8)
        tip = (360 + 60 * np.sin(t * 1.3), 200 + 40 * np.sin(t * 1.9))
        draw_grasper(picture, (WIDTH + 20.0, HEIGHT + 10.0), tip, 0.5 + 0.5 * np.sin(t * 2.1))
        draw_grasper(picture, (-20.0, HEIGHT * 0.95), (230 + 50 * np.cos(t), 230 + 30 * np.sin(t * 1.4)), 0.3)
        picture = np.clip(picture * light * inside + rng.normal(0, 2.5, picture.shape), 0, 255).astype(np.uint8)
        cv2.putText(
            picture, "RENDERED SAMPLE", (428, 344), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (240, 240, 240), 1, cv2.LINE_AA
        )
        yield picture


def slide(lines: list[str], seconds: int) -> Iterator[Image]:
    """Frames of a still text slide, uint8 RGB (360, 640, 3)."""
    picture = np.full((HEIGHT, WIDTH, 3), (24, 52, 96), np.uint8)
    cv2.rectangle(picture, (0, 300), (WIDTH, HEIGHT), (232, 236, 240), -1)
    for i, line in enumerate(lines):
        cv2.putText(picture, line, (40, 110 + 46 * i), cv2.FONT_HERSHEY_DUPLEX, 0.9, (255, 255, 255), 1, cv2.LINE_AA)
    cv2.putText(picture, "rendered by curate", (40, 338), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (40, 40, 40), 1, cv2.LINE_AA)
    for _ in range(seconds * FPS):
        yield picture


def encode(path: Path, frames: Iterator[Image]) -> None:
    """Encode frames as H.264 with a key frame every two seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        stream.options = {"crf": "20", "g": str(2 * FPS), "threads": "1"}
        for i, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def render(folder: Path) -> None:
    """Write the demo's videos and a manifest about them."""
    folder.mkdir(parents=True, exist_ok=True)

    def operation() -> Iterator[Image]:
        yield from slide(["Laparoscopic cholecystectomy", "a sample, not a patient"], TITLE_SECONDS)
        yield from surgery(np.random.default_rng(7), SURGERY_SECONDS)
        yield from slide(["Thank you"], END_SECONDS)

    encode(folder / "rendered-operation.mp4", operation())
    encode(folder / "rendered-slides.mp4", slide(["Results", "no surgery in this video"], 8))
    (folder / "demo.csv").write_text(
        "id,path,title,procedure\n"
        "rendered-operation,rendered-operation.mp4,Rendered operation,cholecystectomy\n"
        "rendered-slides,rendered-slides.mp4,Rendered slides,cholecystectomy\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    render(parser.parse_args().folder)
