"""Images per second of the classify stage against the bare network, on one device and batch size.

Takes sampled frames of a workspace, or renders grainy 720p JPEGs that cost more to decode than most, runs the stage
over them, and times its parts alone: decoding with resizing, the network on prepared pixels, and reading tables. The
bare network is what the stage could reach if all else were free.

    python scripts/bench_classify.py --frames 512 --device cpu
    python scripts/bench_classify.py --frames 512 --device cpu --workspace work
    python scripts/bench_classify.py --frames 4096 --device cuda --images FOLDER_OF_JPEGS
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from curate.config import ClassifyOptions
from curate.nets.classifier import load_classifier
from curate.nets.device import available_threads, resolve_device
from curate.records import Done, Video
from curate.stage import Files
from curate.stages.classify import ClassifyStage
from curate.workspace.tables import frame_schema

ROWS_A_GROUP = 100
"""As the sample stage writes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=512)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch-size", type=int, default=0)
    parser.add_argument("--model", default="default")
    parser.add_argument("--images", type=Path, help="folder of JPEGs to use instead of rendered 720p ones")
    parser.add_argument("--workspace", type=Path, help="take the frames sampled there instead")
    parser.add_argument("--repeats", type=int, default=3, help="turns; the fastest counts")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    if arguments.workspace:
        images = _sampled(arguments.workspace, arguments.frames)
    else:
        images = _load(arguments.images, arguments.frames) if arguments.images else _render(arguments.frames)
    classifier = load_classifier(arguments.model, device=device, batch_size=arguments.batch_size)
    prepared = np.stack([classifier.prepare(data) for data in images[: 4 * classifier.batch_size]])

    def network() -> int:
        for start in range(0, len(prepared), classifier.batch_size):
            classifier.predict_prepared(prepared[start : start + classifier.batch_size])
        return len(prepared)

    def decoding() -> int:
        for data in images:
            classifier.prepare(data)
        return len(images)

    with tempfile.TemporaryDirectory() as folder:
        table = _table(Path(folder) / "frames.parquet", images)
        (Path(folder) / "scores").mkdir()
        files = Files({"sample": table}, Path(folder) / "scores", "bench")
        stage = ClassifyStage(ClassifyOptions(model=arguments.model, device=device, batch_size=arguments.batch_size))
        stage.setup()

        def whole() -> int:
            outcome = stage.process(Video(id="bench", source="/bench.mp4"), files)
            if not isinstance(outcome, Done):
                raise SystemExit(f"the stage answered {outcome}")
            return len(images)

        def tables() -> int:
            with pq.ParquetFile(table) as reader:
                for index in range(reader.num_row_groups):
                    reader.read_row_group(index, columns=["n", "timestamp", "image"])["image"].to_pylist()
            return len(images)

        parts = {"stage": whole, "network": network, "decoding": decoding, "tables": tables}
        if device != "cpu":
            parts["transfer"] = lambda: _transfer(prepared, device)
        network()
        times = _times(parts, arguments.repeats)
    print(f"{device}, {available_threads()} threads, batch {classifier.batch_size}, {len(images)} frames")
    for name, (wall, cpu) in times.items():
        share = cpu / times["stage"][1] if device == "cpu" else wall / times["stage"][0]
        print(
            f"{name:9} {1 / wall:8.1f} images/s {1000 * wall:7.3f} ms, {1000 * cpu:7.3f} CPU ms an image ({share:.0%})"
        )
    print(f"stage / network: {times['network'][0] / times['stage'][0]:.3f} by the clock", end="")
    print(f", {times['network'][1] / times['stage'][1]:.3f} by CPU time" if device == "cpu" else "")


def _times(parts: Mapping[str, Callable[[], int]], repeats: int) -> dict[str, tuple[float, float]]:
    """Seconds by the clock and of CPU time an image, of each part; the parts take turns and the fastest turn counts."""
    best = dict.fromkeys(parts, (float("inf"), float("inf")))
    for _ in range(repeats):
        for name, work in parts.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            count = work()
            wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
            best[name] = (min(best[name][0], wall / count), min(best[name][1], cpu / count))
    return best


def _transfer(pixels: np.ndarray, device: str) -> int:
    import torch

    torch.from_numpy(pixels).pin_memory().to(device, non_blocking=True)
    torch.cuda.synchronize()
    return len(pixels)


def _load(folder: Path, count: int) -> list[bytes]:
    paths = sorted(folder.rglob("*.jpg"))
    if not paths:
        raise SystemExit(f"{folder} holds no .jpg")
    return [paths[i % len(paths)].read_bytes() for i in range(count)]


def _sampled(workspace: Path, count: int) -> list[bytes]:
    images: list[bytes] = []
    for path in sorted((workspace / "frames").glob("*.parquet")):
        images += pq.read_table(path, columns=["image"])["image"].to_pylist()
    if not images:
        raise SystemExit(f"{workspace} holds no sampled frame")
    return [images[i % len(images)] for i in range(count)]


def _render(count: int, distinct: int = 32) -> list[bytes]:
    """Quality-95 720p JPEGs of smooth shapes with grain, about as large as those of web video."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:720, 0:1280] / 200
    made = []
    for _ in range(distinct):
        waves = [np.sin(rng.uniform(1, 6) * x + rng.uniform(1, 6) * y + rng.uniform(0, 6)) for _ in range(3)]
        picture = 127 + 80 * np.stack(waves, axis=2) + rng.normal(0, 4, (720, 1280, 1))
        made.append(simplejpeg.encode_jpeg(np.clip(picture, 0, 255).astype(np.uint8), 95, "RGB", "420"))
    return [made[i % distinct] for i in range(count)]


def _table(path: Path, images: list[bytes]) -> Path:
    schema = frame_schema()
    with pq.ParquetWriter(path, schema, compression="NONE", use_dictionary=False) as writer:
        for start in range(0, len(images), ROWS_A_GROUP):
            rows = [
                {
                    "n": n,
                    "timestamp": float(n),
                    "source_index": n,
                    "key_frame": False,
                    "width": 1280,
                    "height": 720,
                    "image": image,
                }
                for n, image in enumerate(images[start : start + ROWS_A_GROUP], start)
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema))
    return path


if __name__ == "__main__":
    main()
