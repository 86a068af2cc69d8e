"""Purging videos from finished workspaces with real exports in every format."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.cli import run_command
from curate.errors import CurateError
from curate.exports.check.verify import verify_export
from curate.exports.exporter import FORMATS, InProcess
from curate.exports.reading.contents import videos_in
from curate.manifests import read_manifest
from curate.manifests.opt_out import OptOuts
from curate.run.session import Sources, open_session, run_export, store, store_manifest
from curate.takedown import mentions
from curate.takedown.mentions import search_tree
from curate.takedown.purge import PurgeReport, purge
from curate.workspace.ledger import read_ledger
from curate.workspace.tree import Workspace
from tests.exports.making import tree_bytes
from tests.finished import make_finished

GONE = "-goneAway_1"
WEB = {name: f"https://www.youtube.com/watch?v={name}" for name in (GONE, "stays_here1", "stays_here2")}
STAGES = ("frames", "regions", "scores", "verdicts", "videos")


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos in every format; tests work on copies."""
    return make_finished(tmp_path_factory.mktemp("everything") / "w", WEB, list(FORMATS))


@pytest.fixture
def workspace(everything: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(everything, tmp_path / "w", symlinks=True))


def take(root: Path, *videos: str) -> PurgeReport:
    return purge(root, OptOuts(ids=set(videos)))


def grep(root: Path, text: str) -> list[str]:
    """Files that mention a text, by a tool of its own."""
    found = subprocess.run(["grep", "-rlaF", "--", text, str(root)], capture_output=True, text=True).stdout.split()
    return sorted(Path(name).relative_to(root).as_posix() for name in found)


def state(root: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree_bytes(root).items() if not name.startswith((".lock", ".w"))}


def assert_gone(root: Path) -> None:
    assert grep(root, GONE) == ["purged.txt"]
    assert not [path for path in root.rglob("*") if GONE in path.name]
    for folder in (root / "exports").iterdir():
        assert [str(problem) for problem in verify_export(folder)] == []


def test_a_purged_video_is_nowhere_and_the_others_are_as_before(everything: Path, workspace: Path) -> None:
    report = take(workspace, GONE)
    assert_gone(workspace)
    assert report.remaining == () and report.chance == () and report.unknown == ()
    outside = [p for p in everything.rglob("*") if p.is_file() and "exports" not in p.relative_to(everything).parts]
    assert len(report.removed) == len([p for p in outside if GONE in p.name])
    ledger = "".join(p.read_text() for p in (everything / "ledger").iterdir())
    assert report.lines == len([line for line in ledger.splitlines() if GONE in line])
    assert {export.folder.name: export.state for export in report.exports} == dict.fromkeys(FORMATS, "written")
    assert report.search.files >= len([p for p in workspace.rglob("*") if p.is_file()]) - 1
    for folder in STAGES:
        for path in (everything / folder).glob("stays*"):
            assert (workspace / folder / path.name).read_bytes() == path.read_bytes()
    assert [video.id for video in read_manifest(workspace / "manifest.parquet")] == ["stays_here1", "stays_here2"]
    assert {video for video, _ in read_ledger(workspace / "ledger")} == {"stays_here1", "stays_here2"}


def test_the_exports_are_those_of_a_workspace_that_never_had_it(workspace: Path, tmp_path: Path) -> None:
    others = {name: source for name, source in WEB.items() if name != GONE}
    never = make_finished(tmp_path / "never" / "w", others, list(FORMATS))
    take(workspace, GONE)
    assert tree_bytes(workspace / "exports") == tree_bytes(never / "exports")
    summary = run_export(open_session(workspace))
    assert not any(made.written for made in summary.formats)


