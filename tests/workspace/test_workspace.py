from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path

import pytest

from curate.config import Config
from curate.errors import CurateError
from curate.files.atomic import write_atomic
from curate.files.digest import digest
from curate.workspace.locks import hold_shared
from curate.workspace.tree import WORKSPACE_VERSION, Workspace


def make(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path / "w", create=True)
    workspace.store_options(Config())
    return workspace


def test_a_workspace_opens_again(tmp_path: Path) -> None:
    made = make(tmp_path)
    assert Workspace.open(tmp_path / "w").root == made.root


def test_a_missing_workspace_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="curate run SOURCE"):
        Workspace.open(tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_a_folder_with_other_files_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(CurateError, match="not empty"):
        Workspace.open(tmp_path, create=True)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.doc"]


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "w").touch()
    with pytest.raises(CurateError, match="a file, not a folder"):
        Workspace.open(tmp_path / "w", create=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"workspace_version = {WORKSPACE_VERSION + 1}\n", f"has version {WORKSPACE_VERSION + 1}"),
        ("[sample]\nrate = 1.0\n", "names no workspace_version"),
    ],
)
def test_a_workspace_of_another_version_is_refused_and_left_alone(tmp_path: Path, text: str, said: str) -> None:
    workspace = make(tmp_path)
    workspace.config_path.write_text(text)
    with pytest.raises(CurateError, match=said):
        Workspace.open(workspace.root, create=True)
    assert workspace.config_path.read_text() == text


def test_a_run_that_was_killed_before_its_first_file_can_be_repeated(tmp_path: Path) -> None:
    Workspace.open(tmp_path / "w", create=True)
    Workspace.open(tmp_path / "w", create=True)


def test_write_atomic_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_run_is_refused(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    with workspace.lock(), pytest.raises(CurateError, match="another curate is at work"), workspace.lock():
        pass
    with workspace.lock():
        pass


def test_shards_run_beside_each_other_but_not_beside_a_whole_run(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    with workspace.lock((0, 2)), workspace.lock((1, 2)):
        for other in ((0, 1), (0, 2)):
            with pytest.raises(CurateError, match="another curate"), workspace.lock(other):
                pass


def _hold(path: str, seconds: float) -> None:
    hold_shared(Path(path))
    time.sleep(seconds)


def test_a_run_waits_for_the_last_workers_of_a_killed_one(tmp_path: Path) -> None:
    workspace = make(tmp_path)
    with workspace.lock() as workers:
        process = multiprocessing.get_context("spawn").Process(target=_hold, args=(str(workers), 60))
        process.start()
        while process.is_alive() and not _held(workers):
            time.sleep(0.02)
    started = time.monotonic()
    threading.Timer(0.5, process.kill).start()
    with workspace.lock():
        assert time.monotonic() - started >= 0.4
    process.join()


def _held(path: Path) -> bool:
    import fcntl

    with open(path, "a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place where nobody may write")
def test_a_place_that_cannot_be_written_is_an_error_with_its_cause() -> None:
    with pytest.raises(CurateError, match="cannot be written"):
        Workspace.open(Path("/proc/curate-workspace"), create=True)


def test_digest_tells_values_apart_and_ignores_key_order() -> None:
    assert digest({"a": 1, "b": [1.0]}) == digest({"b": [1.0], "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})
