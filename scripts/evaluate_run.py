"""Compare a finished workspace with the truth about its videos, second by second.

    python scripts/evaluate_run.py WORKSPACE TRUTH_FOLDER

``TRUTH_FOLDER`` holds one ``{id}.json`` a video with ``segments``: ``start`` and ``end`` in seconds, ``label``
``surgical`` or ``non-surgical``. Accuracy counts sampled frames whose verdict is that of the segment on screen at their
timestamp. The trim error is the distance of the kept part's ends from those of the first and last surgical run that is
at least as long as the trim's ``min_run``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curate.config import load_toml
from curate.records import SURGICAL


def label_at(segments: list[dict[str, Any]], seconds: float) -> str:
    for segment in segments:
        if segment["start"] <= seconds < segment["end"]:
            return str(segment["label"])
    return str(segments[-1]["label"])


def surgical_span(segments: list[dict[str, Any]], min_run: float) -> tuple[float, float] | None:
    runs: list[list[float]] = []
    for segment in segments:
        if segment["label"] != SURGICAL:
            continue
        if runs and abs(runs[-1][1] - segment["start"]) < 1e-6:
            runs[-1][1] = segment["end"]
        else:
            runs.append([segment["start"], segment["end"]])
    long = [run for run in runs if run[1] - run[0] >= min_run]
    return (long[0][0], long[-1][1]) if long else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("truth", type=Path)
    arguments = parser.parse_args()
    min_run = load_toml(arguments.workspace / "curate.toml")["trim"]["min_run"]
    right = total = 0
    for path in sorted(arguments.truth.glob("*.json")):
        segments = json.loads(path.read_text())["segments"]
        table = pq.read_table(arguments.workspace / "verdicts" / f"{path.stem}.parquet").to_pylist()
        good = sum(row["verdict"] == label_at(segments, row["timestamp"]) for row in table)
        right, total = right + good, total + len(table)
        wrong = [row["n"] for row in table if row["verdict"] != label_at(segments, row["timestamp"])]
        kept = [row["timestamp"] for row in table if row["kept"]]
        span = surgical_span(segments, min_run)
        step = table[1]["timestamp"] - table[0]["timestamp"] if len(table) > 1 else 1.0
        found = f"{kept[0]:.1f}-{kept[-1] + step:.1f} s" if kept else "nothing"
        truth = f"{span[0]:.1f}-{span[1]:.1f} s" if span else "nothing"
        print(f"{path.stem}: {good}/{len(table)} right, wrong at {wrong}; kept {found}, truth {truth}")
    print(f"all: {right}/{total} = {right / total:.4f}")


if __name__ == "__main__":
    main()
