"""Time and memory of looking for duplicates, by the number of hashes, and what the index misses.

Signatures of videos of an hour are drawn at random, unrelated to one another: the hardest case for an index of cells,
since nothing lies near anything else. Copies of one are planted: with bits turned, as encoding does, and excerpts of
10 s. Each size runs in a process of its own. The index is made whole; of the videos, the planted ones and a few others
are looked up, and the time for all follows from theirs. Recall is that of single hashes against comparing with all of
them, by the number of bits that were turned; then that of planted copies.

    python scripts/bench_duplicates.py --sizes 10000,100000,1000000 --work FOLDER
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from curate.config import DedupOptions
from curate.corpus.duplicates import is_accepted
from curate.corpus.matching import EXACT_UP_TO, Signed, _Search
from curate.workspace.tables.signatures import CROPS, Signature, write_signature

ROWS = 3600
TURNED = (16, 32, 48, 64)
ASKED = 400
LARGEST = 3_400_000
"""Seconds of Surg-3M: what the times are drawn out to."""


def turned(codes: np.ndarray, bits: int, rng: np.random.Generator) -> np.ndarray:
    loose = np.unpackbits(codes, axis=-1)
    places = rng.random(loose.shape).argsort(axis=-1)[..., :bits]
    np.put_along_axis(loose, places, 1 - np.take_along_axis(loose, places, axis=-1), axis=-1)
    return np.packbits(loose, axis=-1)


def draw(folder: Path, hashes: int, rng: np.random.Generator) -> list[Signed]:
    """Signatures of videos of an hour; copies and excerpts of the first are planted among them."""
    folder.mkdir(parents=True, exist_ok=True)
    count = max(hashes // ROWS, 3)
    first = rng.integers(0, 256, (ROWS, 32), dtype=np.uint8)
    planted = {"copy": turned(first, 24, rng), "noisy": turned(first, 56, rng)}
    planted |= {f"excerpt{i}": turned(first[i * 300 : i * 300 + 10], 16 * (i % 4), rng) for i in range(8)}
    found = []
    for name in [*(f"v{i:05}" for i in range(count)), *planted]:
        whole = planted.get(name, first if name == "v00000" else rng.integers(0, 256, (ROWS, 32), dtype=np.uint8))
        rows = len(whole)
        one = Signature(
            n=np.arange(rows, dtype=np.int32),
            timestamps=np.arange(rows, dtype=np.float64),
            quality=np.full(rows, 50, np.uint8),
            whole=whole,
            mirror=rng.integers(0, 256, (rows, 32), dtype=np.uint8),
            crops=rng.integers(0, 256, (rows, CROPS, 32), dtype=np.uint8),
            frame=whole,
            width=1280,
            height=720,
            spacing=1.0,
        )
        write_signature(folder / f"{name}.parquet", one)
        found.append(Signed(name, folder / f"{name}.parquet"))
    return sorted(found, key=lambda video: video.id)


def measure(hashes: int, folder: Path) -> dict[str, object]:
    rng = np.random.default_rng(hashes)
    videos = draw(folder, hashes, rng)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock, cpu = time.perf_counter(), time.process_time()
    search = _Search(videos, DedupOptions())
    built = time.perf_counter() - clock, time.process_time() - cpu
    planted = [i for i, video in enumerate(videos) if not video.id.startswith("v0")]
    others = [i for i, video in enumerate(videos) if video.id.startswith("v0")][-2:]
    options = DedupOptions()
    matches = [match for i in planted for match in search.matches_of(i) if is_accepted(match, options)]
    clock, cpu = time.perf_counter(), time.process_time()
    for i in others:
        search.matches_of(i)
    took = time.perf_counter() - clock, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    of_first = {match.a if match.b == "v00000" else match.b for match in matches if "v00000" in (match.a, match.b)}
    # excerpts and copies are looked up before v00000, which sorts after them: so is the first video
    first = next(i for i, video in enumerate(videos) if video.id == "v00000")
    for match in search.matches_of(first):
        if is_accepted(match, options):
            of_first.add(match.a if match.b == "v00000" else match.b)
    total = len(search._owners)
    return {
        "hashes": total,
        "make_index_s": round(built[0], 1),
        "make_index_cpu_s": round(built[1], 1),
        "look_up_all_s": round(took[0] / (len(others) * ROWS) * total, 1),
        "look_up_all_cpu_s": round(took[1] / (len(others) * ROWS) * total, 1),
        "memory_mb": round((peak - before) / 1024),
        "bytes_a_hash": round((peak - before) * 1024 / total),
        "recall_by_bits": _recall(search, rng),
        "planted_found": f"{len(of_first & {videos[i].id for i in planted})} of {len(planted)}",
    }


def _recall(search: _Search, rng: np.random.Generator) -> dict[int, float]:
    """Share of hashes, with some bits turned, that the index finds; comparing with all of them finds each."""
    index = search._indexes["whole"]
    video = search._read(len(search._videos) - 1)
    codes = video.whole[rng.choice(len(video.whole), ASKED, replace=False)]
    found = {}
    for bits in TURNED:
        limits, far, _ = index.range_search(turned(codes, bits, rng), max(TURNED) + 1)
        near = [bits in far[limits[i] : limits[i + 1]] for i in range(ASKED)]
        found[bits] = round(sum(near) / ASKED, 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.work / str(arguments.one))))
        return
    rows = []
    for size in arguments.sizes.split(","):
        command = [sys.executable, __file__, "--work", str(arguments.work), "--one", size]
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(json.dumps(rows[-1]), flush=True)
    print(f"all pairs are compared up to {EXACT_UP_TO} hashes, cells above")
    if len(rows) > 1:
        low, high = rows[-2], rows[-1]
        name = "look_up_all_cpu_s"
        slope = math.log(high[name] / low[name]) / math.log(high["hashes"] / low["hashes"])
        drawn_out = high[name] * (LARGEST / high["hashes"]) ** slope
        print(f"time grows with hashes^{slope:.2f}; at {LARGEST}: {drawn_out:.0f} s")
        print(f"memory at {LARGEST}, at most: {high['bytes_a_hash'] * LARGEST / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
