"""Time, memory and recall of ``curate corpus neighbours`` on made-up vectors.

Vectors lie in clusters of seven around centres of their own, themselves around coarser ones, as frames of a scene do in
procedures; so the six neighbours of each are known. Each size is run in a process of its own, whose peak of memory is
that of the search alone. Recall is the share of the true six (by every pair, on a sample) that the index finds; planted
is the share of frames whose six are the ones they were made with.

    python scripts/bench_neighbours.py --sizes 10000 100000 1000000
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from curate.corpus.nearest import PROBES, Search
from curate.corpus.neighbours import ENTRIES, NeighbourOptions, SplitFrames, write_neighbours
from curate.nets.device import available_threads

FRAMES_OF_LEMON = 3_400_000
GROUP = ENTRIES + 1
SAMPLE = 300
_BLOCK = 70_000


def make_vectors(path: Path, rows: int, columns: int) -> np.ndarray:
    """Unit vectors in groups of seven, written block by block to a mapped file; frames of a group are not in a row."""
    rng = np.random.default_rng(0)
    vectors = np.memmap(path, np.float16, "w+", shape=(rows, columns))
    coarse = rng.normal(size=(200, columns))
    place = np.random.default_rng(1).permutation(rows)
    for start in range(0, rows, _BLOCK):
        count = min(_BLOCK, rows - start)
        groups = -(-count // GROUP)
        centres = coarse[rng.integers(0, len(coarse), groups)] + 0.5 * rng.normal(size=(groups, columns))
        block = np.repeat(centres, GROUP, axis=0)[:count] + 0.1 * rng.normal(size=(count, columns))
        vectors[place[start : start + count]] = block / np.linalg.norm(block, axis=1, keepdims=True)
    vectors.flush()
    return place


def frames_of(path: Path, rows: int, columns: int) -> SplitFrames:
    """Frames with these vectors, of videos of 800 frames."""
    vectors = np.memmap(path, np.float16, "r", shape=(rows, columns))
    place = np.arange(rows)
    ids = [f"video{number:08d}" for number in range(-(-rows // 800))]
    return SplitFrames(
        "train",
        ids,
        (place // 800).astype(np.int32),
        (place % 800).astype(np.int32),
        (place % 800).astype(float),
        vectors,
    )


def measure(rows: int, columns: int, probes: int, path: Path, place: np.ndarray) -> dict[str, float]:
    """Run one size; see the module."""
    frames = frames_of(path, rows, columns)
    search = Search(probes=probes, threads=available_threads())
    sample = np.sort(np.random.default_rng(2).choice(rows, SAMPLE, replace=False))
    group = np.empty(rows, np.int64)
    group[place] = np.arange(rows) // GROUP
    output = path.with_suffix(".json")
    start, began = time.monotonic(), time.process_time()
    with open(output, "w", encoding="ascii") as stream:
        write_neighbours(frames, NeighbourOptions(search=search), stream)
    seconds, cpu = time.monotonic() - start, time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {}
    with open(output, encoding="ascii") as lines:
        wanted = {frames.key(int(row)): int(row) for row in sample}
        for line in lines:
            key = line[1:].partition('"')[0]
            if key in wanted:
                found[wanted[key]] = [row_of(other) for other, _ in json.loads("{" + line.rstrip(",\n") + "}")[key]]
    queries = frames.vectors[sample].astype(np.float32)
    best = np.full((SAMPLE, ENTRIES + 1), np.inf)
    where = np.full((SAMPLE, ENTRIES + 1), -1)
    for begin in range(0, rows, _BLOCK):
        block = frames.vectors[begin : begin + _BLOCK].astype(np.float32)
        apart = np.concatenate([best, (block**2).sum(1) - 2 * queries @ block.T], axis=1)
        numbers = np.concatenate([where, np.tile(np.arange(begin, begin + len(block)), (SAMPLE, 1))], axis=1)
        order = np.argsort(apart, axis=1)[:, : ENTRIES + 1]
        best, where = np.take_along_axis(apart, order, 1), np.take_along_axis(numbers, order, 1)
    truth = [set(map(int, near)) - {int(row)} for row, near in zip(sample, where, strict=True)]
    recall = np.mean([len(set(found[int(row)]) & true) / ENTRIES for row, true in zip(sample, truth, strict=True)])
    planted = np.mean([all(group[other] == group[row] for other in found[int(row)]) for row in sample])
    return {
        "rows": rows, "seconds": seconds, "cpu_seconds": cpu, "peak_mib": peak, "recall": float(recall),
        "planted": float(planted), "file_mb": output.stat().st_size / 1e6,
    }  # fmt: skip


def row_of(key: str) -> int:
    video, _, number = key.removeprefix("video").rpartition("_")
    return int(video) * 800 + int(number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--columns", type=int, default=384)
    parser.add_argument("--probes", type=int, default=PROBES)
    parser.add_argument("--folder", type=Path, help="Where the vectors are put for the while.")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        path = arguments.folder / "vectors"
        place = np.load(arguments.folder / "place.npy")
        print(json.dumps(measure(arguments.one, arguments.columns, arguments.probes, path, place)))
        return
    rows = []
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            np.save(Path(folder) / "place.npy", make_vectors(Path(folder) / "vectors", size, arguments.columns))
            command = [sys.executable, __file__, "--one", str(size), "--folder", folder]
            command += ["--columns", str(arguments.columns), "--probes", str(arguments.probes)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout))
        shown = {k: round(v, 4) for k, v in rows[-1].items()}
        print(json.dumps(shown), flush=True)
    if len(rows) > 1:
        last, before = rows[-1], rows[-2]
        slope = math.log(last["cpu_seconds"] / before["cpu_seconds"]) / math.log(last["rows"] / before["rows"])
        more = FRAMES_OF_LEMON / last["rows"]
        hours, memory = last["cpu_seconds"] * more**slope / 3600, last["peak_mib"] * more / 1024
        print(
            f"time grows with rows^{slope:.2f}: {hours:.1f} h of one core at {FRAMES_OF_LEMON:,} rows, "
            f"with {memory:.1f} GiB at most and a file of {last['file_mb'] * more / 1000:.1f} GB"
        )


if __name__ == "__main__":
    main()
