from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curate.engine import Halt
from curate.engine.child import describe_exit
from curate.errors import CurateError
from curate.records import Reason
from curate.stage import Stage
from curate.workspace.ledger import read_ledger
from tests.engine.bench import Bench
from tests.engine.stages import Behave, DiesInSetup, Fetch, NoSetup, SlowAfter, Unready


def test_videos_go_down_the_stages_depth_first_and_artefacts_are_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path).run("", "")
    assert bench.order == [("v0", "behave"), ("v0", "after"), ("v1", "behave"), ("v1", "after")]
    assert (tmp_path / "after" / "v1.txt").read_text() == "v1\nv1\n"
    assert bench.event("v0").artefact == "v0.txt"
    assert bench.event("v0").figures == {"lines": 1}
    assert not list(tmp_path.glob("*/.*tmp*"))


@pytest.mark.parametrize(
    ("title", "reason", "said"),
    [
        ("abort", Reason.CRASHED, "SIGABRT"),
        ("hang", Reason.TIMED_OUT, "no progress for 3 s"),
        ("memory", Reason.OUT_OF_MEMORY, "MiB of memory"),
        ("raise", Reason.ERROR, r"ValueError: a hidden fault \(stages.py:\d+\)"),
    ],
)
def test_a_bad_video_costs_only_itself(tmp_path: Path, title: str, reason: Reason, said: str) -> None:
    seconds = 3.0 if title == "hang" else 60.0
    bench = Bench(tmp_path, workers=2, silence=seconds, worker_memory=600).run("", title, "", "")
    event = bench.event("v1")
    assert (event.outcome, event.reason, event.retryable) == ("failed", reason, True)
    assert re.search(said, event.detail)
    assert [bench.event(v, "after").outcome for v in ("v0", "v2", "v3")] == ["done"] * 3
    assert ("v1", "after") not in bench.answers


def test_a_dropped_video_goes_no_further(tmp_path: Path) -> None:
    bench = Bench(tmp_path).run("drop")
    assert (bench.event("v0").outcome, bench.event("v0").reason) == ("dropped", Reason.NOT_SURGICAL)
    assert ("v0", "after") not in bench.answers


@pytest.mark.parametrize(("title", "said"), [("halt", "wrong for every video"), ("disk", "No space left on device")])
def test_a_halt_stops_the_stage_and_leaves_videos_pending(tmp_path: Path, title: str, said: str) -> None:
    bench = Bench(tmp_path).run("", title, "", "")
    halt = bench.answers["v1", "behave"]
    assert isinstance(halt, Halt) and said in halt.message
    assert set(read_ledger(tmp_path / "ledger")) == {("v0", "behave"), ("v0", "after")}
    assert ("v2", "behave") not in bench.answers


@pytest.mark.parametrize(("stage", "title"), [(NoSetup, ""), (Behave, "mend")])
def test_what_the_user_can_mend_ends_the_run(tmp_path: Path, stage: type[Stage], title: str) -> None:
    with pytest.raises(CurateError, match=r"pull them|can mend"):
        Bench(tmp_path, stage=stage).run(title, "")
    assert not read_ledger(tmp_path / "ledger")


def test_a_long_video_that_gets_on_is_left_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, silence=2.0).run("long")
    assert bench.event("v0").outcome == "done"
    assert bench.event("v0").seconds > 4


def test_two_workers_that_stop_a_stage_say_so_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, workers=2).run("halt", "halt", "halt", "halt")
    assert [halt.message for halt in bench.halts()] == ["wrong for every video"]


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (Unready, r"cannot be set up: ValueError: the weights are not what they were \(stages.py:\d+\)"),
        (DiesInSetup, "SIGABRT, while it was set up"),
    ],
)
def test_a_stage_that_cannot_be_set_up_stops_and_burns_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], stage: type[Stage], said: str
) -> None:
    bench = Bench(tmp_path, stage=stage, workers=2).run(*[""] * 20)
    (halt,) = bench.halts()
    assert re.search(said, halt.message)
    assert not read_ledger(tmp_path / "ledger")
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("library", "libcuda.so.1"),
        ("cuda", "CUDA out of memory"),
        ("files", "Too many open files"),
        ("threads", "can't start new thread"),
    ],
)
def test_faults_of_the_machine_stop_the_stage_and_burn_nothing(tmp_path: Path, title: str, said: str) -> None:
    bench = Bench(tmp_path).run(*[title] * 20)
    (halt,) = bench.halts()
    assert said in halt.message and "3 times in a row" in halt.message
    assert not read_ledger(tmp_path / "ledger")


