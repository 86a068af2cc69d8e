"""Exports that do not come to their end and go on: by shards, in several processes, with real kills."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq
import pytest

from curate.config import ClipsOptions, EngineOptions, ExportOptions, ParquetOptions, WebDatasetOptions
from curate.engine import make_engine
from curate.errors import CurateError
from curate.exports import ExportEntry, ExportSummary, export_dataset
from curate.exports.check.verify import verify_export
from curate.exports.exporter import Crew
from curate.exports.formats import dinov2, folders, lmdb
from curate.run.export_work import EngineCrew
from curate.workspace.seals import DamagedArtefact, Seal, SealedFiles
from tests.exports.making import ALL, make_entry, tree_bytes

FRAMES = 48
VIDEOS = 3
ROOT = Path(__file__).resolve().parents[2]


def padded(entry: ExportEntry, size: int) -> ExportEntry:
    """Blow the pictures up with zeros, which decoders ignore, so that few make a shard."""
    table = pq.read_table(entry.frames)
    images = [jpeg + bytes(size - len(jpeg)) for jpeg in table.column("image").to_pylist()]
    table = table.set_column(table.schema.get_field_index("image"), table.schema.field("image"), [images])
    pq.write_table(table, entry.frames, row_group_size=5, compression="none", use_dictionary=False)
    return entry


def make_video(folder: Path, index: int, name: str = "") -> ExportEntry:
    """A video with 3 MB of pictures; the one in the middle is in a split of its own."""
    entry = make_entry(
        folder,
        name or f"v{index}",
        "n" + "s" * FRAMES,
        regions=[4, 9],
        procedures=("hernia repair" if index else "cholecystectomy",),
        split="val" if index == 1 else "train",
    )
    return padded(entry, 60_000)


@pytest.fixture
def many(tmp_path: Path) -> list[ExportEntry]:
    """Three videos of two procedures and two splits, 9 MB of pictures."""
    return [make_video(tmp_path / "in", index) for index in range(VIDEOS)]


@contextlib.contextmanager
def small_portions() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for module in (folders, lmdb, dinov2):
            stack.enter_context(mock.patch.object(module, "PORTION", 1_000_000))
        yield


def export(
    entries: list[ExportEntry],
    folder: Path,
    *names: str,
    progress: Callable[[str, int], None] | None = None,
    mark: str = "f",
    crew: Crew | None = None,
) -> ExportSummary:
    """Export with small shards and portions, and short clips."""
    options = ExportOptions(
        formats=names,
        parquet=ParquetOptions(shard_size=1),
        webdataset=WebDatasetOptions(shard_size=1),
        clips=ClipsOptions(seconds=2, stride=2, rate=5),
    )
    with small_portions():
        return export_dataset(entries, options, folder, context={"a": mark}, progress=progress, crew=crew)


def with_workers(
    entries: list[ExportEntry], folder: Path, *names: str, workers: int = 2, mark: str = "f"
) -> ExportSummary:
    """The same in worker processes."""
    folder.mkdir(exist_ok=True)
    crew = EngineCrew(lambda: make_engine(EngineOptions(workers=workers), folder))
    return export(entries, folder, *names, crew=crew, mark=mark)


def staged(folder: Path, name: str) -> dict[str, int]:
    """Inode of every file of the finished shards of an export that is not whole, by path."""
    root = folder / f".{name}.tmp" / "shards"
    return {str(p.relative_to(root)): p.stat().st_ino for p in root.rglob("*") if p.is_file()}


def inodes(folder: Path) -> set[int]:
    return {path.stat().st_ino for path in folder.rglob("*")}


class Stopped(Exception):
    pass


def after(shards: int, error: type[BaseException]) -> Callable[[str, int], None]:
    """Raises an error once some shards are finished."""
    calls: list[int] = []

    def count(name: str, frames: int) -> None:
        calls.append(frames)
        if len(calls) == shards:
            raise error

    return count


CHILD = """
import pickle, resource, sys
from pathlib import Path
from curate.errors import CurateError

if __name__ == "__main__":
    from tests.exports.test_resume import with_workers
    folder, limit, names = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    entries = pickle.loads((folder / "entries").read_bytes())
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        with_workers(entries, folder / "exports", *names)
    except CurateError as error:
        print(error)
        raise SystemExit(7)
