"""Many processes in one workspace: job arrays, splits that overlap, odd disks and clocks."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from curate.workspace.ledger import read_ledger
from curate.workspace.locks import overlap, shard_of
from curate.workspace.tree import Workspace
from tests.exports.making import tree_bytes
from tests.rendered import render_operation, render_slides
from tests.run.processes import CLOCK, LOCKS_OF_NFS, NO_LOCKS, end, preloaded, run, start

LIGHT = ("--until", "sample", "--workers", "1")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve short videos."""
    folder = tmp_path_factory.mktemp("videos")
    render_slides(folder / "v00.mp4", seconds=1)
    for i in range(1, 12):
        shutil.copy(folder / "v00.mp4", folder / f"v{i:02}.mp4")
    return folder


def leftovers(workspace: Path) -> list[str]:
    return [p.name for p in workspace.rglob(".*") if not p.name.startswith((".lock", ".workers"))]


def done_once(workspace: Path) -> dict[tuple[str, str], int]:
    """How often each (video, stage) was done."""
    counts: dict[tuple[str, str], int] = {}
    for path in (workspace / "ledger").glob("*.jsonl"):
        for video, stage in re.findall(r'"video":"([^"]*)","stage":"([^"]*)","outcome":"done"', path.read_text()):
            counts[video, stage] = counts.get((video, stage), 0) + 1
    return counts


@pytest.mark.slow
def test_eight_shards_started_at_one_instant_on_a_new_workspace_all_work(videos: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    shards = [start("run", videos, "-w", workspace, *LIGHT, "--shard", f"{i}/8") for i in range(8)]
    ended = [end(shard) for shard in shards]
    assert [code for code, _ in ended] == [0] * 8, ended
    assert done_once(workspace) == {(f"v{i:02}", stage): 1 for i in range(12) for stage in ("download", "sample")}
    assert leftovers(workspace) == []
    assert run("run", "-w", workspace, *LIGHT)[0] == 0
    assert len(done_once(workspace)) == 24


@pytest.mark.slow
def test_different_splits_at_once_never_work_on_the_same_videos(videos: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    shards = [start("run", videos, "-w", workspace, *LIGHT, "--shard", s) for s in ("0/2", "0/4", "1/4", "2/4")]
    ended = [end(shard) for shard in shards]
    for code, said in ended:
        assert code == 0 or (code == 1 and said.count("error: another curate is at work") == 1), said
    assert 1 < sum(code == 0 for code, _ in ended) < 4
    assert set(done_once(workspace).values()) == {1}
    assert leftovers(workspace) == []


def test_shards_overlap_only_if_they_have_videos_in_common() -> None:
    ids = [f"v{i}" for i in range(600)]
    for n in range(1, 7):
        for m in range(1, 7):
            for i in range(n):
                for j in range(m):
                    common = any(shard_of(v, n) == i and shard_of(v, m) == j for v in ids)
                    assert common == overlap((i, n), (j, m))


def test_an_edited_list_does_not_move_a_video_to_another_shard(videos: Path, tmp_path: Path) -> None:
    names = [path.stem for path in sorted(videos.iterdir())]
    workspace = Workspace.open(tmp_path / "w", create=True)
    before = {name for name in names if shard_of(name, 4) == 1}
    after = {name for name in ("a-new-one", *reversed(names[3:])) if shard_of(name, 4) == 1}
    assert after - {"a-new-one"} == before - set(names[:3])
    with workspace.lock((1, 4)), workspace.lock((0, 4)), workspace.lock((3, 4)):
        pass


@pytest.mark.slow
def test_a_list_that_is_edited_while_a_shard_works_gives_no_video_to_two(videos: Path, tmp_path: Path) -> None:
    listed, workspace = tmp_path / "list.csv", tmp_path / "w"

    def begin(names: list[str], shard: str) -> subprocess.Popen[str]:
        listed.write_text("id,path\n" + "".join(f"{name},{videos / name}.mp4\n" for name in names))
        return start("run", listed, "-w", workspace, *LIGHT, "--shard", shard)

    names = [path.stem for path in sorted(videos.iterdir())]
    before, after = names[:8], names[:1:-1]
    first = begin(before, "0/2")
    while not list(workspace.glob("ledger/*.jsonl")):
        assert first.poll() is None
        time.sleep(0.02)
    second = begin(after, "1/2")
    assert [end(first)[0], end(second)[0]] == [0, 0]
    wanted = {name for name in before if shard_of(name, 2) == 0} | {name for name in after if shard_of(name, 2) == 1}
    assert done_once(workspace) == {(name, stage): 1 for name in wanted for stage in ("download", "sample")}
    assert run("run", "-w", workspace, *LIGHT)[0] == 0
    assert {video for video, _ in done_once(workspace)} == {*wanted, *after} and leftovers(workspace) == []


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.0, 3.0])
def test_a_run_an_export_and_a_purge_at_once(tmp_path: Path, pause: float) -> None:
    """Whoever comes first works and the others say so; in the end it is as if they had come one by one."""
    source, workspace = tmp_path / "in", tmp_path / "w"
    source.mkdir()
    render_operation(source / "stays.mp4", before=1, surgery=3, after=1)
    shutil.copy(source / "stays.mp4", source / "goes.mp4")
    more = ("--export-formats", "folders,lmdb", "--sample-quality", "90")
    assert run("run", source, "-w", workspace, "--export-formats", "folders,lmdb")[0] == 0
    together = [start("run", "-w", workspace, *more)]
    time.sleep(pause)
    together += [start("export", "-w", workspace), start("purge", "-w", workspace, "--id", "goes", "--yes")]
    for code, said in map(end, together):
        assert code == 0 or (code == 1 and said.count("error: ") == 1 and "another curate is at work" in said), said
    assert run("purge", "-w", workspace, "--id", "goes", "--yes")[0] == 0
    assert run("run", "-w", workspace, *more)[0] == 0
    assert [str(path) for path in workspace.rglob("*") if "goes" in path.name] == leftovers(workspace) == []
    (source / "goes.mp4").unlink()
    assert run("run", source, "-w", tmp_path / "alone", *more)[0] == 0
    assert tree_bytes(workspace / "exports") == tree_bytes(tmp_path / "alone" / "exports")