def test_one_video_that_the_device_cannot_hold_costs_only_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path).run("", "cuda", "", "cuda once", "")
    assert not bench.halts()
    assert bench.event("v1").reason is Reason.OUT_OF_MEMORY
    assert [bench.event(f"v{i}").outcome for i in (0, 2, 3, 4)] == ["done"] * 4


def test_many_crashes_in_a_row_stop_the_stage(tmp_path: Path) -> None:
    bench = Bench(tmp_path, workers=2).run(*["raise"] * 30)
    (halt,) = bench.halts()
    assert "10 in a row failed" in halt.message and "a hidden fault" in halt.message
    assert len(read_ledger(tmp_path / "ledger")) == 9


def test_workers_are_replaced_after_some_videos_and_after_trouble(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.mkdir()
    Bench(tmp_path, trace=str(trace), worker_tasks=4).run("", "", "raise", "", "")
    by_video = sorted(path.name.split("-")[:2] for path in trace.iterdir())
    workers = [worker for _, worker in by_video]
    assert workers[0] == workers[1] != workers[2] != workers[3] == workers[4] != workers[0]


def test_the_paced_lane_waits_for_the_others(tmp_path: Path) -> None:
    order = Bench(tmp_path, stage=Fetch, after=SlowAfter, ahead=2).run(*[""] * 12).order
    assert len(order) == 24
    ahead = [sum(1 if stage == "behave" else -1 for _, stage in order[:end]) for end in range(1, 25)]
    assert 2 <= max(ahead) <= 4  # two wait, one is with its worker, one was under way when the second began to wait


def test_the_paced_lane_waits_while_the_disk_is_short_and_others_are_at_work(tmp_path: Path) -> None:
    order = Bench(tmp_path, stage=Fetch, after=SlowAfter, reserve=1e9).run("", "", "").order
    assert order == [(f"v{i}", stage) for i in range(3) for stage in ("behave", "after")]


RUN_AND_WAIT = """
import sys
from pathlib import Path
from tests.engine.bench import Bench
if __name__ == "__main__":
    Bench(Path(sys.argv[1]), workers=2, trace=sys.argv[2]).run("hang", "hang")
"""


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(RUN_AND_WAIT)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    trace = tmp_path / "trace"
    trace.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path), str(trace)], env=environment, cwd=root)
    try:
        tries = _wait_for(lambda: found if len(found := list(trace.iterdir())) == 2 else None)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    workers = [path.name.split("-")[1] for path in tries]
    assert len(set(workers)) == 2
    assert _wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


HEARS_AND_GOES_ON = """
import signal
import sys
from pathlib import Path
from tests.engine.bench import Bench

if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: None)
    print("ready", flush=True)
    print(Bench(Path(sys.argv[1]), workers=2).run("", "").order, flush=True)
"""


def test_signals_for_the_parent_do_not_touch_workers_even_while_they_start(tmp_path: Path) -> None:
    """Ctrl-C reaches the whole group of processes."""
    script = tmp_path / "run.py"
    script.write_text(HEARS_AND_GOES_ON)
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None and parent.stdout.readline() == "ready\n"
    while parent.poll() is None and not select.select([parent.stdout], [], [], 0.02)[0]:
        os.killpg(parent.pid, signal.SIGINT)
    done, said = parent.communicate()
    assert parent.returncode == 0 and "Traceback" not in said, said
    assert done.count("'after'") == 2


def _wait_for(condition, seconds: float = 120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def test_exits_are_put_in_words() -> None:
    assert describe_exit(-9).startswith("the worker process was killed by SIGKILL (often")
    assert describe_exit(3) == "the worker process ended with code 3"
