from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from curate.engine.local import Limits, LocalEngine, describe_exit
from curate.engine.task import Answer, Halt, StageSpec, Task
from curate.errors import CurateError
from curate.records import Reason, Video
from curate.stage import Files, Stage
from curate.workspace.ledger import Event, read_ledger
from tests.engine.stages import After, Behave, NoSetup, Nothing


class Bench:
    """An engine over a folder, and everything it answered."""

    def __init__(
        self,
        root: Path,
        *,
        workers: int = 1,
        seconds: float = 60,
        memory: int = 2 << 30,
        stage: type[Stage] = Behave,
        trace: str = "",
    ) -> None:
        self.root = root
        self.answers: dict[tuple[str, str], Answer] = {}
        self.order: list[tuple[str, str]] = []
        for name in ("ledger", "behaved", "after"):
            (root / name).mkdir(exist_ok=True)
        self.engine = LocalEngine(
            {"behave": StageSpec(stage, Nothing(trace=trace)), "after": StageSpec(After, Nothing())},
            Limits({"download": 1, "cpu": workers, "gpu": 0}, 1, (), seconds, memory),
            ledger=root / "ledger",
            lock=root / ".workers",
        )

    def task(self, stage: str, video: Video, rank: int) -> Task:
        inputs = {"behave": self.root / "behaved" / f"{video.id}.txt"} if stage == "after" else {}
        folder = self.root / ("after" if stage == "after" else "behaved")
        depth = -1 if stage == "after" else 0
        return Task(stage, video, Files(inputs, folder, video.id), "print", (depth, rank))

    def run(self, *titles: str) -> Bench:
        def observe(task: Task, answer: Answer) -> Iterable[Task]:
            self.answers[task.video.id, task.stage] = answer
            self.order.append((task.video.id, task.stage))
            if isinstance(answer, Event) and answer.outcome == "done" and task.stage == "behave":
                yield self.task("after", task.video, task.rank[1])

        videos = [Video(id=f"v{i}", source=f"/{i}", title=title) for i, title in enumerate(titles)]
        self.engine.run([self.task("behave", video, i) for i, video in enumerate(videos)], observe)
        return self

    def event(self, video: str, stage: str = "behave") -> Event:
        """The event of a video, the same in the answer and in the ledger."""
        answer = self.answers[video, stage]
        assert isinstance(answer, Event)
        assert read_ledger(self.root / "ledger")[video, stage].last == answer
        return answer


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
        ("hang", Reason.TIMED_OUT, "more than 3 s"),
        ("memory", Reason.OUT_OF_MEMORY, "MiB of memory"),
        ("raise", Reason.ERROR, r"ValueError: a hidden fault \(stages.py:\d+\)"),
    ],
)
def test_a_bad_video_costs_only_itself(tmp_path: Path, title: str, reason: Reason, said: str) -> None:
    seconds = 3 if title == "hang" else 60
    bench = Bench(tmp_path, workers=2, seconds=seconds, memory=600 << 20).run("", title, "", "")
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


RUN_AND_WAIT = """
import sys
from pathlib import Path
from tests.engine.test_local import Bench
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


def _wait_for(condition, seconds: float = 30):
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
