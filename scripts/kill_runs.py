"""Kill runs at random instants and hold what comes of them against a run that nobody disturbed.

    python scripts/kill_runs.py [--kills 50] [--minutes 20] [--seed 14] [--engine local|ray] [--output kills.md]

A few seconds of video are rendered and curated once undisturbed. Then, again and again, a workspace is run, killed with
SIGKILL (the parent, one worker, or the whole process group, while stages run or exports are written, whole or under
``--shard``), run again, killed again, and at last run to its end. It must come to byte-identical exports, a ledger in
which the attempts of each (video, stage) are numbered without a gap, and no file left over. The table counts kills by
victim and by what was at work.

Exit code: 0 if every workspace passed, 2 if any did not.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import render_demo

from curate.workspace.events import Event

VICTIMS = ("parent", "worker", "group")
FORMATS = ("--export-formats", "folders,lmdb,webdataset")
CHEAP = ("--no-audit-faces", "--no-audit-text", "--mask-detector", "none")
"""Less work a video, so that more kills fit into the time; what is written goes the same ways."""

LONGEST = 600
"""Seconds after which a run that goes on to its end is taken for hung."""


@dataclass
class Tally:
    """What was done and seen.

    Attributes:
        kills: By victim and by what was at work: ``stages``, ``exports``, or ``done`` if it was faster.
        workspaces: Workspaces that were run to their end.
        faults: What was wrong, in words; empty if nothing was.
    """

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    workspaces: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def hits(self) -> int:
        """Kills that met something at work."""
        return sum(count for (_, what), count in self.kills.items() if what != "done")

    def table(self) -> str:
        """Markdown: kills by victim and by what was at work, and the verdict."""
        at_work = ("stages", "exports", "done")
        lines = ["| killed | during stages | during exports | it was faster |", "|---|---|---|---|"]
        for victim in VICTIMS:
            lines.append(f"| {victim} | " + " | ".join(str(self.kills[victim, what]) for what in at_work) + " |")
        verdict = f"{self.hits} kills over {self.workspaces} workspaces, {len(self.faults)} faults"
        return "\n".join([*lines, "", verdict, *(f"- {fault}" for fault in self.faults)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="how many (50)")
    parser.add_argument("--minutes", type=float, default=20.0, help="no new workspace is begun after this (20)")
    parser.add_argument("--seed", default="14", help="of the random instants and victims (14)")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="which engine runs the stages")
    parser.add_argument("--output", type=Path, help="file for the table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="curate-kills-") as folder:
        tally = kill_runs(Path(folder), arguments.kills, arguments.minutes * 60, arguments.seed, arguments.engine)
    print(tally.table())
    if arguments.output:
        arguments.output.write_text(tally.table() + "\n")
    sys.exit(2 if tally.faults else 0)


def kill_runs(folder: Path, kills: int, seconds: float, seed: str, engine: str = "local") -> Tally:
    """Make so many kills, as far as the time goes.

    Args:
        folder: Empty; everything is made in it.
        kills: How many processes to kill at work.
        seconds: Time after which no further workspace is begun.
        seed: Of the random numbers.
        engine: Value of ``--engine``.
    """
    rng, tally, started = random.Random(seed), Tally(), time.monotonic()
    source = folder / "videos"
    source.mkdir()
    for i in range(3):
        frames = [
            *render_demo.slide(["A title"], 1),
            *render_demo.surgery(np.random.default_rng(i), 4),
            *render_demo.slide(["End"], 1),
        ]
        render_demo.encode(source / f"v{i}.mp4", frames)
    render_demo.encode(source / "slides.mp4", render_demo.slide(["A title"], 2))
    flags = [*FORMATS, *CHEAP, "--engine", engine]
    begun = time.monotonic()
    code, said = finish(command("run", source, "-w", folder / "undisturbed", *flags))
    length = time.monotonic() - begun
    if code != 0:
        tally.faults.append(f"the undisturbed run ended with {code}: {said[-500:]}")
        return tally
    wanted = contents(folder / "undisturbed" / "exports")
    while tally.hits < kills:
        if time.monotonic() - started > seconds:
            break
        workspace = folder / f"w{tally.workspaces}"
        told = len(tally.faults)
        for _ in range(rng.randint(1, 4)):
            shard = ["--shard", f"{rng.randrange(2)}/2"] if rng.random() < 0.3 else []
            process = command("run", source, "-w", workspace, *flags, *shard)
            wait(process, workspace, rng, length)
            victim = rng.choice(VICTIMS)
            tally.kills[victim, kill(process, workspace, victim, rng)] += 1
            if "Traceback" in finish(process)[1]:
                tally.faults.append(f"a traceback in {workspace.name} after a kill of the {victim}")
        code, said = 1, ""
        for _ in range(3):  # one whose worker was killed thrice has used up its tries for this run
            code, said = finish(command("run", source, "-w", workspace, *flags))
            if code == 0:
                break
        tally.faults += [f"{workspace.name}: {fault}" for fault in faults_of(workspace, code, said, wanted)]
        tally.workspaces += 1
        shutil.rmtree(workspace)
        print(f"{tally.hits} kills, {tally.workspaces} workspaces, {len(tally.faults)} faults", flush=True)
        for fault in tally.faults[told:]:
            print(f"- {fault}", flush=True)
    return tally


def command(*words: str | Path) -> subprocess.Popen[str]:
    """Start a command of curate in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from curate.cli import main\nif __name__ == '__main__': main()", *map(str, words)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and everything that was said; one that hangs is ended, with the code of that."""
    try:
        said, _ = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        return 124, f"hung after {LONGEST} s; {said}"
    return process.returncode, said


