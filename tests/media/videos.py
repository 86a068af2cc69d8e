"""Real encoded videos for the tests, and the plainest way to decode them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from curate.media.colour import Converter


def picture(index: int, width: int, height: int) -> np.ndarray:
    """A textured RGB picture that moves with its index, with the index readable in its top left corner."""
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.stack(
        [
            (columns * 3 + index * 5) % 256,
            (rows * 3 + index * 7) % 256,
            ((rows + columns) // 2 + index * 11) % 256,
        ],
        axis=-1,
    ).astype(np.uint8)
    rng = np.random.default_rng(index)
    top, left = (index * 3) % max(1, height - 16), (index * 5) % max(1, width - 16)
    image[top : top + 16, left : left + 16] = rng.integers(0, 256, image[top : top + 16, left : left + 16].shape)
    return image


def encode(
    path: Path,
    codec: str = "libx264",
    *,
    frames: int = 48,
    size: tuple[int, int] = (96, 64),
    rate: Fraction | int = 25,
    options: dict[str, str] | None = None,
    pixel_format: str = "yuv420p",
    times: list[int] | None = None,
    time_base: Fraction | None = None,
    container: str | None = None,
    container_options: dict[str, str] | None = None,
    setup: Any = None,
    images: Any = None,
) -> Path:
    """Encode a video.

    Args:
        times: Timestamp of each frame in ticks of ``time_base``; by default frame i is shown at i / rate.
        setup: Called with the stream before the first frame.
        images: Called with the index of a frame, gives its RGB picture.
    """
    width, height = size
    with av.open(str(path), "w", format=container, options=container_options or {}) as output:
        # Macroblock trees of x264 now and then decide otherwise on the same pictures.
        steady = {"mbtree": "0", "rc-lookahead": "0"} if codec == "libx264" else {}
        stream = output.add_stream(codec, rate=rate, options={"threads": "1", **steady, **(options or {})})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.thread_count = 1
        if time_base is not None:
            stream.codec_context.time_base = time_base
        if setup is not None:
            setup(stream)
        for index in range(frames):
            image = images(index) if images is not None else picture(index, width, height)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixel_format)
            if times is not None:
                frame.pts, frame.time_base = times[index], time_base
            else:
                frame.pts, frame.time_base = index, 1 / Fraction(rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def encode_apart(path: Path, **arguments: Any) -> Path:
    """`encode` in a process of its own: SVT-AV1 now and then waits for itself for ever.

    The test is skipped where the encoder is missing or hangs twice.
    """
    if arguments["codec"] not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no {arguments['codec']}")
    code = "import json, pathlib, sys; from tests.media.videos import encode; encode(pathlib.Path(sys.argv[1]), "
    code += "**json.loads(sys.argv[2]))"
    root = Path(__file__).resolve().parents[2]
    for _ in range(2):
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [sys.executable, "-c", code, str(path), json.dumps(arguments)],
                check=True,
                timeout=20,
                cwd=root,
                env={**os.environ, "SVT_LOG": "1"},
            )
            return path
    pytest.skip(f"{arguments['codec']} hangs")


def decode_everything(path: Path) -> list[tuple[Fraction, bool, np.ndarray]]:
    """Decode a video plainly: all packets, frames as they come.

    Returns:
        Of each frame: seconds from the first frame, whether it is a key frame, RGB image.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        convert = Converter(pixel_aspect=stream.sample_aspect_ratio or Fraction(1))
        frames = [(frame.pts, bool(frame.key_frame), convert(frame)) for frame in container.decode(stream)]
        first = frames[0][0]
        return [((pts - first) * stream.time_base, key, image) for pts, key, image in frames]


def on_screen(frames: list[tuple[Fraction, bool, np.ndarray]], time: Fraction) -> int:
    """Index of the frame with the largest timestamp that is not after ``time``."""
    return max(index for index, (start, _, _) in enumerate(frames) if start <= time)
