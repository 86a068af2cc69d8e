"""Kills at random instants: whatever is hit, a rerun ends with the bytes of a run that nobody disturbed.

``CURATE_KILLS`` says how many kills are made; without it a few.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from curate.cli import run_command
from curate.workspace.ledger import Event
from tests.rendered import render_operation, render_slides
from tests.run.processes import end, run, start
from tests.run.test_healing import contents

KILLS = int(os.environ.get("CURATE_KILLS", "6"))
FORMATS = ("--export-formats", "folders,lmdb,webdataset")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for i in range(3):
        render_operation(folder / f"v{i}.mp4", before=1, surgery=4, after=1, seed=i)
    render_slides(folder / "slides.mp4", seconds=2)
    return folder


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("undisturbed") / "w"
    assert run_command(["run", str(source), "-w", str(workspace), *FORMATS]) == 0
    return workspace


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in children.read_text().split()] if children.exists() else []


def kill(process, victim: str, rng: random.Random) -> None:
    """Kill the parent alone, one worker, or the whole group."""
    try:
        if victim == "group":
            os.killpg(process.pid, signal.SIGKILL)
        elif victim == "parent":
            process.kill()
        elif workers := workers_of(process.pid):
            os.kill(rng.choice(workers), signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        pass  # it was faster


def check(workspace: Path, undisturbed: Path) -> None:
    """The bytes of an undisturbed run, a ledger that adds up, and nothing left over."""
    assert contents(workspace / "exports") == contents(undisturbed / "exports")
    left = [p.name for p in workspace.rglob(".*") if not p.name.startswith((".lock", ".workers"))]
    assert left == []
    attempts: dict[tuple[str, str], list[int]] = {}
    for path in (workspace / "ledger").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            if line.endswith("}"):
                event = Event.from_json(line)
                attempts.setdefault((event.video, event.stage), []).append(event.attempt)
    for numbers in attempts.values():
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


@pytest.mark.slow
@pytest.mark.timeout(36_000)
def test_kills_at_random_instants_change_no_byte(source: Path, undisturbed: Path, tmp_path: Path) -> None:
    rng = random.Random(os.environ.get("CURATE_SEED", "14"))
    made = 0
    while made < KILLS:
        workspace = tmp_path / f"w{made}"
        arguments = ("run", source, "-w", workspace, *FORMATS)
        for _ in range(rng.randint(1, 4)):
            victim = rng.choice(["parent", "worker", "group"])
            sharded = rng.random() < 0.3
            shard = ("--shard", f"{rng.randrange(2)}/2") if sharded else ()
            process = start(*arguments, *shard)
            time.sleep(rng.choice([rng.uniform(0.5, 3), rng.uniform(2, 14)]))
            kill(process, victim, rng)
            made += 1
            end(process)
        for _ in range(2):  # a worker that was killed thrice over one video has used up that video's tries
            code, said = run(*arguments)
            if code == 0:
                break
        assert code == 0, said
        check(workspace, undisturbed)
        shutil.rmtree(workspace)
        print(f"{made} kills", flush=True)
