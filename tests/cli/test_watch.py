"""``curate status --watch`` as a process of its own, while a workspace changes under it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curate.cli import run_command
from curate.cli import watch as watching
from curate.report.funnel import Funnel
from curate.run.pipeline import Pipeline
from tests.finished import make_finished
from tests.run.processes import end, start

WATCH = ("status", "--watch", "0.2", "-w")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_finished(tmp_path / "w", {name: f"https://example.org/{name}.mp4" for name in ("one", "two")}, ["lmdb"])


def test_a_watch_prints_a_line_for_each_change_and_ends_when_nothing_is_pending(workspace: Path) -> None:
    frames = workspace / "frames" / "one.parquet"
    aside = frames.rename(workspace / "frames" / "aside.parquet")
    watch = start(*WATCH, workspace)
    assert watch.stdout is not None
    assert watch.stdout.readline().rstrip().endswith("2 videos: 1 complete, 0 dropped, 0 failed, pending: sample 1")
    time.sleep(0.5)
    assert watch.poll() is None
    aside.rename(frames)
    code, said = end(watch)
    assert code == 0 and said.count("\n") == 1
    assert said.rstrip().endswith("2 videos: 2 complete, 0 dropped, 0 failed, pending: none")


def test_what_other_processes_append_is_seen(workspace: Path) -> None:
    (ledger,) = (workspace / "ledger").glob("*.jsonl")
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    watch = start(*WATCH, workspace)
    assert watch.stdout is not None and "pending: audit 1" in watch.stdout.readline()
    with ledger.open("ab") as stream:
        stream.write(lines[-1][20:])
    code, said = end(watch)
    assert code == 0 and said.rstrip().endswith("pending: none")


def test_an_interrupted_watch_exits_130_and_a_closed_pipe_ends_it(workspace: Path) -> None:
    (workspace / "frames" / "one.parquet").unlink()
    watch = start(*WATCH, workspace)
    assert watch.stdout is not None and watch.stdout.readline()
    watch.send_signal(signal.SIGINT)
    code, _ = end(watch)
    assert code == 130
    watch = start(*WATCH, workspace)
    assert watch.stdout is not None and watch.stdout.readline()
    watch.stdout.close()
    assert watch.wait(120) == 0


def test_a_terminal_is_redrawn_in_place(workspace: Path) -> None:
    (workspace / "frames" / "one.parquet").unlink()
    terminal, other = pty.openpty()
    code = "from curate.cli import main; main()"
    watch = subprocess.Popen([sys.executable, "-c", code, *WATCH, str(workspace)], stdout=other, stderr=other)
    os.close(other)
    shown = b""
    drawn = select.poll()
    drawn.register(terminal, select.POLLIN)
    while shown.count(b"\x1b[H") < 2 and drawn.poll(60_000):
        shown += os.read(terminal, 4096)
    watch.send_signal(signal.SIGINT)
    assert watch.wait(120) == 130
    os.close(terminal)
    assert b"stage     done  dropped  failed  pending" in shown


def test_a_watch_shows_the_funnel_only(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([*WATCH, str(workspace), "--json"]) == 1
    assert "leave --json and --missing out" in capsys.readouterr().err


def test_a_watch_rests_longer_where_a_look_takes_long(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "frames" / "one.parquet").unlink()
    look, pauses = watching.funnel, []

    def slow(pipeline: Pipeline) -> Funnel:
        time.sleep(1.0 if not pauses else 0)
        return look(pipeline)

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(watching, "funnel", slow)
    monkeypatch.setattr(watching, "_pause", pause)
    with pytest.raises(KeyboardInterrupt):
        watching.watch_funnel(workspace, 2.0)
    assert pauses[0] >= 3.0 and pauses[1] == 2.0
