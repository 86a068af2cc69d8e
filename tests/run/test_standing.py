"""Where videos stand in a workspace that was damaged at random: what status, plan and a run make of it is the same."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from curate.engine.protocol import Observer, Task, Work
from curate.report.funnel import funnel
from curate.run import pipeline as looked
from curate.run.pipeline import Pipeline
from curate.run.plan import pending_videos, plan_run
from curate.run.session import open_session

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
VIDEOS = 30


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPTS)
        import made_workspace

        root = tmp_path_factory.mktemp("sound") / "w"
        made_workspace.make_workspace(root, VIDEOS)
    return root


@pytest.fixture
def workspace(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "w"))


class Waiting:
    """An engine that does nothing and remembers what it was to do."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def run(self, works: Mapping[str, Work], tasks: Iterable[Task], observe: Observer) -> None:
        self.tasks = list(tasks)


def tasks_of_a_run(pipeline: Pipeline) -> tuple[list[Task], dict[str, int]]:
    """What a run would begin with, and how many videos it expects at each stage."""
    engine, expected = Waiting(), dict[str, int]()
    pipeline.run(list(pipeline.specs), (0, 1), engine, lambda task, answer: None, expected.update)
    return engine.tasks, expected


def damage(workspace: Path, chance: random.Random) -> None:
    """Files cut, gone, half written; lines of the ledger gone, torn, foreign, of an old version, of other outcomes."""
    folders = ("videos", "frames", "scores", "verdicts", "regions", "fields", "audit")
    files = sorted(path for folder in folders for path in (workspace / folder).iterdir())
    for path in chance.sample(files, 12):
        match chance.randrange(3):
            case 0:
                path.unlink()
            case 1:
                path.write_bytes(b"short")
            case 2:
                path.with_name(f".{path.stem}.tmp-a-b{path.suffix}").write_bytes(b"half")
    (ledger,) = (workspace / "ledger").iterdir()
    lines = ledger.read_text().splitlines()
    chance.shuffle(lines)
    written = []
    for line in lines:
        event: dict[str, Any] = json.loads(line)
        bare = {name: event[name] for name in ("time", "video", "stage", "fingerprint")}
        failed = {**bare, "outcome": "failed", "reason": "network", "attempt": 2, "retryable": chance.random() < 0.5}
        dropped = {**bare, "outcome": "dropped", "reason": "no_surgical_run", "attempt": 3}
        written += chance.choices(
            (
                [line],
                [],
                [line[: len(line) // 2]],
                [line, json.dumps(failed)],
                [json.dumps(dropped), line],
                [json.dumps({**event, "video": "foreign"}), line],
                [json.dumps({**bare, "outcome": "done"})],
                [json.dumps({**event, "fingerprint": "0" * 32})],
                [line.replace('"seconds"', '"secs"')],
            ),
            (60, 1, 1, 1, 1, 1, 1, 1, 1),
        )[0]
    middle = len(written) // 2
    ledger.write_text("".join(f"{line}\n" for line in written[:middle]))
    (workspace / "ledger" / "other.jsonl").write_text("\n".join(written[middle:])[:-20])
    (workspace / "purged.txt").write_text("made-000003\n")
    (workspace / "opt_out.txt").write_text("made-000005\n")


@pytest.mark.parametrize("seed", range(6))
def test_status_plan_and_a_run_agree_on_a_damaged_workspace(workspace: Path, seed: int) -> None:
    damage(workspace, random.Random(seed))
    pipeline = open_session(workspace).pipeline
    shown, planned = funnel(pipeline), plan_run(pipeline)
    tasks, expected = tasks_of_a_run(pipeline)
    ids = {video.id for video in pipeline.videos}
    assert len(ids) == VIDEOS - 2 and not ids & {"made-000003", "made-000005"}
    assert len(tasks) > 5 and len({task.id for task in tasks}) == len(tasks)
    first = Counter(task.kind for task in tasks)
    for name, row in shown.stages.items():
        assert row.pending == planned.stages[name].first.total() == first[name]
        assert expected[name] == planned.stages[name].videos
        assert [video.id for video, _ in pending_videos(pipeline, name)] == [t.id for t in tasks if t.kind == name]
    ended = sum(row.dropped.total() + row.failed.total() for row in shown.stages.values())
    assert shown.complete + ended + len(tasks) == len(ids)
    assert shown.complete == len(pipeline.complete())
    assert not list(workspace.glob("*/.made-*")), "what was half written is gone after a run"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("block", [1, 4])
def test_files_that_are_looked_for_many_at_once_are_seen_as_one_by_one(
    workspace: Path, seed: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(workspace, random.Random(seed))
    monkeypatch.setattr(looked, "_BLOCK", block)
    pipeline = open_session(workspace).pipeline
    walked = [(video, list(statuses)) for video, statuses in pipeline.statuses_of(pipeline.videos)]
    assert walked == [(video, list(pipeline.statuses(video))) for video in pipeline.videos]
    assert {status.state for _, statuses in walked for status in statuses} >= {"done", "pending", "dropped"}
    assert list(pipeline.statuses_of([])) == []


def test_a_file_that_goes_or_comes_back_is_seen_by_the_next_look(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looked, "_BLOCK", 4)
    pipeline = open_session(workspace).pipeline
    path = pipeline.artefact(pipeline.videos[7], "sample")
    content = path.read_bytes()
    assert len(pipeline.complete()) == VIDEOS
    path.unlink()
    assert [video for video in pipeline.videos if video not in pipeline.complete()] == [pipeline.videos[7]]
    path.write_bytes(content)
    assert len(pipeline.complete()) == VIDEOS


def test_in_a_sound_one_nothing_is_left_to_do(workspace: Path) -> None:
    pipeline = open_session(workspace).pipeline
    assert funnel(pipeline).complete == VIDEOS
    assert tasks_of_a_run(pipeline) == ([], dict.fromkeys(pipeline.specs, 0))


@pytest.mark.parametrize("stage", ["download", "sample", "trim", "audit"])
def test_one_byte_less_sends_a_video_back_to_the_stage_that_made_the_file(workspace: Path, stage: str) -> None:
    pipeline = open_session(workspace).pipeline
    path = pipeline.artefact(pipeline.videos[7], stage)
    path.write_bytes(path.read_bytes()[:-1])
    ((task,), expected) = tasks_of_a_run(pipeline)
    assert (task.kind, task.id) == (stage, "made-000007")
    names = list(pipeline.specs)
    assert [expected[name] for name in names] == [int(names.index(name) >= names.index(stage)) for name in names]
