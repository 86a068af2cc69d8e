"""A whole run against its slowest lane alone, and what each stage costs.

    python scripts/bench_pipeline.py                       # four rendered videos
    python scripts/bench_pipeline.py FOLDER --work FOLDER  # one's own videos; the work is kept

Four figures:

- End to end: wall time of the download alone and of all other stages alone, the slower of them divided by that of one
  run that does both. 1 would be a download that costs nothing beside the rest; the aim is 0.8.
- CPU seconds a sampled frame of each stage, start of its workers included: user and system time of ``curate STAGE``.
- The share of the sampled frames that each stage looked at.
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
from pathlib import Path
from typing import NamedTuple

from curate.files.machine import usable_cores
from curate.run.session import open_session
from curate.workspace.ledger import read_ledger

CURATE = [sys.executable, "-c", "from curate.cli import main; main()"]


class Cost(NamedTuple):
    """Seconds of one command."""

    wall: float
    cpu: float


def curate(*arguments: str | Path, cores: int = 0) -> Cost:
    """Run a command of curate, on its first ``cores`` cores if that is not 0."""

    def pin() -> None:
        if cores:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])

    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([*CURATE, *map(str, arguments), "-q"], preexec_fn=pin, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 2):
        raise SystemExit(f"curate {arguments[0]} ended with {done.returncode}")
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def frames_by_stage(workspace: Path) -> dict[str, int]:
    """Frames that each stage looked at, as its outcomes say."""
    found: dict[str, int] = {}
    for (_, stage), record in read_ledger(workspace / "ledger").items():
        if record.last.outcome in ("done", "dropped"):
            found[stage] = found.get(stage, 0) + int(record.last.figures.get("frames", 0))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="?", help="folder of videos; rendered ones if not given")
    parser.add_argument("--work", type=Path, help="folder to work in, kept; a temporary one if not given")
    parser.add_argument("--formats", default="parquet,lmdb", help="formats to export")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        videos = given.videos or rendered(work / "videos")
        load = os.getloadavg()[0]
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
    staged = work / "staged"
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(alone, staged, symlinks=True)
    rest = curate("run", "-w", alone, "--until", stages[-1])
    both = curate("run", videos, "-w", whole, "--until", stages[-1])
    slowest = max(fetch.wall, rest.wall)
    print(f"download alone {fetch.wall:.1f} s, the other stages alone {rest.wall:.1f} s, one run {both.wall:.1f} s:")
    print(f"  {slowest / both.wall:.2f} of the slowest lane alone (aim: 0.8)")

    costs = {stage: curate(stage, "-w", staged) for stage in stages}
    seen = frames_by_stage(staged)
    sampled = max(seen.get("sample", 0), 1)
    print(f"\n{sampled} sampled frames\nstage       CPU s a sampled frame   wall s   share of frames looked at")
    for stage, cost in costs.items():
        share = f"{seen.get(stage, 0) / sampled:.2f}"
        print(f"{stage:<10}  {cost.cpu / sampled:>21.4f}   {cost.wall:>6.1f}   {share:>25}")
    print(f"together    {sum(cost.cpu for cost in costs.values()) / sampled:>21.4f}")

    print("\nexports: " + formats)
    for cores in sorted({1, 2, usable_cores()}):
        if cores <= usable_cores():
            shutil.rmtree(whole / "exports", ignore_errors=True)
            cost = curate("export", "-w", whole, "--formats", formats, cores=cores)
            print(f"  on {cores} cores: {cost.wall:.1f} s wall, {cost.cpu:.1f} s CPU")


if __name__ == "__main__":
    main()