"""


def start(folder: Path, entries: list[ExportEntry], *names: str, limit: int = 0) -> subprocess.Popen[str]:
    """Begin an export to ``folder/exports`` with two workers, in a process group of its own."""
    import pickle

    (folder / "entries").write_bytes(pickle.dumps(entries))
    (folder / "child.py").write_text(CHILD)
    return subprocess.Popen(
        [sys.executable, str(folder / "child.py"), str(folder), str(limit), *names],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in children.read_text().split()] if children.exists() else []


def test_the_bytes_do_not_depend_on_the_number_of_processes(many, tmp_path):
    export(many, tmp_path / "one", *ALL)
    summary = with_workers(many, tmp_path / "two", *ALL)
    assert [made.name for made in summary.formats] == list(ALL) and all(made.written for made in summary.formats)
    assert tree_bytes(tmp_path / "one") == tree_bytes(tmp_path / "two")
    assert len(list((tmp_path / "one" / "webdataset").glob("train-*.tar"))) > 4
    for name in ALL:
        assert not list(verify_export(tmp_path / "two" / name))


@pytest.mark.parametrize("victim", ["group", "parent", "worker"])
def test_kills_in_the_middle_of_ten_formats_change_no_byte(many, tmp_path, victim):
    export(many, tmp_path / "whole", *ALL)
    rng = random.Random(victim)
    kills = int(os.environ.get("CURATE_KILLS", "2"))
    while kills:
        child = start(tmp_path, many, *ALL)
        seen = len(list((tmp_path / "exports").glob(".*.tmp/shards/*")))
        deadline = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline:
            if len(list((tmp_path / "exports").glob(".*.tmp/shards/*"))) > seen + 1:
                break
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        with contextlib.suppress(ProcessLookupError):
            if victim == "group":
                os.killpg(child.pid, signal.SIGKILL)
            elif victim == "parent":
                child.kill()
            else:
                for worker in workers_of(child.pid)[:1]:
                    os.kill(worker, signal.SIGKILL)
        said, _ = child.communicate(timeout=120)
        assert "Traceback" not in said, said
        if victim != "worker" and child.returncode == 0:  # it was faster
            shutil.rmtree(tmp_path / "exports")
            continue
        kills -= 1
        assert child.returncode == (0 if victim == "worker" else -signal.SIGKILL)
    with_workers(many, tmp_path / "exports", *ALL)
    assert tree_bytes(tmp_path / "exports") == tree_bytes(tmp_path / "whole")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("parquet", KeyboardInterrupt),
        ("webdataset", OSError),
        ("surgenet", Stopped),
        ("dinov2", Stopped),
        ("lmdb-lemon", KeyboardInterrupt),
        ("clips", Stopped),
    ],
)
def test_whatever_ends_an_export_what_is_finished_is_not_written_again(many, tmp_path, name, error):
    with pytest.raises(CurateError if error is OSError else error):
        export(many, tmp_path / "exports", name, progress=after(2, error))
    before = staged(tmp_path / "exports", name)
    with pytest.raises(CurateError if error is OSError else error):
        export(many, tmp_path / "exports", name, progress=after(3, error))
    assert before.items() <= staged(tmp_path / "exports", name).items()
    calls: list[int] = []
    export(many, tmp_path / "exports", name, progress=lambda _, frames: calls.append(frames))
    if name in ("parquet", "webdataset", "surgenet", "clips"):
        made = {inode for path, inode in before.items() if not path.endswith(("json", "arrow"))}
        assert made and made <= inodes(tmp_path / "exports" / name)
    assert calls[-1] == VIDEOS * FRAMES
    export(many, tmp_path / "whole", name)
    assert tree_bytes(tmp_path / "exports") == tree_bytes(tmp_path / "whole")


def test_a_disk_that_is_full_for_the_workers_costs_nothing_that_is_finished(many, tmp_path):
    child = start(tmp_path, many, "webdataset", "lmdb", limit=1_300_000)
    said, _ = child.communicate(timeout=120)
    assert child.returncode == 7 and "Traceback" not in said, said
    assert re.search(r"cannot write the export: lmdb: File too large: .*(train|val)\.lmdb/data\.mdb; free", said), said
    assert "What is finished is kept" in said
    finished = staged(tmp_path / "exports", "lmdb")
    assert finished and not (tmp_path / "exports" / "lmdb").exists()
    assert (tmp_path / "exports" / "webdataset").exists(), "it has no file as large as that"
    with_workers(many, tmp_path / "exports", "webdataset", "lmdb")
    export(many, tmp_path / "whole", "webdataset", "lmdb")
    assert tree_bytes(tmp_path / "exports") == tree_bytes(tmp_path / "whole")


@pytest.fixture(params=["webdataset", "dinov2", "folders", "clips"])
def interrupted(request, many, tmp_path) -> tuple[str, Path]:
    """Format and folder of an export that was stopped before its last shard counted."""
    with pytest.raises(Stopped):
        export(many, tmp_path / "exports", request.param, progress=after(3, Stopped))
    return request.param, tmp_path / "exports"


def shard_folders(folder: Path, name: str) -> list[Path]:
    return sorted((folder / f".{name}.tmp" / "shards").iterdir())


def test_what_is_not_as_it_was_written_is_written_again(many, interrupted, tmp_path):
    name, folder = interrupted
    victim = shard_folders(folder, name)[0]
    suffix = {"webdataset": ".tar", "dinov2": ".arrow", "folders": ".jpg", "clips": ".mp4"}[name]
    path = sorted(victim.rglob(f"*{suffix}"))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    export(many, folder, name)
    export(many, tmp_path / "whole", name)
    assert tree_bytes(folder) == tree_bytes(tmp_path / "whole")


def test_records_of_shards_that_make_no_sense_are_not_believed(many, tmp_path):
    folder = tmp_path / "exports"
    with pytest.raises(Stopped):
        export(many, folder, "webdataset", progress=after(6, Stopped))
    records = [path / "shard.json" for path in shard_folders(folder, "webdataset")]
    outside = json.loads(records[0].read_text())
    outside["files"]["../../../../in/v0.frames.parquet"] = {"size": 1, "sha256": ""}
    negative = '{"frames": -1, "files": {}, "facts": {}}'
    for path, text in zip(records, [json.dumps(outside), negative, "\0" * 80, '{"frames": 3}', "[]"], strict=False):
        path.write_text(text)
    export(many, folder, "webdataset")
    export(many, tmp_path / "whole", "webdataset")
    assert tree_bytes(folder) == tree_bytes(tmp_path / "whole")


@pytest.mark.parametrize("change", ["context", "artefact", "video"])
def test_nothing_is_taken_over_from_another_input(many, interrupted, tmp_path, change):
    name, folder = interrupted
    if change == "artefact":
        os.utime(many[0].verdicts, ns=(1, 1))
    entries = many[1:] if change == "video" else many
    mark = "other" if change == "context" else "f"
    export(entries, folder, name, mark=mark)
    export(entries, tmp_path / "whole", name, mark=mark)
    assert tree_bytes(folder) == tree_bytes(tmp_path / "whole")


def test_what_another_format_left_is_removed(many, interrupted):
    _, folder = interrupted
    export(many, folder, "surgenet")
    assert [path.name for path in folder.iterdir()] == ["surgenet"]


@pytest.mark.parametrize("name", ["parquet", "folders", "lmdb", "clips"])
def test_another_plan_takes_over_the_shards_that_it_shares(many, tmp_path, name):
    with pytest.raises(Stopped):
        export(many, tmp_path / "exports", name, progress=after(2, Stopped))
    before = staged(tmp_path / "exports", name)
    more = [*many, make_video(tmp_path / "in", 3)]
    with pytest.raises(Stopped):
        export(more, tmp_path / "exports", name, progress=after(3, Stopped))
    assert before.items() <= staged(tmp_path / "exports", name).items()
    export(more, tmp_path / "exports", name)
    export(more, tmp_path / "whole", name)
    assert tree_bytes(tmp_path / "exports") == tree_bytes(tmp_path / "whole")


def spoil_picture(entry: ExportEntry, n: int) -> None:
    """Cut the JPEG of a frame short."""
    table = pq.read_table(entry.frames)
    images = table.column("image").to_pylist()
    images[n] = images[n][:60]
    index = table.schema.get_field_index("image")
    table = table.set_column(index, table.schema.field("image"), [images])
    pq.write_table(table, entry.frames, row_group_size=5, compression="none", use_dictionary=False)


@pytest.mark.parametrize(
    ("name", "workers"), [("webdataset", 0), ("lmdb", 0), ("surgenet", 0), ("parquet", 0), ("lmdb", 2)]
)
def test_a_bad_picture_costs_the_shards_of_its_video_and_no_other(many, tmp_path, name, workers):
    spoil_picture(many[2], 9)
    seen: list[dict[str, int]] = []
    folder = tmp_path / "exports"
    if workers:
        with_workers(many, folder, name)
    else:
        export(many, folder, name, progress=lambda *_: seen.append(staged(folder, name)))
        for earlier, later in itertools.pairwise(seen):
            assert earlier.items() <= later.items(), "what was finished is written again"
    record = json.loads((folder / name / "export.json").read_text())
    assert list(record["left_out"]) == ["v2"] and record["counts"]["videos"] == 2
    assert not list(verify_export(folder / name))
    others = export(many[:2], tmp_path / "others", name)
    assert others.formats[0].frames == record["counts"]["frames"]


def test_an_export_that_goes_on_knows_the_video_that_is_broken(many, tmp_path):
    whole = many[2].frames.read_bytes()
    spoil_picture(many[2], 9)
    with pytest.raises(Stopped):
        export(many, tmp_path / "exports", "webdataset", progress=after(8, Stopped))
    before = staged(tmp_path / "exports", "webdataset")
    assert (tmp_path / "exports" / ".webdataset.tmp" / "broken.json").exists()
    export(many, tmp_path / "exports", "webdataset")
    assert set(before.values()) & inodes(tmp_path / "exports" / "webdataset")
    record = json.loads((tmp_path / "exports" / "webdataset" / "export.json").read_text())
    assert list(record["left_out"]) == ["v2"]
    many[2].frames.write_bytes(whole)
    export(many, tmp_path / "exports", "webdataset")
    assert json.loads((tmp_path / "exports" / "webdataset" / "export.json").read_text())["left_out"] == {}


@pytest.mark.parametrize("workers", [0, 2])
def test_damage_to_one_video_lets_the_others_finish(many, tmp_path, workers):
    """Once it is mended, one shard is written: that of the damaged video."""
    sealed = [
        dataclasses.replace(
            entry, sealed=SealedFiles(entry.video.id, {entry.frames: ("sample", Seal.of(entry.frames))})
        )
        for entry in many
    ]
    good = many[1].frames.read_bytes()
    bad = bytearray(good)
    bad[-200_000] ^= 1
    many[1].frames.write_bytes(bytes(bad))
    run = with_workers if workers else export
    with pytest.raises(DamagedArtefact, match=r"v1\.frames\.parquet is not as sample left it"):
        run(sealed, tmp_path / "exports", "parquet", "clips")
    before = staged(tmp_path / "exports", "parquet")
    assert before
    many[1].frames.write_bytes(good)
    run(sealed, tmp_path / "exports", "parquet", "clips")
    files = {inode for path, inode in before.items() if path.endswith(".parquet")}
    assert files <= inodes(tmp_path / "exports" / "parquet")
    export(sealed, tmp_path / "whole", "parquet", "clips")
    assert tree_bytes(tmp_path / "exports") == tree_bytes(tmp_path / "whole")


def test_no_file_gets_larger_than_asked_for_whatever_encoding_makes_of_the_pictures(many, tmp_path):
    """The sampled pictures are the smaller ones here: shards that were planned full need a second file."""
    options = ExportOptions(
        formats=("webdataset", "parquet", "lmdb-lemon"),
        parquet=ParquetOptions(shard_size=1),
        webdataset=WebDatasetOptions(shard_size=1),
        crop="lemon-black",
        quality=100,
        outside="black",
    )
    noisy = [make_noisy(tmp_path / "noisy", f"n{index}") for index in range(2)]
    summary = export_dataset(noisy, options, tmp_path / "exports", context={})
    for made in summary.formats[:2]:
        files = [path for path in made.folder.rglob("*") if path.suffix in (".tar", ".parquet") and "0" in path.name]
        assert len(files) > 2 and max(path.stat().st_size for path in files) <= 1_000_000
        assert not list(verify_export(made.folder))


def make_noisy(folder: Path, name: str) -> ExportEntry:
    """A video of noise, sampled at a low quality, all of it painted at its edge."""
    import numpy as np
    import simplejpeg

    field = {"shape": "circle", "score": 1.0, "x1": 8, "y1": 0, "x2": 312, "y2": 240}
    field |= {"cx": 160.0, "cy": 120.0, "rx": 152.0, "ry": 152.0}
    entry = make_entry(folder, name, "s" * 40, size=(320, 240), fields=[field], source_file=False)
    draw = np.random.default_rng(0)
    table = pq.read_table(entry.frames)
    images = [simplejpeg.encode_jpeg(draw.integers(40, 255, (240, 320, 3), np.uint8), quality=30) for _ in range(40)]
    index = table.schema.get_field_index("image")
    table = table.set_column(index, table.schema.field("image"), [images])
    pq.write_table(table, entry.frames, row_group_size=5, compression="none", use_dictionary=False)
    return entry
