"""Hold curated videos against the truth about their sources: entries, trim, masks on overlays, surgery that is lost.

    curate run DATA/videos -w WORK --export-formats video
    python scripts/evaluate_curated.py DATA/videos WORK/exports/video

The truth is a JSON a video: `segments` (start, end, label) and `overlays` (start, end, xyxy, kind), seconds and pixels
of the source. Every frame of every curated video is decoded. Covered are pixels inside the boxes of LEMON's JSON; black
are decoded pixels with no channel above 32, whether painted or dark before.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq

SHORTEST_RUN = 3.0
"""Seconds of surgery from which a run counts, as in `curate trim`."""

BLACK = 32


def inside(boxes: Iterable[tuple[int, int, int, int]], shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for x1, y1, x2, y2 in boxes:
        mask[y1:y2, x1:x2] = True
    return mask


def evaluate(video: Path, truth: Mapping[str, Any], kinds: Counter[tuple[str, str]]) -> Counter[str]:
    """Print the line of a video; returns its counts of frames and pixels."""
    words = json.loads(video.with_suffix(".json").read_text())
    rows = pq.read_table(video.with_suffix(".parquet")).to_pylist()
    surgical = [(s["start"], s["end"]) for s in truth["segments"] if s["label"] == "surgical"]
    runs = [(start, end) for start, end in surgical if end - start >= SHORTEST_RUN]
    counts: Counter[str] = Counter()
    with av.open(str(video)) as container:
        frames = container.decode(video=0)
        # An export with another number of entries than frames ends here.
        for frame, said, row in zip(frames, words.values(), rows, strict=True):
            time = row["timestamp"]
            is_surgical = any(start <= time < end for start, end in surgical)
            counts["frames"] += 1
            counts["surgery black"] += is_surgical and not row["shown"]
            counts["other shown"] += row["shown"] and not is_surgical
            if not (is_surgical and row["shown"]):
                continue
            image = frame.to_ndarray(format="rgb24")
            masked, black = inside(said["boxes"] or (), image.shape[:2]), image.max(axis=2) <= BLACK
            shown = [overlay for overlay in truth["overlays"] if overlay["start"] <= time < overlay["end"]]
            overlays = inside((overlay["xyxy"] for overlay in shown), image.shape[:2])
            counts["overlay"] += int(overlays.sum())
            counts["covered"] += int((overlays & masked).sum())
            counts["black"] += int((overlays & black).sum())
            counts["surgery"] += int((~overlays).sum())
            counts["lost"] += int((~overlays & masked).sum())
            for overlay in shown:
                own = inside([overlay["xyxy"]], image.shape[:2])
                kinds[overlay["kind"], "all"] += int(own.sum())
                kinds[overlay["kind"], "covered"] += int((own & masked).sum())
    begin, end = rows[0]["timestamp"], rows[-1]["timestamp"] + 1 / truth["fps"]
    print(
        f"{video.stem}: {counts['frames']} frames, {len(words)} entries; starts {begin - runs[0][0]:+.3f} s and ends "
        f"{end - runs[-1][1]:+.3f} s from the truth; {told(counts)}"
    )
    return counts


def told(counts: Counter[str]) -> str:
    overlay = max(counts["overlay"], 1)
    return (
        f"overlays covered {counts['covered'] / overlay:.4f}, black {counts['black'] / overlay:.4f}; surgical pixels "
        f"lost {counts['lost'] / max(counts['surgery'], 1):.4f}; surgical frames black {counts['surgery black']}, "
        f"others shown {counts['other shown']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path, help="Folder with a JSON a video.")
    parser.add_argument("export", type=Path, help="Export in the format video.")
    arguments = parser.parse_args()
    total: Counter[str] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    for video in sorted(arguments.export.rglob("*.mp4")):
        total += evaluate(video, json.loads((arguments.truth / f"{video.stem}.json").read_text()), kinds)
    print(f"all: {total['frames']} frames; {told(total)}")
    names = sorted({kind for kind, _ in kinds})
    print("covered by kind:", ", ".join(f"{name} {kinds[name, 'covered'] / kinds[name, 'all']:.4f}" for name in names))


if __name__ == "__main__":
    main()
