"""How well the mask stage covers overlays, on assembled videos with exact truth and on clean stills.

For every way of looking (text detector alone, overlay network on single frames, overlay network over time, everything)
it prints: share of overlay pixels covered per kind, overlays found at IoU 0.5, share of overlay-free pixels of surgical
frames lost, and share of surgical frames without overlays that are touched.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from curate.config import MaskOptions, SampleOptions
from curate.media.paint import cover
from curate.nets import overlay
from curate.nets.fusion import Fusion, Region
from curate.nets.text_detector import TextDetector, packaged_model
from curate.records import NON_SURGICAL, SURGICAL, Done, Video, verdict_schema
from curate.stage import Files
from curate.stages.mask import MaskStage
from curate.stages.sample import SampleStage

FOUND = 0.5


@dataclass
class Tally:
    """Counts over frames."""

    covered: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    drawn: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    found: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    overlays: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lost: int = 0
    free: int = 0
    clean: int = 0
    touched: int = 0

    def add(self, boxes: list[tuple[int, ...]], truth: list[dict[str, Any]], width: int, height: int) -> None:
        """Count one frame."""
        painted = cover([tuple(box) for box in boxes], width, height)
        real = cover([tuple(entry["xyxy"]) for entry in truth], width, height)
        for entry in truth:
            kind = entry["kind"]
            x1, y1, x2, y2 = entry["xyxy"]
            self.covered[kind] += int(painted[y1:y2, x1:x2].sum())
            self.drawn[kind] += (y2 - y1) * (x2 - x1)
            self.overlays[kind] += 1
            self.found[kind] += any(iou(box, entry["xyxy"]) >= FOUND for box in boxes)
        self.lost += int((painted & ~real).sum())
        self.free += int((~real).sum())
        if not truth:
            self.clean += 1
            self.touched += bool(boxes)

    def line(self) -> str:
        """The figures in one line."""
        kinds = [
            f"{kind} {self.covered[kind] / self.drawn[kind]:.3f} ({self.found[kind]}/{self.overlays[kind]})"
            for kind in sorted(self.drawn)
        ]
        overall = sum(self.covered.values()) / max(sum(self.drawn.values()), 1)
        return (
            f"recall {overall:.3f} | {', '.join(kinds)} | lost {100 * self.lost / max(self.free, 1):.2f} %"
            f" | touched {self.touched}/{self.clean}"
        )


def iou(a: Iterable[int], b: Iterable[int]) -> float:
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = a, b
    shared = max(min(ax2, bx2) - max(ax1, bx1), 0) * max(min(ay2, by2) - max(ay1, by1), 0)
    return shared / ((ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - shared)


def prepare(video: Path, truth: dict[str, Any], folder: Path) -> Files:
    """Sample a video and write verdicts that are the truth."""
    stage = SampleStage(SampleOptions())
    stage.setup()
    files = Files(inputs={"download": video}, folder=folder, stem=video.stem)
    outcome = stage.process(Video(id=video.stem, source=str(video)), files)
    if not isinstance(outcome, Done) or outcome.artefact is None:
        raise SystemExit(f"{video}: {outcome}")
    times = pq.read_table(outcome.artefact, columns=["n", "timestamp"])
    surgical = [
        any(s["start"] <= t < s["end"] and s["label"] == "surgical" for s in truth["segments"])
        for t in times["timestamp"].to_pylist()
    ]
    verdicts = pa.table(
        {
            "n": times["n"],
            "timestamp": times["timestamp"],
            "p_surgical": [float(s) for s in surgical],
            "verdict": [SURGICAL if s else NON_SURGICAL for s in surgical],
            "kept": [True] * len(surgical),
            "reason": [""] * len(surgical),
        },
        schema=verdict_schema(),
    )
    path = folder / f"{video.stem}.verdicts.parquet"
    pq.write_table(verdicts, path)
    return Files(inputs={"sample": outcome.artefact, "trim": path}, folder=folder, stem=f"{video.stem}-regions")


def evaluate_video(stage: MaskStage, files: Files, truth: dict[str, Any], tally: Tally) -> None:
    outcome = stage.process(Video(id=files.stem, source="/none"), files)
    if not isinstance(outcome, Done) or outcome.artefact is None:
        raise SystemExit(f"{files.stem}: {outcome}")
    boxes: dict[int, list[tuple[int, ...]]] = defaultdict(list)
    for row in pq.read_table(outcome.artefact).to_pylist():
        boxes[row["n"]].append((row["x1"], row["y1"], row["x2"], row["y2"]))
    for row in pq.read_table(files.inputs["trim"]).to_pylist():
        if row["verdict"] == SURGICAL:
            shown = [o for o in truth["overlays"] if o["start"] <= row["timestamp"] < o["end"]]
            tally.add(boxes[row["n"]], shown, truth["width"], truth["height"])


def stills(folder: Path, sources: list[str], most: int) -> Iterator[np.ndarray]:
    with open(folder / "labels.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for source in sources:
        files = [row["file"] for row in rows if row["source"] == source]
        for name in files[:: max(1, len(files) // most)][:most]:
            yield simplejpeg.decode_jpeg((folder / name).read_bytes())


def single(image: np.ndarray, detector: TextDetector | None, net: overlay.OverlayNet | None) -> list[Region]:
    """Regions of a still, without any evidence over time."""
    fusion = Fusion(net, MaskOptions().threshold)
    list(fusion.push(0, image, detector.detect([image])[0] if detector else []))
    ((_, regions),) = fusion.flush()
    return regions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with videos/ (mp4 and truth JSON) and frames/ (labels.csv)")
    parser.add_argument("--threshold", type=float, default=MaskOptions().overlay_threshold)
    parser.add_argument("--clean", nargs="*", default=["desmoke", "cholecseg", "lowlight", "cataract-mixed"])
    parser.add_argument("--most", type=int, default=50, help="stills of each source")
    arguments = parser.parse_args()

    truths = {path: json.loads(path.read_text()) for path in sorted((arguments.data / "videos").glob("*.json"))}
    ways = {
        "text detector": MaskOptions(detector="text", overlays=False),
        "overlay network": MaskOptions(detector="none", overlays=True, overlay_threshold=arguments.threshold),
        "both": MaskOptions(detector="text", overlays=True, overlay_threshold=arguments.threshold),
    }
    with tempfile.TemporaryDirectory() as scratch:
        prepared = {path: prepare(path.with_suffix(".mp4"), truth, Path(scratch)) for path, truth in truths.items()}
        for name, options in ways.items():
            stage = MaskStage(options)
            stage.setup()
            tally = Tally()
            for path, truth in truths.items():
                evaluate_video(stage, prepared[path], truth, tally)
            stage.close()
            print(f"videos, {name}, over time: {tally.line()}", flush=True)
        detector = TextDetector(packaged_model(), threshold=MaskOptions().threshold)
        net = overlay.OverlayNet(overlay.packaged_model(), threshold=arguments.threshold)
        tally = Tally()
        for path, truth in truths.items():
            for row in frames_of(prepared[path]):
                shown = [o for o in truth["overlays"] if o["start"] <= row["timestamp"] < o["end"]]
                image = simplejpeg.decode_jpeg(row["image"])
                tally.add([r[:4] for r in single(image, detector, net)], shown, truth["width"], truth["height"])
        print(f"videos, both, single frames: {tally.line()}", flush=True)
    for name, one, other in (
        ("text detector", detector, None),
        ("overlay network", None, net),
        ("both", detector, net),
    ):
        tally = Tally()
        for image in stills(arguments.data / "frames", arguments.clean, arguments.most):
            tally.add([r[:4] for r in single(image, one, other)], [], image.shape[1], image.shape[0])
        print(f"clean stills, {name}: {tally.line()}", flush=True)


def frames_of(files: Files) -> Iterator[dict[str, Any]]:
    """Surgical frames of a prepared video."""
    surgical = {row["n"] for row in pq.read_table(files.inputs["trim"]).to_pylist() if row["verdict"] == SURGICAL}
    for batch in pq.ParquetFile(files.inputs["sample"]).iter_batches(batch_size=8):
        yield from (row for row in batch.to_pylist() if row["n"] in surgical)


if __name__ == "__main__":
    main()
