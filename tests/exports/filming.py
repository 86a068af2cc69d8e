"""Videos with a known story, and what an export of them shows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from curate.exports import ExportEntry
from tests.exports.making import BOX, HEIGHT, WIDTH, make_entry
from tests.media.videos import encode

FPS = 25


def scene(index: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Reddish surgery that slowly drifts, with a bright overlay at `BOX` (scaled to the size)."""
    columns = np.arange(width)[None, :] + index
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = 150 + 30 * np.sin(columns / 9)
    image[..., 1] = 60 + 20 * np.cos(columns / 7)
    image[..., 2] = 50
    x1, y1, x2, y2 = scaled_box(width, height)
    image[y1:y2, x1:x2] = 250
    return image


def scaled_box(width: int, height: int) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = BOX
    return x1 * width // WIDTH, y1 * height // HEIGHT, x2 * width // WIDTH, y2 * height // HEIGHT


def film(
    folder: Path,
    video_id: str,
    verdicts: str,
    surgical: Sequence[tuple[float, float]],
    *,
    images: Callable[[int], np.ndarray] | None = None,
    fps: Fraction | int = FPS,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    encoding: dict[str, Any] | None = None,
    **entry: Any,
) -> ExportEntry:
    """A video that really shows surgery in some spans of seconds, with samples once a second and their verdicts.

    Args:
        surgical: Spans ``(start, end)`` in seconds; the rest is a white slide.
        images: Pictures of the frames, instead.
        encoding: Further arguments of `tests.media.videos.encode`.
        entry: Further arguments of `make_entry`.
    """
    made = make_entry(folder, video_id, verdicts, source_file=False, **entry)
    white = np.full((size[1], size[0], 3), 245, np.uint8)
    spans = [(Fraction(str(start)), Fraction(str(end))) for start, end in surgical]

    def image(index: int) -> np.ndarray:
        time = Fraction(index) / fps
        return scene(index, *size) if any(start <= time < end for start, end in spans) else white

    arguments = {"frames": int(len(verdicts) * fps), "options": {"crf": "4", "preset": "ultrafast"}, **(encoding or {})}
    path = encode(folder / f"{video_id}.mp4", size=size, rate=fps, images=images or image, **arguments)
    return dataclasses.replace(made, source_file=path)


def words(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """LEMON's entries of a curated video, in order."""
    return list(json.loads(path.with_suffix(".json").read_text()).items())


def decode(path: Path) -> tuple[list[np.ndarray], list[Fraction]]:
    """Pictures of a video, RGB, and the seconds at which they appear."""
    with av.open(str(path)) as container:
        frames = [
            (frame.to_ndarray(format="rgb24"), frame.pts * frame.time_base) for frame in container.decode(video=0)
        ]
    return [image for image, _ in frames], [time for _, time in frames]


def brightness(image: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """Largest value within a box, two pixels from its edge, where a codec smears."""
    x1, y1, x2, y2 = box
    return float(image[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].max())
