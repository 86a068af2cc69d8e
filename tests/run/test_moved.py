"""Local videos that are somewhere else now: a moved folder costs a look at each file, and a changed file everything."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from curate.cli import run_command
from curate.run.plan import plan_run
from curate.run.session import Sources, open_session
from tests.rendered import render_operation

FORMATS = ("--export-formats", "folders,video")
NAMES = ("one", "two")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``videos``, a list of them beside with relative paths, and a workspace of the list."""
    place = tmp_path_factory.mktemp("finished")
    (place / "videos").mkdir()
    for index, name in enumerate(NAMES):
        render_operation(place / "videos" / f"{name}.mp4", before=1, surgery=3 + index, after=1)
    (place / "list.csv").write_text("id,file\n" + "".join(f"{name},videos/{name}.mp4\n" for name in NAMES))
    assert run_command(["run", str(place / "list.csv"), "-w", str(place / "w"), *FORMATS]) == 0
    return place


@pytest.fixture
def place(finished: Path, tmp_path: Path) -> Path:
    """All of it in another folder, as after a move or with another mount point."""
    return Path(shutil.copytree(finished, tmp_path / "elsewhere", symlinks=True))


def events(workspace: Path) -> Counter[tuple[str, str, str]]:
    """Lines of the ledger by video, stage and outcome."""
    lines = [line for path in (workspace / "ledger").glob("*.jsonl") for line in path.read_text().splitlines()]
    return Counter((event["video"], event["stage"], event["outcome"]) for event in map(json.loads, lines))


def exports(workspace: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in (workspace / "exports").rglob("*") if path.is_file())
    return {str(path.relative_to(workspace)): (path.stat().st_ino, path.read_bytes()) for path in files}


def stages(workspace: Path) -> list[str]:
    return list(open_session(workspace).pipeline.specs)


LOOKED_AT = Counter({(name, "download", "done"): 1 for name in NAMES})


@pytest.mark.parametrize("kind", ["list", "absolute list", "folder"])
def test_a_workspace_that_moved_with_its_videos_redoes_nothing_but_the_check(place: Path, kind: str) -> None:
    workspace, before, shown = place / "w", events(place / "w"), exports(place / "w")
    source = place / "videos" if kind == "folder" else place / "list.csv"
    if kind == "absolute list":
        source.write_text("id,file\n" + "".join(f"{name},{place}/videos/{name}.mp4\n" for name in NAMES))
    if kind == "folder":
        shutil.rmtree(workspace / "exports")  # it tells the titles of files, and the name of the list
    assert run_command(["run", str(source), "-w", str(workspace)]) == 0
    assert events(workspace) - before == LOOKED_AT
    for name in NAMES:
        assert (workspace / "videos" / f"{name}.mp4").readlink() == place / "videos" / f"{name}.mp4"
    assert kind == "folder" or exports(workspace) == shown
    assert run_command(["run", "-w", str(workspace)]) == 0
    assert events(workspace) - before == LOOKED_AT


def test_a_run_while_the_videos_are_away_changes_nothing_of_that(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, before, shown = place / "w", events(place / "w"), exports(place / "w")
    for kept, way in (("videos", "there"), ("there", "videos")):
        shutil.move(place / kept, place / way)
        (place / "list.csv").write_text("id,file\n" + "".join(f"{name},{way}/{name}.mp4\n" for name in NAMES))
        assert run_command(["run", str(place / "list.csv"), "-w", str(workspace)]) == 0
        shutil.move(place / way, place / "away")
        capsys.readouterr()
        assert run_command(["run", "-w", str(workspace)]) == 2
        said = capsys.readouterr().err
        assert "file_missing" in said
        shutil.move(place / "away", place / way)
        assert run_command(["run", str(place / "list.csv"), "-w", str(workspace)]) == 0
    done = Counter({key: count for key, count in (events(workspace) - before).items() if key[2] == "done"})
    assert set(done) == set(LOOKED_AT) and exports(workspace) == shown


def test_a_file_that_was_only_touched_or_copied_is_read_and_no_more(place: Path) -> None:
    workspace = place / "w"
    assert run_command(["run", str(place / "list.csv"), "-w", str(workspace)]) == 0
    before = events(workspace)
    os.utime(place / "videos" / "one.mp4")
    assert run_command(["run", "-w", str(workspace)]) == 0
    assert events(workspace) - before == Counter({("one", "download", "done"): 1})


@pytest.mark.parametrize(
    ("when", "change"), [("while it moved", "same size and time"), ("after it moved", "longer"), ("after it moved", "")]
)
def test_a_file_that_changed_is_done_again_wherever_it_is(place: Path, when: str, change: str) -> None:
    workspace, listed = place / "w", str(place / "list.csv")
    if when == "after it moved":
        assert run_command(["run", listed, "-w", str(workspace)]) == 0
    before, path = events(workspace), place / "videos" / "two.mp4"
    status, data = path.stat(), path.read_bytes()
    path.write_bytes(data + bytes(8) if change == "longer" else data[:-1] + bytes([data[-1] ^ 1]))
    if change == "same size and time":
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert run_command(["run", listed, "-w", str(workspace)]) == 0
    again = events(workspace) - before
    assert {stage for video, stage, _ in again if video == "two"} == set(stages(workspace))
    assert {stage for video, stage, _ in again if video == "one"} <= {"download"}


def test_a_plan_tells_a_file_that_may_have_moved_from_one_that_changed(place: Path) -> None:
    with open(place / "videos" / "two.mp4", "ab") as stream:
        stream.write(b"\0" * 8)
    session = open_session(place / "w", sources=Sources((str(place / "list.csv"),)))
    found = plan_run(session.pipeline)
    assert dict(found.stages["download"].first) == {"elsewhere": 1, "changed": 1}
    assert {stage.later for name, stage in found.stages.items() if name != "download"} == {1}