def wait(process: subprocess.Popen[str], workspace: Path, rng: random.Random, length: float) -> None:
    """Wait for a random instant of a run of about ``length`` seconds; in a third of the cases, of its exports."""
    until = time.monotonic() + rng.uniform(0.05, 1.0) * length
    exports = rng.random() < 1 / 3
    while process.poll() is None and time.monotonic() < until + (length if exports else 0):
        if exports and list((workspace / "exports").glob(".*")):
            time.sleep(rng.uniform(0, 0.2))
            return
        time.sleep(0.01)


def kill(process: subprocess.Popen[str], workspace: Path, victim: str, rng: random.Random) -> str:
    """Kill the parent alone, one worker, or the whole group; returns what was at work then."""
    if process.poll() is not None:
        return "done"
    at_work = "exports" if list((workspace / "exports").glob(".*")) else "stages"
    with contextlib.suppress(ProcessLookupError):
        if victim == "group":
            os.killpg(process.pid, signal.SIGKILL)
        elif victim == "parent":
            process.kill()
        elif workers := workers_of(process.pid):
            os.kill(rng.choice(workers), signal.SIGKILL)
        else:
            return "done"
    return at_work


def workers_of(pid: int) -> list[int]:
    """Processes that a process started."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def faults_of(workspace: Path, code: int, said: str, wanted: dict[str, str]) -> list[str]:
    """What is wrong with a workspace that was run to its end."""
    if code != 0:
        errors = [line for line in said.splitlines() if line.startswith("error")]
        return [f"the last run ended with {code}: {' '.join(errors)}; its last words: {said[-500:]}"]
    found = contents(workspace / "exports")
    names = sorted(found.keys() | wanted.keys())
    faults = [f"exports/{name} differs" for name in names if found.get(name) != wanted.get(name)]
    left = [path for path in workspace.rglob(".*") if not path.name.startswith((".lock", ".workers"))]
    faults += [f"{path.relative_to(workspace)} is left over" for path in left]
    attempts: dict[tuple[str, str], list[int]] = {}
    for path in (workspace / "ledger").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            if line.endswith("}"):
                event = Event.from_json(line)
                attempts.setdefault((event.video, event.stage), []).append(event.attempt)
    for (video, stage), numbers in attempts.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            faults.append(f"the attempts at {stage} of {video} are {sorted(numbers)}")
    return faults


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, by its path, but LMDB's table of readers."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock.mdb"
    }


if __name__ == "__main__":
    main()
