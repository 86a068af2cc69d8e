"""A whole run against its slowest lane alone, and what each stage costs.

    python scripts/bench_pipeline.py                       # four rendered videos
    python scripts/bench_pipeline.py FOLDER --work FOLDER  # one's own videos; the work is kept
    python scripts/bench_pipeline.py FOLDER --against CHECKOUT  # the stages alone, of this code and of another checkout

Five figures:

- End to end: wall time of the download alone and of all other stages alone, the slower of them divided by that of one
  run that does both. 1 would be a download that costs nothing beside the rest; the aim is 0.8.
- CPU seconds a sampled frame of each stage, start of its workers included: user and system time of ``curate STAGE``.
- The share of the sampled frames that each stage looked at, and each network, by the outcomes of mask and audit. Of
  detectors that are shown parts of frames, the share of the picture too.
- Exports from the same workspace on one core, two, and all.

Wall times count on a quiet machine; the load before and after is printed.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from curate.files.machine import usable_cores
from curate.run.session import open_session
from curate.vision.changes import GRID
from curate.workspace.ledger import read_ledger

CURATE = [sys.executable, "-c", "from curate.cli import main; main()"]

PICTURE = GRID[0] * GRID[1]
"""Tiles of a frame."""

NETWORKS = (
    ("mask", "text detector", "text_frames", "text_tiles"),
    ("mask", "overlay network, pairs", "overlay_pairs", ""),
    ("mask", "overlay network, one frame", "overlay_frames", ""),
    ("mask", "overlay network, windows", "overlay_windows", ""),
    ("audit", "face detector, at a glance", "face_glances", ""),
    ("audit", "face detector, closely", "face_frames", "face_tiles"),
    ("audit", "text detector, for lines", "line_frames", ""),
    ("audit", "reader", "reader_frames", ""),
)
"""Stage, network, the figure that counts the frames it saw, and that of the tiles if it saw parts of them."""


class Cost(NamedTuple):
    """Seconds of one command."""

    wall: float
    cpu: float


def curate(*arguments: str | Path, cores: int = 0, checkout: Path | None = None) -> Cost:
    """Run a command of curate, on its first ``cores`` cores if that is not 0, by the code of a checkout if given."""

    def pin() -> None:
        if cores:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])

    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [*CURATE, *map(str, arguments), "-q"],
        preexec_fn=pin,
        stdout=subprocess.DEVNULL,
        cwd=checkout,
        env=os.environ | ({"PYTHONPATH": str(checkout)} if checkout else {}),
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 2):
        raise SystemExit(f"curate {arguments[0]} ended with {done.returncode}")
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def figures_by_stage(workspace: Path) -> dict[str, Counter[str]]:
    """Figures of the outcomes of each stage, summed over the videos."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for (_, stage), record in read_ledger(workspace / "ledger").items():
        if record.last.outcome in ("done", "dropped"):
            found[stage].update({name: int(value) for name, value in record.last.figures.items()})
    return found


def costs_of_stages(videos: Path, workspace: Path, checkout: Path | None = None) -> dict[str, Cost]:
    """Seconds of each stage after the download, run one by one in a fresh workspace."""
    shutil.rmtree(workspace, ignore_errors=True)
    curate("download", videos.resolve(), "-w", workspace.resolve(), checkout=checkout)
    stages = [name for name in open_session(workspace, write=False).pipeline.specs if name != "download"]
    return {stage: curate(stage, "-w", workspace.resolve(), checkout=checkout) for stage in stages}


def print_costs(costs: dict[str, Cost], seen: dict[str, Counter[str]]) -> None:
    """Print what each stage cost and what it and its networks saw."""
    sampled = max(seen["sample"]["frames"], 1)
    print(f"{sampled} sampled frames\nstage       CPU s a sampled frame   wall s   share of frames looked at")
    for stage, cost in costs.items():
        print(
            f"{stage:<10}  {cost.cpu / sampled:>21.4f}   {cost.wall:>6.1f}   {seen[stage]['frames'] / sampled:>25.2f}"
        )
    print(f"together    {sum(cost.cpu for cost in costs.values()) / sampled:>21.4f}")
    for stage, network, frames, tiles in NETWORKS:
        if frames in seen[stage]:
            shown = f", {seen[stage][tiles] / PICTURE / sampled:.2f} of the picture" if tiles else ""
            print(f"  {network}: {seen[stage][frames] / sampled:.2f} of the frames{shown}")


def compare(videos: Path, work: Path, checkout: Path) -> None:
    """Measure and print the stages of this code and of another checkout."""
    own = costs_of_stages(videos, work / "own")
    other = costs_of_stages(videos, work / "other", checkout.resolve())
    for title, folder, costs in ((f"{checkout}:", "other", other), ("\nthis code:", "own", own)):
        print(title)
        print_costs(costs, figures_by_stage(work / folder))
    print("\nstage       CPU s of this code over those of the other")
    for stage in sorted(own.keys() & other.keys(), key=list(own).index):
        print(f"{stage:<10}  {own[stage].cpu / other[stage].cpu:.2f}")
    pair = [sum(costs[stage].cpu for stage in ("mask", "audit")) for costs in (own, other)]
    print(f"mask, audit {pair[0] / pair[1]:.2f}")
    whole = [sum(cost.cpu for cost in costs.values()) for costs in (own, other)]
    print(f"together    {whole[0] / whole[1]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="?", help="folder of videos; rendered ones if not given")
    parser.add_argument("--work", type=Path, help="folder to work in, kept; a temporary one if not given")
    parser.add_argument("--formats", default="parquet,lmdb", help="formats to export")
    parser.add_argument("--against", type=Path, help="checkout of another version, whose stages are run as well")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        videos = given.videos or rendered(work / "videos")
        load = os.getloadavg()[0]
        if given.against:
            compare(videos, work, given.against)
        else:
            measure(videos, work, given.formats)
        print(f"\nload before {load:.1f}, after {os.getloadavg()[0]:.1f}, {usable_cores()} cores")


def rendered(folder: Path) -> Path:
    """Four demonstration videos."""
    script = Path(__file__).with_name("render_demo.py")
    for index in range(2):
        subprocess.run([sys.executable, script, folder / str(index)], check=True, stdout=subprocess.DEVNULL)
    return folder


def measure(videos: Path, work: Path, formats: str) -> None:
    """Measure and print everything."""
    alone, whole = work / "alone", work / "whole"
    for folder in (alone, whole):
        shutil.rmtree(folder, ignore_errors=True)
    fetch = curate("download", videos, "-w", alone)
    stages = [name for name in open_session(alone, write=False).pipeline.specs if name != "download"]
    rest = curate("run", "-w", alone, "--until", stages[-1])
    both = curate("run", videos, "-w", whole, "--until", stages[-1])
    slowest = max(fetch.wall, rest.wall)
    print(f"download alone {fetch.wall:.1f} s, the other stages alone {rest.wall:.1f} s, one run {both.wall:.1f} s:")
    print(f"  {slowest / both.wall:.2f} of the slowest lane alone (aim: 0.8)")

    print()
    print_costs(costs_of_stages(videos, work / "staged"), figures_by_stage(work / "staged"))

    print("\nexports: " + formats)
    for cores in sorted({1, 2, usable_cores()}):
        if cores <= usable_cores():
            shutil.rmtree(whole / "exports", ignore_errors=True)
            cost = curate("export", "-w", whole, "--formats", formats, cores=cores)
            print(f"  on {cores} cores: {cost.wall:.1f} s wall, {cost.cpu:.1f} s CPU")


if __name__ == "__main__":
    main()
