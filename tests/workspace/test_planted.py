"""Workspaces of a stranger, with links planted where curate writes and clears up: nothing outside is touched."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from curate.cli import run_command
from curate.errors import CurateError
from curate.exports.check.verify import verify_export
from curate.files.atomic import clear, clear_planted, open_own, temporary_beside, write_atomic
from curate.manifests.opt_out import OptOuts
from curate.report.masks import explain_masks
from curate.run.session import open_session, run_export, store
from curate.stage import Files
from curate.takedown.purge import purge
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter
from curate.workspace.tree import Workspace
from tests.disks import small_disk
from tests.finished import make_finished
from tests.media.videos import encode

IDS = ("one", "two")
FORMATS = ("parquet", "lmdb", "folders", "webdataset")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources = {name: f"https://example.org/{name}.mp4" for name in IDS}
    return make_finished(tmp_path_factory.mktemp("planted") / "w", sources, FORMATS)


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "w", symlinks=True))


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """The user's own folder, with names that curate might take for its own."""
    folder = tmp_path / "precious"
    for name in ("notes.txt", "one.jpg", "one.parquet", "export.json", "journal.jsonl", "export/data.mdb", "one/a.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine " * 1000)
    return folder


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def plant(path: Path, target: Path) -> None:
    """Put a link in the place of whatever stands there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clear(path)
    path.symlink_to(target)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("link", "target"),
    [
        (".{}.tmp", ""),
        (".{}.tmp/export", ""),
        (".{}.tmp/scratch", ""),
        (".{}.tmp/export/README.md", "notes.txt"),
        (".{}.tmp/export/metadata.parquet", "notes.txt"),
        (".{}.tmp/export/train/one/000001.jpg", "one.jpg"),
        (".{}.tmp/export/deep/data", ""),
        (".{}.tmp/journal.jsonl", "notes.txt"),
        (".{}.tmp/journal.jsonl.new", "notes.txt"),
        (".{}.tmp/scratch/rows-000000.arrow", "notes.txt"),
        (".{}.old", ""),
        ("{}", ""),
        ("{}", "export"),
    ],
)
def test_an_export_neither_deletes_nor_overwrites_through_a_link(
    root: Path, precious: Path, name: str, link: str, target: str
) -> None:
    before = state(precious)
    shutil.rmtree(root / "exports" / name)
    plant(root / "exports" / link.format(name), precious / target)
    session = open_session(root, given={"export": {"formats": (name,)}})
    if (link, target) == ("{}", "export"):
        with pytest.raises(CurateError, match="was not written by curate"):
            run_export(session)
    else:
        run_export(session)
        assert list(verify_export(root / "exports" / name)) == []
    assert state(precious) == before


@pytest.mark.parametrize(
    "name",
    [
        *(".curate.toml.tmp", ".manifest.parquet.new", ".purged.txt.tmp", ".manifest.parquet.tmp"),
        *(".lock", ".lock-0-of-1", ".workers-0-of-1", "curate.toml", "manifest.parquet", "purged.txt"),
    ],
)
def test_the_files_of_a_workspace_are_not_written_through_links(root: Path, precious: Path, name: str) -> None:
    target = precious / "notes.txt"
    if (root / name).is_file() and not name.startswith("."):
        shutil.copyfile(root / name, target)  # what can be read through the link makes sense
    elif name == "purged.txt":
        target.write_text("other_video\n")
    before = state(precious)
    plant(root / name, target)
    session = open_session(root, given={"sample": {"rate": 2.0}})
    with session.workspace.lock():
        store(session)
    assert purge(root, OptOuts(ids={"one"})).videos == ("one",)
    assert state(precious) == before
    assert [video.id for video in open_session(root).pipeline.videos] == ["two"]


def test_locks_that_lead_nowhere_make_nothing_there(root: Path, tmp_path: Path) -> None:
    for name in (".lock", ".lock-0-of-1", ".workers-0-of-1"):
        plant(root / name, tmp_path / "made")
    with Workspace.open(root).lock():
        pass
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["videos", "frames", "ledger", "exports", "report", "regions", "anything"])
def test_a_folder_that_is_a_link_is_refused(root: Path, precious: Path, name: str) -> None:
    before = state(precious)
    plant(root / name, precious)
    with pytest.raises(CurateError, match=f"{name} is a link to a folder"):
        Workspace.open(root)
    for command in (["export"], ["purge", "--ids", str(precious / "notes.txt"), "--yes"], ["run", "--until", "trim"]):
        assert run_command([*command, "-w", str(root)]) == 1
    assert state(precious) == before


@pytest.mark.parametrize("name", ["purged.txt", "manifest.parquet", "curate.toml", ".lock", "anything"])
def test_a_pipe_is_named_and_not_waited_for(root: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    clear(root / name)
    os.mkfifo(root / name)
    for command in ("status", "export"):
        assert run_command([command, "-w", str(root)]) == 1
        assert f"{name} is neither a file nor a folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ledger", "logs", "exports"])
def test_a_file_in_the_place_of_a_folder_is_named(root: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    clear(root / name)
    (root / name).write_text("notes")
    assert run_command(["export", "-w", str(root)]) == 1
    said = capsys.readouterr().err
    assert f"{root / name}" in said and "away" in said and len(said.splitlines()) == 1
    assert (root / name).read_text() == "notes"


def test_the_workspace_itself_may_be_reached_by_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    Workspace.open(tmp_path / "link")


def test_reports_are_not_cleared_through_links(root: Path, precious: Path) -> None:
    before = state(precious)
    plant(root / "report" / "masks", precious)
    folder, count = explain_masks(open_session(root), "one")
    assert folder == root / "report" / "masks" / "one" and len(list(folder.iterdir())) == count > 0
    plant(folder, precious)
    explain_masks(open_session(root), "one")
    assert state(precious) == before


@pytest.mark.parametrize("link", [".lmdb.tmp", ".lmdb.old", "lmdb"])
def test_a_purge_does_not_follow_links(root: Path, precious: Path, link: str) -> None:
    before = state(precious)
    plant(root / "exports" / link, precious)
    plant(root / "videos" / "one.mp4", precious / "notes.txt")
    plant(root / "frames" / ".one.tmp.parquet", precious / "one.parquet")
    purge(root, OptOuts(ids={"one"}))
    assert state(precious) == before
    assert not list((root / "frames").glob("*one*"))


def test_a_stage_does_not_write_through_what_stands_under_its_temporary_name(tmp_path: Path, precious: Path) -> None:
    before = state(precious)
    (tmp_path / "in").mkdir()
    encode(tmp_path / "in" / "film.mp4", frames=75)
    assert run_command(["run", str(tmp_path / "in"), "-w", str(tmp_path / "w"), "--until", "download", "-q"]) == 0
    for name in ("frames/.film.tmp.parquet", "videos/.film.tmp.json", "videos/.film.tmp.mp4"):
        plant(tmp_path / "w" / name, precious / "notes.txt")
    command = ["run", "-w", str(tmp_path / "w"), "--until", "sample", "--sample-quality", "50", "-q"]
    assert run_command([*command, "--download-max-height", "480"]) == 0
    assert state(precious) == before
    frames = tmp_path / "w" / "frames" / "film.parquet"
    assert frames.is_file() and not frames.is_symlink()


@pytest.mark.parametrize("kind", ["link", "dangling", "second name", "pipe"])
def test_what_stands_under_a_temporary_name_is_taken_away(tmp_path: Path, precious: Path, kind: str) -> None:
    before = state(precious)
    folder = tmp_path / "frames"
    folder.mkdir()
    path = folder / ".x.tmp.parquet"
    match kind:
        case "link":
            path.symlink_to(precious / "notes.txt")
        case "dangling":
            path.symlink_to(tmp_path / "made")
        case "second name":
            os.link(precious / "notes.txt", path)
        case "pipe":
            os.mkfifo(path)
    Files({}, folder, "x").temporary(".parquet").write_bytes(b"new")
    assert path.read_bytes() == b"new" and not path.is_symlink()
    assert state(precious) == before and not (tmp_path / "made").exists()


def test_a_download_goes_on_with_a_file_and_with_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".x.tmp.mp4").write_bytes(b"half")
    assert Files({}, tmp_path, "x").temporary(".mp4").read_bytes() == b"half"


def test_writing_files_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    names = {temporary_beside(path) for _ in range(5)}
    assert len(names) == 5 and all(name.stat().st_size == 0 for name in names)
    for name in names:
        name.unlink()
    path.mkdir()
    with pytest.raises(OSError):
        write_atomic(path, b"x")
    assert list(tmp_path.iterdir()) == [path]  # no temporary file is left


def test_a_full_disk_is_told_with_the_file_that_it_has_no_room_for(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "64k") as small:
        writer = LedgerWriter(small)
        event = Event(time.time(), "v", "sample", "done", "f" * 64, attempt=1)
        with pytest.raises(OSError, match="No space left on device") as full:
            for _ in range(10_000):
                writer.append(event)
        writer.close()
        assert full.value.filename == str(writer.path)
        path = small / "a.txt"
        with pytest.raises(OSError, match="No space left on device") as full:
            write_atomic(path, bytes(1 << 17))
        assert full.value.filename == str(path)
        assert list(small.iterdir()) == [writer.path]


def test_own_files_are_regular_files(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(OSError):
            open_own(tmp_path / name, os.O_RDWR)
    os.close(open_own(tmp_path / "new", os.O_RDWR))
    assert (tmp_path / "new").is_file()


def test_clearing_follows_no_link(tmp_path: Path, precious: Path) -> None:
    before = state(precious)
    inside = tmp_path / "a"
    (inside / "b").mkdir(parents=True)
    (inside / "file").write_text("x")
    (inside / "b" / "link").symlink_to(precious)
    (inside / "link").symlink_to(precious / "notes.txt")
    clear_planted(inside)
    assert sorted(p.name for p in inside.rglob("*")) == ["b", "file"]
    (inside / "b" / "link").symlink_to(precious)
    clear(inside)
    clear(inside)
    assert not inside.exists() and state(precious) == before
    plant(inside, precious)
    clear_planted(inside)
    assert not inside.is_symlink() and state(precious) == before
