"""Frames per second of the mask stage against its bare networks, and what each part of it costs.

The bare networks are the forward passes without which nothing is found: the text detector on every frame, and the
overlay network on every window. CPU time counts on a busy machine, wall time on a quiet one.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from curate.config import MaskOptions
from curate.nets.detect import overlay
from curate.nets.detect.fusion import HOP
from curate.nets.detect.text_detector import TextDetector, packaged_model
from curate.records import SURGICAL, Done, Video
from curate.stage import Files
from curate.stages.mask import MaskStage
from curate.vision.static_content import WINDOW, reduce, statistics
from curate.workspace.tables import frame_schema, verdict_schema


def milliseconds(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Median wall time and CPU time of one call."""
    work()
    taken = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall, cpu = 1000 * np.median(taken, axis=0)
    return float(wall), float(cpu)


def artefacts(images: list[bytes], count: int, shape: tuple[int, ...], folder: Path) -> Files:
    """Inputs of the stage: the given JPEGs over and over."""
    frames, verdicts = folder / "frames.parquet", folder / "verdicts.parquet"
    with pq.ParquetWriter(frames, frame_schema(), compression="none", use_dictionary=False) as writer:
        for first in range(0, count, 100):
            numbers = list(range(first, min(first + 100, count)))
            columns = {
                "n": numbers,
                "timestamp": [float(n) for n in numbers],
                "source_index": numbers,
                "key_frame": [True] * len(numbers),
                "width": [shape[1]] * len(numbers),
                "height": [shape[0]] * len(numbers),
                "image": [images[n % len(images)] for n in numbers],
            }
            writer.write_table(pa.table(columns, schema=frame_schema()))
    verdict = {
        "n": range(count),
        "timestamp": [float(n) for n in range(count)],
        "p_surgical": [1.0] * count,
        "verdict": [SURGICAL] * count,
        "kept": [True] * count,
        "reason": [""] * count,
    }
    pq.write_table(pa.table(verdict, schema=verdict_schema()), verdicts)
    return Files(inputs={"sample": frames, "trim": verdicts}, folder=folder, stem="bench")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="folder searched for surgical JPEGs; they are enlarged to 720p")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()

    import cv2

    files = sorted(arguments.images.rglob("*.jpg"))[:16]
    if not files:
        parser.error(f"no *.jpg in {arguments.images}")
    images = [cv2.resize(simplejpeg.decode_jpeg(path.read_bytes()), (1280, 720)) for path in files]
    jpegs = [simplejpeg.encode_jpeg(image, quality=95) for image in images]
    options = MaskOptions(device=arguments.device, threads=arguments.threads, overlays=True)
    detector = TextDetector(packaged_model(), side=options.side, device=arguments.device, threads=arguments.threads)
    net = overlay.OverlayNet(overlay.packaged_model(), threads=arguments.threads)
    window = [reduce(image) for image in images[:WINDOW]]
    maps, single = statistics(window), statistics(window[:1])
    parts = {
        "JPEG decoding": milliseconds(lambda: simplejpeg.decode_jpeg(jpegs[0]), 20),
        "text detector, network": milliseconds(lambda: detector.probabilities(images[:1]), 20),
        "text detector, with boxes": milliseconds(lambda: detector.detect(images[:1]), 20),
        "reducing": milliseconds(lambda: reduce(images[0]), 20),
        f"statistics of {WINDOW} frames": milliseconds(lambda: statistics(window), 20),
        "overlay network": milliseconds(lambda: net.probabilities(maps), 20),
        "overlay network, with boxes": milliseconds(lambda: net.find(maps), 20),
        "statistics of one frame": milliseconds(lambda: statistics(window[:1]), 20),
        "overlay network, one frame": milliseconds(lambda: net.probabilities(single), 20),
    }
    for name, (wall, cpu) in parts.items():
        print(f"{name:32} {wall:7.1f} ms, {cpu:7.1f} CPU ms")
    overlays = tuple(part / HOP for part in parts["overlay network"])
    text = parts["text detector, network"]
    for label, chosen, bare in (
        ("stage", options, tuple(sum(pair) for pair in zip(text, overlays, strict=True))),
        ("stage, text alone", replace(options, overlays=False), text),
        ("stage, overlays alone", replace(options, detector="none"), overlays),
    ):
        stage = MaskStage(chosen)
        stage.setup()
        with tempfile.TemporaryDirectory() as scratch:
            inputs = artefacts(jpegs, arguments.frames, images[0].shape, Path(scratch))
            begin, busy = time.perf_counter(), time.process_time()
            outcome = stage.process(Video(id="bench", source="/none"), inputs)
            wall, cpu = (
                (t - t0) * 1000 / arguments.frames
                for t, t0 in ((time.perf_counter(), begin), (time.process_time(), busy))
            )
        assert isinstance(outcome, Done), outcome
        print(
            f"{label:32} {1000 / wall:5.1f} frames/s, {cpu:.1f} CPU ms a frame;"
            f" bare networks {1000 / bare[0]:.1f} frames/s, {bare[1]:.1f} CPU ms:"
            f" {100 * bare[1] / cpu:.0f} % of the stage's CPU time"
        )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