@pytest.mark.slow
def test_a_disk_like_nfs_4_is_no_trouble(videos: Path, tmp_path: Path) -> None:
    odd = preloaded(tmp_path, LOCKS_OF_NFS)
    shards = [start("run", videos, "-w", tmp_path / "w", *LIGHT, "--shard", f"{i}/2", env=odd) for i in range(2)]
    assert [end(shard)[0] for shard in shards] == [0, 0]
    assert len(done_once(tmp_path / "w")) == 24


def test_a_disk_without_locks_is_one_sentence(videos: Path, tmp_path: Path) -> None:
    code, said = run("run", videos, "-w", tmp_path / "w", *LIGHT, env=preloaded(tmp_path, NO_LOCKS))
    assert code == 1
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert "gives no locks (Function not implemented)" in line and "-o flock" in line


@pytest.mark.slow
def test_a_success_by_a_clock_that_went_back_an_hour_wins_over_the_failure_before(videos: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "v.mp4").symlink_to(videos / "v00.mp4")
    workspace = tmp_path / "w"
    arguments = ("run", source, "-w", workspace, *LIGHT)
    failing = """
from dataclasses import replace
from curate.records import Failed, Reason
from curate.run import pipeline, stage_work
def record(task, answer, ledger):
    if task.stage == "sample":
        answer = replace(answer, result=stage_work.StageResult(Failed(Reason.ERROR, "made up", retryable=True)))
    return stage_work.record(task, answer, ledger)
pipeline.record = record
"""
    assert run(*arguments, before=failing)[0] == 2
    failure = read_ledger(workspace / "ledger")["v", "sample"].last
    assert failure.outcome == "failed"
    code, said = run(*arguments, env=preloaded(tmp_path, CLOCK, SECONDS=-3600))
    assert code == 0, said
    success = read_ledger(workspace / "ledger")["v", "sample"].last
    assert success.outcome == "done" and success.time < failure.time - 3000
    assert run(*arguments)[0] == 0
    assert done_once(workspace) == {("v", "download"): 1, ("v", "sample"): 1}