def test_workers_write_the_same_exports(
    everything: Path, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(workspace, GONE)
    other = Path(shutil.copytree(everything, tmp_path / "other", symlinks=True))
    monkeypatch.setattr("curate.takedown.exports._MANY", 1)
    assert take(other, GONE).proven
    assert_gone(other)
    assert tree_bytes(other / "exports") == tree_bytes(workspace / "exports")


def test_a_second_purge_changes_nothing(workspace: Path) -> None:
    take(workspace, GONE)
    before = state(workspace)
    report = take(workspace, GONE)
    assert state(workspace) == before
    assert report.exports == () and report.removed == () and report.unknown == (GONE,)


KILLER = """
import os, signal, sys
from pathlib import Path
from curate.manifests.opt_out import OptOuts
steps, root, video = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def counted(event, arguments):
    global steps
    changes = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "os.replace")
    if changes and str(root) in str(arguments[0]):
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)

from curate.takedown.purge import purge
import curate.takedown.exports
sys.addaudithook(counted)
purge(root, OptOuts(ids={video}))
"""


@pytest.mark.parametrize("steps", [0, 1, 3, 6, 9, 12, 16, 22])
def test_kill_9_anywhere_and_a_rerun_come_to_the_same_end(
    everything: Path, workspace: Path, tmp_path: Path, steps: int
) -> None:
    """Killed at the n-th rename, removal or new folder."""
    for root in (everything, workspace):
        assert (root / "exports").is_dir()
    for name in FORMATS:
        if name not in ("lmdb", "folders"):
            shutil.rmtree(workspace / "exports" / name)
    whole = Path(shutil.copytree(workspace, tmp_path / "whole", symlinks=True))
    take(whole, GONE)
    done = subprocess.run([sys.executable, "-c", KILLER, str(steps), str(workspace), GONE], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    if (workspace / "purged.txt").exists():
        assert GONE not in {video.id for video in open_session(workspace).pipeline.videos}
    take(workspace, GONE)
    assert_gone(workspace)
    assert state(workspace) == state(whole)


SMALL = """
import curate.exports.formats.folders
curate.exports.formats.folders.PORTION = 6_000
"""
"""Few pictures make a shard, so that most shards are taken over."""

COUNTER = """
import os, signal, sys
from pathlib import Path
from curate.manifests.opt_out import OptOuts
from curate.takedown.purge import purge
import curate.takedown.exports
steps, root, done = int(sys.argv[1]), sys.argv[2], 0

def counted(event, arguments):
    global done
    changes = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "os.link")
    if changes and root + "/exports" in str(arguments[0]):
        done += 1
        if done == steps:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(counted)
purge(Path(root), OptOuts(ids={sys.argv[3]}))
print(done)
"""


def test_kill_9_while_shards_are_taken_over_leaves_the_old_export_or_the_new_one(tmp_path: Path) -> None:
    names = [*WEB, *(f"another_{i}" for i in range(6))]
    sources = {name: f"https://example.org/{name}" for name in names}
    formats = ["folders", "lmdb", "surgenet", "webdataset"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("curate.exports.formats.folders.PORTION", 6_000)
        before = make_finished(tmp_path / "before", sources, formats)
    whole = Path(shutil.copytree(before, tmp_path / "whole", symlinks=True))
    pictures = {path.stat().st_ino for path in (whole / "exports").rglob("*.jpg")}

    def killed(root: Path, steps: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", SMALL + COUNTER, str(steps), str(root), GONE]
        return subprocess.run(command, capture_output=True, text=True)

    counted = killed(whole, 0)
    assert counted.returncode == 0, counted.stderr
    for name in ("folders", "surgenet"):
        assert pictures & {path.stat().st_ino for path in (whole / "exports" / name).rglob("*.jpg")}
    states = {name: [tree_bytes(root / "exports" / name) for root in (before, whole)] for name in formats}
    rng = random.Random(14)
    for steps in rng.sample(range(1, int(counted.stdout)), 6):
        root = Path(shutil.copytree(before, tmp_path / f"killed-{steps}", symlinks=True))
        assert killed(root, steps).returncode == -signal.SIGKILL
        for name in formats:
            there = root / "exports" / name
            waiting = there if there.exists() else there.with_name(f".{name}.old")
            assert tree_bytes(waiting) in states[name]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("curate.exports.formats.folders.PORTION", 6_000)
            take(root, GONE)
        assert_gone(root)
        assert tree_bytes(root / "exports") == tree_bytes(whole / "exports")
        assert sorted(path.name for path in (root / "exports").iterdir()) == formats


def test_purged_pictures_are_in_no_file_that_is_taken_over(tmp_path: Path) -> None:
    """The record claims that all shards of the others are the ones in which the purged video is."""
    sources = {name: f"https://example.org/{name}" for name in [*WEB, *(f"another_{i}" for i in range(6))]}
    root = make_finished(tmp_path / "w", sources, ["parquet", "lmdb", "webdataset", "folders"])
    never = make_finished(tmp_path / "never" / "w", {n: s for n, s in sources.items() if n != GONE}, ["parquet"])
    key = json.loads((never / "exports" / "parquet" / "export.json").read_text())["shards"][0]["key"]
    path = root / "exports" / "parquet" / "export.json"
    record = json.loads(path.read_text())
    record["shards"][0]["key"] = key
    path.write_text(json.dumps(record))
    assert take(root, GONE).proven
    assert_gone(root)
    assert json.loads(path.read_text())["shards"][0]["key"] == key, "the shard that was to be made"


def test_the_next_purge_finishes_what_a_killed_one_began(workspace: Path) -> None:
    (workspace / "purged.txt").write_text(f"{GONE}\n")
    take(workspace, "stays_here2")
    assert_gone(workspace)
    assert grep(workspace, "stays_here2") == ["purged.txt"]


def test_the_users_own_file_stays_and_does_not_come_back(tmp_path: Path) -> None:
    files = {name: str(tmp_path / "mine" / f"{name}.mp4") for name in ("operation-A7", "operation-B8")}
    root = make_finished(tmp_path / "w", files)
    take(root, "operation-A7")
    assert Path(files["operation-A7"]).read_bytes() == b"the user's own file"
    assert grep(root, "operation-A7") == ["purged.txt"]
    session = open_session(root, sources=Sources((str(tmp_path / "mine"),)))
    assert [video.id for video in session.pipeline.videos] == ["operation-B8"]
    assert session.unlisted == 0


def test_a_link_purges_the_video_whatever_its_id_is_and_keeps_it_out(tmp_path: Path) -> None:
    root = make_finished(
        tmp_path / "w", {"case-17": "https://example.org/a.mp4", "case-18": "https://example.org/b.mp4"}
    )
    asked = OptOuts()
    asked.add("https://example.org/a.mp4")
    report = purge(root, asked)
    assert "case-17" in report.videos and report.remaining == ()
    assert grep(root, "case-17") == ["purged.txt"]
    again = tmp_path / "again.csv"
    again.write_text("id,url\nother-name,https://example.org/a.mp4\ncase-18,https://example.org/b.mp4\n")
    session = open_session(root, sources=Sources((str(again),)))
    assert [video.id for video in session.pipeline.videos] == ["case-18"]


def test_leftovers_of_killed_runs_and_pictures_for_inspection_go_too(workspace: Path) -> None:
    (workspace / "videos" / f".{GONE}.tmp.137.mp4.part").write_bytes(b"half")
    (workspace / ".manifest.parquet.new").write_text(GONE)
    masks = workspace / "report" / "masks"
    (masks / GONE).mkdir(parents=True)
    (masks / GONE / "000001.jpg").write_bytes(b"picture")
    (masks / "stays_here1").mkdir()
    (masks / "stays_here1" / "000001.jpg").write_bytes(b"picture")
    (workspace / "report" / "index.html").write_text(f"<p>{GONE}</p>")
    with open(next((workspace / "ledger").glob("*.jsonl")), "a") as stream:
        stream.write(f'{{"time":2.0,"video":"{GONE}","sta')
    half = workspace / "exports" / ".lmdb.tmp"
    half.mkdir()
    (half / "data").write_text(GONE)
    os.replace(workspace / "exports" / "parquet", workspace / "exports" / ".parquet.old")
    assert take(workspace, GONE).remaining == ()
    assert_gone(workspace)
    assert (masks / "stays_here1" / "000001.jpg").exists()
    assert sorted(path.name for path in (workspace / "exports").iterdir()) == sorted(FORMATS)


def test_ids_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    root = make_finished(tmp_path / "w", {"case12": "https://example.org/1", "case12_3": "https://example.org/2"})
    report = take(root, "case12")
    assert report.remaining == () and report.chance != ()
    assert not (root / "frames" / "case12.parquet").exists() and (root / "frames" / "case12_3.parquet").exists()
    keys = pq.read_table(root / "exports" / "lmdb" / "metadata.parquet")["video_id"].to_pylist()
    assert set(keys) == {"case12_3"}


def test_an_id_that_another_one_contains_is_proven_gone(tmp_path: Path) -> None:
    sources = {"trail": "https://example.org/1", "trail_1": "https://example.org/2", "trails": "https://example.org/3"}
    root = make_finished(tmp_path / "w", sources, ["parquet", "folders", "lmdb"])
    for gone, left in (("trail", {"trail_1", "trails"}), ("trail_1", {"trails"})):
        report = take(root, gone)
        assert report.proven and report.remaining == ()
        assert set(pq.read_table(root / "exports" / "lmdb" / "metadata.parquet")["video_id"].to_pylist()) == left


@pytest.mark.parametrize("damage", ["missing", "empty", "nested", "of another kind"])
@pytest.mark.parametrize("video", ["gallbladder", "abc", "-goneAway_1"])
def test_an_export_without_a_record_is_no_proof(tmp_path: Path, video: str, damage: str) -> None:
    sources = {video: "https://example.org/1", "stays": "https://example.org/2"}
    root = make_finished(tmp_path / "w", sources, ["folders"], titles={"stays": "Removal of a gallbladder, abc"})
    record = root / "exports" / "folders" / "export.json"
    texts = {"empty": "", "nested": "[" * 100_000, "of another kind": "[1, 2]"}
    record.unlink() if damage == "missing" else record.write_text(texts[damage])
    report = take(root, video)
    assert not report.proven
    assert [(export.folder.name, export.state) for export in report.exports] == [("folders", "kept")]
    pictures = [path for path in (root / "exports").rglob("*.jpg") if path.name.startswith(f"{video}_")]
    assert pictures and set(pictures) <= {mention.path for mention in report.remaining}
    shutil.rmtree(root / "exports" / "folders")
    assert take(root, video).proven


def test_a_damaged_manifest_does_not_stop_a_purge_and_is_no_proof(workspace: Path) -> None:
    for name in ("manifest.parquet", "manifest.copy.parquet"):
        (workspace / name).write_bytes(b"PAR1 damaged")
    report = take(workspace, GONE)
    assert not report.proven and "manifest.parquet" in " ".join(report.problems)
    assert GONE in (workspace / "purged.txt").read_text()
    assert not list((workspace / "frames").glob(f"{GONE}*"))
    listed = workspace.parent / "list.csv"
    listed.write_text("id,url\n" + "".join(f"{name},{url}\n" for name, url in WEB.items()))
    (workspace / "manifest.parquet").unlink()
    store(open_session(workspace, sources=Sources((str(listed),))))
    assert take(workspace, GONE).proven
    assert_gone(workspace)


def _flip(data: bytes) -> bytes:
    place = data.index(GONE.encode()) + 3
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        _flip,
        lambda data: data[: data.index(GONE.encode()) + 4],
        lambda data: data.replace(GONE.encode(), b"\xff" + GONE.encode()),
        lambda data: b"\x00" * len(data),
        lambda data: b"",
        None,
    ],
    ids=["a bit", "cut", "a bad byte", "zeros", "empty", "deleted"],
)
def test_with_damaged_tombstones_no_work_is_done(workspace: Path, damage: Callable[[bytes], bytes] | None) -> None:
    take(workspace, GONE)
    path = workspace / "purged.txt"
    whole = path.read_bytes()
    path.unlink() if damage is None else path.write_bytes(damage(whole))
    for attempt in (lambda: open_session(workspace), lambda: take(workspace, "stays_here1")):
        with pytest.raises(CurateError, match=r"purged\.(txt|sha256)"):
            attempt()
    path.write_bytes(whole)
    assert {video.id for video in open_session(workspace).pipeline.videos} == {"stays_here1", "stays_here2"}
    (workspace / "purged.sha256").unlink()
    path.write_bytes(whole.replace(GONE.encode(), b"\xff" + GONE.encode()))
    with pytest.raises(CurateError, match=r"purged\.txt"):  # as of a version that kept no checksums
        open_session(workspace)
    path.write_bytes(whole[: whole.index(GONE.encode())])
    assert open_session(workspace).exclusions.purged.ids == set(), "taken away on purpose"


def test_an_export_that_held_nothing_else_is_removed(tmp_path: Path) -> None:
    root = make_finished(tmp_path / "w", {GONE: WEB[GONE]})
    report = take(root, GONE)
    assert [export.state for export in report.exports] == ["removed", "removed"]
    assert list((root / "exports").iterdir()) == [] and grep(root, GONE) == ["purged.txt"]
    assert open_session(root).pipeline.videos == []


def test_an_export_with_other_options_is_written_with_its_own(workspace: Path) -> None:
    session = open_session(workspace, given={"export": {"short_side": 32, "formats": ("folders",)}})
    run_export(session)
    store(open_session(workspace, given={"export": {"short_side": 0}}))
    take(workspace, GONE)
    assert_gone(workspace)
    record = json.loads((workspace / "exports" / "folders" / "export.json").read_text())
    assert record["options"]["short_side"] == 32
    assert set(pq.read_table(workspace / "exports" / "folders" / "metadata.parquet")["height"].to_pylist()) == {32}


def test_the_classes_that_stay_keep_their_numbers_and_the_one_that_goes_leaves_no_word(workspace: Path) -> None:
    procedures = {GONE: "operation of Jane Roe", "stays_here1": "cholecystectomy", "stays_here2": "zzz"}
    videos = open_session(workspace).pipeline.videos
    named = [dataclasses.replace(video, procedures=(procedures[video.id],)) for video in videos]
    store_manifest(Workspace.open(workspace), named)
    for path in (workspace / "exports").iterdir():
        shutil.rmtree(path)
    given = {"export": {"formats": ("webdataset", "parquet")}}
    run_export(open_session(workspace, given=given), crew=InProcess())
    names = workspace / "exports" / "webdataset" / "classes.txt"
    assert names.read_text().splitlines() == ["unknown", "cholecystectomy", "operation-of-jane-roe", "zzz"]
    take(workspace, GONE)
    assert_gone(workspace)
    assert names.read_text().splitlines() == ["unknown", "cholecystectomy", "removed-2", "zzz"]
    table = pq.read_table(next((workspace / "exports/parquet/data").iterdir()), columns=["video_id", "label"])
    assert {(row["video_id"], row["label"]) for row in table.to_pylist()} == {("stays_here1", 1), ("stays_here2", 3)}
    assert grep(workspace, "jane") == grep(workspace, "Jane") == []
    again = run_export(open_session(workspace, given=given), crew=InProcess())
    assert not any(made.written for made in again.formats)


def test_an_export_of_curate_0_1_is_written_again_with_its_options(workspace: Path) -> None:
    path = workspace / "exports" / "clips" / "export.json"
    account = json.loads(path.read_text())
    own = account["options"].pop("clips")
    account["options"] |= {"video_crf": 40, "quality": 95, "crop": "none", "lemon_quality": 100}
    account["options"] |= {f"clip_{name}": value for name, value in own.items() if name != "crf"}
    path.write_text(json.dumps(account))
    states = {export.folder.name: export.state for export in take(workspace, GONE).exports}
    assert states["clips"] == "written"
    assert json.loads(path.read_text())["options"]["clips"] == {**own, "crf": 40}
    assert_gone(workspace)


def test_an_export_with_options_of_another_version_is_removed(workspace: Path) -> None:
    path = workspace / "exports" / "lmdb" / "export.json"
    record = json.loads(path.read_text())
    record["options"]["sharpen"] = True
    path.write_text(json.dumps(record))
    states = {export.folder.name: export for export in take(workspace, GONE).exports}
    assert states["lmdb"].state == "removed" and "sharpen" in states["lmdb"].why
    assert not (workspace / "exports" / "lmdb").exists()
    assert_gone(workspace)


def test_other_videos_without_artefacts_are_not_lost(everything: Path, workspace: Path) -> None:
    (workspace / "frames" / "stays_here1.parquet").unlink()
    report = take(workspace, GONE)
    assert {export.state for export in report.exports} == {"kept"}
    assert "stays_here1" in report.exports[0].why
    assert any(mention.path.is_relative_to(workspace / "exports" / "lmdb") for mention in report.remaining)
    assert tree_bytes(workspace / "exports") == tree_bytes(everything / "exports")
    shutil.copy(everything / "frames" / "stays_here1.parquet", workspace / "frames")
    assert take(workspace, GONE).remaining == ()
    assert_gone(workspace)


def test_formats_of_videos_need_the_files_of_the_other_videos(workspace: Path) -> None:
    (workspace / "videos" / "stays_here1.mp4").unlink()
    states = {export.folder.name: export.state for export in take(workspace, GONE).exports}
    assert {name for name, state in states.items() if state == "kept"} == {"video", "clips"}


def test_the_video_files_of_the_others_are_not_made_again(workspace: Path) -> None:
    folders = [workspace / "exports" / "video" / "train", workspace / "exports" / "clips" / "train" / "unknown"]
    before = {path: path.stat().st_ino for folder in folders for path in folder.iterdir() if GONE not in path.name}
    take(workspace, GONE)
    assert {path: path.stat().st_ino for folder in folders for path in folder.iterdir()} == before


def test_artefacts_of_other_options_are_exported_all_the_same(workspace: Path) -> None:
    store(open_session(workspace, given={"trim": {"min_run": 7.0}}))
    assert open_session(workspace).pipeline.complete() == []
    report = take(workspace, GONE)
    assert {export.state for export in report.exports} == {"written"} and report.remaining == ()
    assert_gone(workspace)


def test_what_curate_did_not_write_is_told_and_left(workspace: Path) -> None:
    (workspace / "notes.txt").write_text(f"look at {GONE} again")
    (workspace / "latest").symlink_to(f"/elsewhere/{GONE}.mp4")
    table = pa.table({"video": [[GONE], ["x"]]})
    pq.write_table(table, workspace / "mine.parquet", compression="zstd", write_statistics=False)
    remaining = {(mention.path.name, mention.where) for mention in take(workspace, GONE).remaining}
    assert {("notes.txt", "bytes at 8"), ("latest", "link")} < remaining
    assert any(name == "mine.parquet" and where.startswith(("column", "bytes")) for name, where in remaining)
    assert (workspace / "notes.txt").exists()


@pytest.mark.parametrize("moved", [".", "data"])
def test_an_export_that_lies_elsewhere_is_no_proof_until_it_is_back(
    workspace: Path, tmp_path: Path, moved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    export, elsewhere = workspace / "exports" / "parquet", tmp_path / "other disk"
    place = export / moved
    shutil.move(place, elsewhere)
    place.symlink_to(elsewhere)
    before = tree_bytes(elsewhere)
    for _ in range(2):
        assert run_command(["purge", "-w", str(workspace), "--id", GONE, "--yes"]) == 2
        assert f"{export} still holds {GONE}: {place} is a link to {elsewhere}" in capsys.readouterr().err
        assert place.is_symlink() and tree_bytes(elsewhere) == before
    place.unlink()
    shutil.move(elsewhere, place)
    assert take(workspace, GONE).proven and GONE not in videos_in(export)


def test_an_id_that_is_another_in_small_letters_is_told(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = GONE.swapcase()
    assert other != GONE and take(workspace, other).alike == (GONE,)
    assert run_command(["purge", "-w", str(workspace), "--id", other, "--yes"]) == 0
    assert f"in capitals only, and stay: {GONE}" in capsys.readouterr().err


def test_an_unknown_video_is_kept_out_all_the_same(everything: Path, workspace: Path) -> None:
    report = take(workspace, "neverSeen_9")
    assert report.unknown == ("neverSeen_9",)
    assert tree_bytes(workspace / "exports") == tree_bytes(everything / "exports")
    listed = workspace.parent / "list.csv"
    listed.write_text("id,url\nneverSeen_9,https://example.org/9\nanother,https://example.org/10\n")
    session = open_session(workspace, sources=Sources((str(listed),)))
    assert [video.id for video in session.pipeline.videos] == ["another"]


def test_a_run_that_began_before_the_purge_does_not_bring_it_back(workspace: Path) -> None:
    session = open_session(workspace)
    take(workspace, GONE)
    before = state(workspace)
    with pytest.raises(CurateError, match="purged in the meantime"):
        run_export(session)
    assert state(workspace) == before


def test_a_workspace_at_work_is_not_touched(workspace: Path) -> None:
    before = state(workspace)
    with Workspace(workspace).lock((1, 2)), pytest.raises(CurateError, match="another curate is at work"):
        take(workspace, GONE)
    assert state(workspace) == before


def test_the_search_sees_text_across_its_pieces_compressed_columns_and_wide_characters(tmp_path: Path) -> None:
    import numpy as np

    size = 4 << 20
    (tmp_path / "across").write_bytes(b"x" * (size - 3) + GONE.encode() + b"x" * 10)
    np.save(tmp_path / "wide.npy", np.array([GONE]))
    column = pa.array([{"path": f"{GONE}_1.jpg", "bytes": b"1"}] * 50)
    pq.write_table(pa.table({"image": column}), tmp_path / "packed.parquet", compression="zstd", write_statistics=False)
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    found = search_tree(tmp_path, [GONE])
    where = {mention.path.name: mention.where for mention in found.mentions}
    assert where["across"] == f"bytes at {size - 3}"
    assert where["wide.npy"].startswith("bytes at")
    assert where["packed.parquet"] == "column image.path" or where["packed.parquet"].startswith("bytes")
    assert where["torn.parquet"].startswith("unreadable")
    assert dataclasses.asdict(found)["files"] == 4


@given(
    data=st.binary(max_size=60),
    videos=st.lists(st.text("ab_-", min_size=1, max_size=9), min_size=1, unique=True),
    few=st.sampled_from([0, mentions._FEW]),
)
@settings(max_examples=300, deadline=None)
def test_the_search_finds_what_a_plain_search_finds(data: bytes, videos: list[str], few: int) -> None:
    """Both ways of looking: a small window with a few ids is looked through in another way than others."""
    mixed = data[:20] + videos[0].encode() + data[20:40] + videos[-1].encode("utf-32-le") + data[40:]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "0").write_bytes(mixed)
        with mock.patch.object(mentions, "_FEW", few):
            found = {mention.video: mention.where for mention in search_tree(Path(folder), videos).mentions}
    forms = {video: [video.encode(name) for name in ("utf-8", "utf-16-le", "utf-32-le")] for video in videos}
    firsts = {video: [place for place in map(mixed.find, forms[video]) if place >= 0] for video in videos}
    assert found == {video: f"bytes at {min(places)}" for video, places in firsts.items() if places}
