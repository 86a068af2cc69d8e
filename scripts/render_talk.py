"""Render a talk without surgery that is full of what looks like it, for the tests: drawn by this script.

A glowing sphere with a caption, a piece of meat, the back of an eye, a red curtain, black, a covered lens, with slides
between them. The camera wanders over each picture and what glows flickers, as in a film; the sphere is also shown as a
still picture.

    python scripts/render_talk.py talk.mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from render_demo import FPS, HEIGHT, WIDTH, Image, encode, noise, slide

Floats = npt.NDArray[np.float32]
Random = np.random.Generator


def sphere(rng: Random) -> Floats:
    """An orange ball that glows before a dark ground."""
    rows, columns = _grid()
    away = np.hypot(columns - 0.5, (rows - 0.5) * HEIGHT / WIDTH) / 0.2
    surface = np.clip(1.05 - away**2, 0, 1)[..., None]
    grain = 0.75 + 0.25 * noise(rng, *rows.shape, 24)[..., None]
    ball = surface * grain * np.array([255, 140, 30]) + surface**3 * np.array([0, 90, 70])
    halo = np.exp(-3 * np.clip(away - 0.9, 0, None))[..., None] * np.array([150, 60, 10])
    return np.where(away[..., None] < 1, ball, halo).astype(np.float32)


def meat(rng: Random) -> Floats:
    """A steak on a board: red muscle in bundles, white fat between them and around it."""
    rows, columns = _grid()
    bundles = np.sin(30 * columns + 8 * noise(rng, *rows.shape, 90)) * np.sin(
        22 * rows + 9 * noise(rng, *rows.shape, 70)
    )
    lean = np.array([165, 35, 40]) * (0.7 + 0.3 * noise(rng, *rows.shape, 9))[..., None]
    flesh = np.where((np.abs(bundles) < 0.08)[..., None], (236, 214, 200), lean)
    edge = np.hypot((columns - 0.5) / 0.36, (rows - 0.5) / 0.33) + 0.15 * noise(rng, *rows.shape, 60)
    board = np.array([170, 125, 80]) * (0.8 + 0.2 * np.sin(90 * rows + 3 * noise(rng, *rows.shape, 80)))[..., None]
    return np.select([(edge < 0.93)[..., None], (edge < 1)[..., None]], [flesh, np.array([240, 228, 205])], board)


def fundus(rng: Random) -> Floats:
    """The back of an eye as a fundus camera shows it."""
    rows, columns = _grid()
    across, down = (columns - 0.5) * WIDTH / HEIGHT, rows - 0.5
    away = np.hypot(across, down) / 0.36
    picture = np.array([205, 95, 45]) * np.clip(1.1 - 0.6 * away**2, 0, 1)[..., None]
    height, width = rows.shape
    for side in (-1, 1):
        for bend in (0.12, 0.2, 0.3):
            steps = np.linspace(0, 1, 60)
            x = 0.62 - 0.4 * steps
            y = 0.5 + side * bend * np.sin(steps * 2.2) + 0.004 * np.cumsum(rng.normal(0, 1, 60))
            points = np.column_stack([x * width, y * height]).astype(np.int32)[None]
            cv2.polylines(picture, [points], False, (140, 30, 25), int(rng.integers(4, 9)), cv2.LINE_AA)
    cv2.circle(picture, (int(0.62 * width), height // 2), int(0.05 * height), (255, 225, 160), -1, cv2.LINE_AA)
    return np.where((away < 1)[..., None], picture, 0).astype(np.float32)


def curtain(rng: Random) -> Floats:
    """Red folds of a stage curtain."""
    rows, columns = _grid()
    folds = 0.5 + 0.5 * np.sin(70 * columns + 1.5 * noise(rng, *rows.shape, 120) + 0.8 * rows)
    return ((0.15 + 0.85 * folds**1.5)[..., None] * np.array([178, 22, 34])).astype(np.float32)


def filmed(rng: Random, scene: Floats, seconds: int, caption: str = "") -> Iterator[Image]:
    """A camera that wanders over a scene in light that flickers: uint8 RGB (360, 640, 3)."""
    for i in range(seconds * FPS):
        t = i / FPS
        zoom = 0.6 + 0.08 * np.sin(t / 2)
        x = WIDTH * (zoom - 0.5) + 25 * np.sin(t * 1.1)
        y = HEIGHT * (zoom - 0.5) + 15 * np.cos(t * 0.9)
        move = np.array([[zoom, 0, -x], [0, zoom, -y]], np.float32)
        view = cv2.warpAffine(scene, move, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
        view = view * (1 + 0.1 * np.sin(t * 5)) + rng.normal(0, 2, view.shape)
        yield _captioned(np.clip(view, 0, 255).astype(np.uint8), caption)


def still(picture: Floats, seconds: int, caption: str) -> Iterator[Image]:
    """A picture that does not move."""
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    shown = _captioned(np.clip(small, 0, 255).astype(np.uint8), caption)
    for _ in range(seconds * FPS):
        yield shown


def dark(rng: Random, seconds: int, *, lens: bool) -> Iterator[Image]:
    """Black with the noise of a sensor; or a covered lens, through which a little red light comes."""
    for _ in range(seconds * FPS):
        glow = np.array([26, 6, 4]) if lens else np.zeros(3)
        yield np.clip(glow + rng.normal(2, 2, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)


def talk(rng: Random, seconds: int = 5) -> Iterator[Image]:
    """All frames; each part lasts so many seconds."""
    yield from slide(["What we learnt", "from the sun"], 2)
    ball = sphere(rng)
    yield from filmed(rng, ball, seconds, "The surface boils")
    yield from still(ball, seconds, "A sphere of plasma")
    yield from slide(["And at home"], 2)
    yield from filmed(rng, meat(rng), seconds)
    yield from filmed(rng, fundus(rng), seconds)
    yield from filmed(rng, curtain(rng), seconds)
    yield from dark(rng, seconds, lens=False)
    yield from dark(rng, seconds, lens=True)
    yield from slide(["Questions?"], 2)


def _grid() -> tuple[Floats, Floats]:
    """Rows and columns of a field twice as large as a frame, in 0..1."""
    rows, columns = np.mgrid[0 : 2 * HEIGHT, 0 : 2 * WIDTH].astype(np.float32)
    return rows / (2 * HEIGHT), columns / (2 * WIDTH)


def _captioned(picture: Image, caption: str) -> Image:
    if caption:
        cv2.putText(picture, caption, (60, 330), cv2.FONT_HERSHEY_DUPLEX, 0.9, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    encode(parser.parse_args().video, talk(np.random.default_rng(3)))


if __name__ == "__main__":
    main()
