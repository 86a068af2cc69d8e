"""What each further video costs: a corpus of made videos through everything, at several sizes.

    python scripts/bench_corpus.py --sizes 500,1000,2000,4194 --scratch /tmp/bench-corpus --output corpus.md

The videos are links to a few made clips of two seconds, which go through every stage that is on by default with its
networks for regions and identities switched off, so that what is measured is mostly the bookkeeping: the scheduler, the
ledger, the files. For each size a new workspace is run, exported, asked for its status, run again with nothing to do,
and one video is purged. Told are seconds by the clock, and of the processor where it is named, for the process that the
user starts (its workers not among them), and its resident memory; below, what a further video costs between the
smallest and the largest size.

With ``--made`` the workspaces are made without running the stages (`made_workspace`), which takes seconds, and
``status``, ``plan`` and a run with nothing to do are measured: the least seconds of the processor of some repeats, each
with the seconds by the clock and the most memory of that repeat.

    python scripts/bench_corpus.py --made --sizes 2000,4194,10000 --scratch /tmp/bench-made --output made.md

On a busy machine only the processor's seconds mean something.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

CLIPS = 4
"""Made clips that the videos are links to."""

FLAGS = ("--no-audit-faces", "--no-audit-text", "--mask-detector", "none", "--no-mask-overlays")
FORMATS = ("--formats", "parquet,lmdb,webdataset")

CURATE = (sys.executable, "-c", "from curate.cli import main\nif __name__ == '__main__': main()")

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Cost:
    """What one command took.

    Attributes:
        wall: Seconds by the clock.
        cpu: Seconds of the processor, of the process itself.
        memory: MB resident, at most.
        early: MB resident when a quarter of the time was over.
    """

    wall: float
    cpu: float
    memory: float
    early: float


@dataclass(frozen=True)
class Row:
    """One size; costs of the commands."""

    videos: int
    run: Cost
    export: Cost
    status: Cost
    resume: Cost
    purge: Cost


@dataclass(frozen=True)
class MadeRow:
    """One size of a made workspace; costs of the commands that do nothing."""

    videos: int
    status: Cost
    plan: Cost
    resume: Cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="500,1000,2000,4194", help="numbers of videos (500,1000,2000,4194)")
    parser.add_argument("--scratch", type=Path, required=True, help="new folder to work in; removed at the end")
    parser.add_argument("--output", type=Path, help="file for the table")
    parser.add_argument("--made", action="store_true", help="workspaces made without running the stages")
    parser.add_argument("--repeats", type=int, default=5, help="with --made: how often each command is run (5)")
    arguments = parser.parse_args()
    arguments.scratch.mkdir(parents=True)
    rows: list[Row | MadeRow] = []
    try:
        if not arguments.made:
            make_clips(arguments.scratch)
        for count in map(int, arguments.sizes.split(",")):
            if arguments.made:
                rows.append(measure_made(arguments.scratch, count, arguments.repeats))
            else:
                rows.append(measure(arguments.scratch, count))
            print(table(rows), flush=True)
    finally:
        shutil.rmtree(arguments.scratch)
    if arguments.output:
        arguments.output.write_text(table(rows) + "\n")


def make_clips(folder: Path) -> None:
    """Clips of two seconds of drawn surgery."""
    import numpy as np
    import render_demo

    for i in range(CLIPS):
        render_demo.encode(folder / f"clip{i}.mp4", render_demo.surgery(np.random.default_rng(i), 2))


def measure(scratch: Path, count: int) -> Row:
    """One corpus of ``count`` videos through everything."""
    source, workspace = scratch / f"in{count}", scratch / f"w{count}"
    source.mkdir()
    for i in range(count):
        os.link(scratch / f"clip{i % CLIPS}.mp4", source / f"made-video-{i:05d}.mp4")
    at = ("-w", str(workspace), "-q")
    row = Row(
        count,
        run=cost("run", str(source), *at, *FLAGS, "--trim-min-run", "1", "--trim-min-change", "0", "--until", "audit"),
        export=cost("export", *at, *FORMATS),
        status=cost("status", *at),
        resume=cost("run", *at),
        purge=cost("purge", *at, "--id", f"made-video-{count // 2:05d}", "--yes"),
    )
    shutil.rmtree(workspace)
    shutil.rmtree(source)
    return row


def measure_made(scratch: Path, count: int, repeats: int) -> MadeRow:
    """A made workspace of ``count`` videos asked what there is to do."""
    workspace = scratch / f"made{count}"
    # In a process of its own: the memory of this one would count as that of all that it starts.
    script = Path(__file__).with_name("made_workspace.py")
    subprocess.run([sys.executable, str(script), str(workspace), "--videos", str(count)], check=True)
    at = ("-w", str(workspace), "-q")
    row = MadeRow(
        count,
        status=least("status", *at, scratch=scratch, repeats=repeats),
        plan=least("plan", *at, scratch=scratch, repeats=repeats),
        resume=least("run", *at, "--until", "audit", scratch=scratch, repeats=repeats),
    )
    shutil.rmtree(workspace)
    return row


def least(*words: str, scratch: Path, repeats: int) -> Cost:
    """Run a command some times, with its modules compiled, and give what took the processor the least.

    Args:
        words: The command.
        scratch: Folder for the compiled modules.
        repeats: How often, beside once to compile them.

    Raises:
        RuntimeError: It did not end with 0.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(scratch / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    found = []
    for _ in range(repeats + 1):
        started = time.monotonic()
        process = subprocess.Popen([*CURATE, *words], stdout=subprocess.DEVNULL, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"curate {' '.join(words)} ended with {process.returncode}")
        memory = used.ru_maxrss * 1024 / 1e6
        found.append(Cost(time.monotonic() - started, used.ru_utime + used.ru_stime, memory, memory))
    return min(found[1:], key=lambda cost: cost.cpu)


def cost(*words: str) -> Cost:
    """Run a command and look at its process, some times a second, until it ends.

    Raises:
        RuntimeError: It did not end with 0.
    """
    started = time.monotonic()
    process = subprocess.Popen([*CURATE, *words], stdout=subprocess.DEVNULL)
    cpu, seen = 0.0, [(0.0, 0.0)]
    while process.poll() is None:
        try:
            values = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            break
        if values[0] != "Z":
            cpu = (int(values[11]) + int(values[12])) / TICKS
            seen.append((time.monotonic() - started, int(values[21]) * PAGE / 1e6))
        time.sleep(0.05)
    wall = time.monotonic() - started
    if process.wait() != 0:
        raise RuntimeError(f"curate {' '.join(words)} ended with {process.returncode}")
    early = [memory for moment, memory in seen if moment <= wall / 4]
    return Cost(wall, cpu, max(memory for _, memory in seen), early[-1])


def table(rows: Sequence[Row | MadeRow]) -> str:
    """Markdown: a row a size, and what a further video costs."""
    names = [field.name for field in fields(rows[0]) if field.name != "videos"]
    grows = "run" in names
    head = ["videos", *(f"{name}: s, CPU s, MB" for name in names)]
    head += ["memory of run: after a quarter, at most"] if grows else []
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        costs = [getattr(row, name) for name in names]
        cells = [f"{c.wall:.1f}, {c.cpu:.2f}, {c.memory:.0f}" for c in costs]
        cells += [f"{row.run.early:.0f}, {row.run.memory:.0f}"] if isinstance(row, Row) else []
        lines.append("| " + " | ".join([str(row.videos), *cells]) + " |")
    if len(rows) > 1:
        first, last = rows[0], rows[-1]
        further = last.videos - first.videos
        cells = []
        for name in names:
            a, b = getattr(first, name), getattr(last, name)
            slopes = [(b.wall - a.wall), (b.cpu - a.cpu), (b.memory - a.memory)]
            wall, cpu, memory = (slope / further * 1000 for slope in slopes)
            cells.append(f"{wall:.2f} ms, {cpu:.3f} ms, {memory:.1f} kB")
        cells += [""] if grows else []
        lines.append("| " + " | ".join(["each further", *cells]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
