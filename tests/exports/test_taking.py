"""Exports that take over the shards of the export that they replace."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.config import EngineOptions
from curate.engine import make_engine
from curate.exports import ExportEntry, exporter
from curate.exports.check.verify import verify_export
from curate.exports.disk.previous import Offer, offers
from curate.exports.exporter import FORMATS
from curate.exports.formats.taking import METADATA
from curate.run.export_work import EngineCrew
from tests.exports.making import PICTURES, make_entry, tree_bytes
from tests.exports.test_resume import export, padded

VIDEOS = 40


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[ExportEntry]:
    """Some videos of one to nine frames of 60 kB, some painted, of two procedures and two splits."""
    folder, rng = tmp_path_factory.mktemp("corpus"), random.Random(1)
    return [
        padded(
            make_entry(
                folder,
                f"v{i}",
                "n" + "s" * rng.randint(1, 9),
                regions=[1] if i % 5 == 0 else [],
                procedures=(("hernia repair", "cholecystectomy")[i % 3 == 0],),
                split="val" if i % 8 == 1 else "train",
                source_file=False,
            ),
            60_000,
        )
        for i in range(VIDEOS)
    ]


def inodes(folder: Path) -> dict[int, str]:
    """Names of all files by inode."""
    return {p.stat().st_ino: p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def taken(before: dict[int, str], folder: Path) -> list[str]:
    """Files of an export that are files of the one that it replaced."""
    return [name for inode, name in inodes(folder).items() if inode in before]


@pytest.mark.parametrize("seed", range(2))
def test_what_is_taken_over_is_what_would_be_made(corpus: list[ExportEntry], tmp_path: Path, seed: int) -> None:
    """Videos come and go at random, in every format; the bytes are those of an export into an empty folder."""
    rng = random.Random(seed)
    chosen = set(rng.sample(range(VIDEOS), 30))
    export([corpus[i] for i in sorted(chosen)], tmp_path / "grown", *PICTURES)
    for step in range(2):
        gone = set(rng.sample(sorted(chosen), rng.randint(0, 2)))
        come = set(rng.sample(sorted(set(range(VIDEOS)) - chosen), rng.randint(not gone, 3)))
        chosen = chosen - gone | come
        entries = [corpus[i] for i in sorted(chosen)]
        export(entries, tmp_path / "grown", *PICTURES)
        fresh = tmp_path / f"fresh{step}"
        export(entries, fresh, *PICTURES)
        assert tree_bytes(tmp_path / "grown") == tree_bytes(fresh)
        shutil.rmtree(fresh)


def without(corpus: list[ExportEntry], *gone: int) -> list[ExportEntry]:
    return [entry for i, entry in enumerate(corpus) if i not in gone]


@pytest.fixture(scope="module")
def made(corpus: list[ExportEntry], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two exports in every format from nothing, ``whole`` and ``fresh``, which lacks the third video."""
    folder = tmp_path_factory.mktemp("made")
    export(corpus, folder / "whole", *PICTURES)
    export(without(corpus, 2), folder / "fresh", *PICTURES)
    return folder


@pytest.fixture
def exported(made: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the whole export, of the format that the test is about."""
    names = [request.node.callspec.params["name"]] if "name" in request.fixturenames else PICTURES
    for name in names:
        shutil.copytree(made / "whole" / name, tmp_path / "exports" / name)
    return tmp_path / "exports"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_video_less_rewrites_few_files_of_each_format(
    corpus: list[ExportEntry], exported: Path, workers: int
) -> None:
    before = {name: inodes(exported / name) for name in PICTURES}
    crew = EngineCrew(lambda: make_engine(EngineOptions(workers=workers), exported)) if workers else None
    export(without(corpus, VIDEOS - 3), exported, *PICTURES, crew=crew)
    for name in PICTURES:
        stays = taken(before[name], exported / name)
        pictures = [n for n in inodes(exported / name).values() if n.endswith((".jpg", ".tar", ".mdb")) or "data/" in n]
        assert set(stays) <= set(pictures)
        assert not list(verify_export(exported / name, decode=False))
        if name in ("lmdb", "lmdb-lemon", "dinov2"):
            assert any(n.startswith("val") for n in stays), "the split of the video is another one"
        else:
            assert len(stays) > 0.5 * len(pictures), name


def test_new_videos_at_the_end_rewrite_the_last_files_alone(
    corpus: list[ExportEntry], made: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "fewer"
    export(corpus[:-2], folder, "parquet", "webdataset")
    for name in ("parquet", "webdataset"):
        before = inodes(folder / name)
        export(corpus, folder, name)
        fresh = [n for i, n in inodes(folder / name).items() if i not in before and n.endswith((".tar", ".parquet"))]
        data = [n for n in fresh if n not in ("videos.parquet", METADATA)]
        assert 1 <= len(data) <= 3
        assert tree_bytes(folder / name) == tree_bytes(made / "whole" / name)


def rewrite(folder: Path, change: Callable[[dict], None]) -> None:
    record = json.loads((folder / "export.json").read_text())
    change(record)
    (folder / "export.json").write_text(json.dumps(record))


@pytest.mark.parametrize("name", PICTURES)
def test_an_export_of_before_is_written_whole_once(corpus: list[ExportEntry], exported: Path, name: str) -> None:
    rewrite(exported / name, lambda record: record.pop("shards"))
    before = inodes(exported / name)
    assert not export(corpus, exported, name).formats[0].written, "it is still up to date"
    export(without(corpus, 2), exported, name)
    assert taken(before, exported / name) == []
    before = inodes(exported / name)
    export(without(corpus, 2, VIDEOS - 1), exported, name)
    assert taken(before, exported / name)


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing", "table", "link", "pipe", "folder is a link"])
@pytest.mark.parametrize("name", ["parquet", "lmdb", "webdataset", "surgenet"])
def test_damaged_files_are_made_again(
    corpus: list[ExportEntry], exported: Path, made: Path, tmp_path: Path, name: str, damage: str
) -> None:
    folder = exported / name
    data = sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size > 40_000 and p.name != METADATA)
    if damage == "table" and name != "parquet":
        data = [folder / METADATA]
    for path in data:
        if damage in ("flipped", "table"):
            flip(path, path.stat().st_size // 2)
        elif damage == "cut":
            kept = path.read_bytes()[:-1]
            path.unlink()
            path.write_bytes(kept)
        elif damage in ("missing", "pipe"):
            path.unlink()
            os.mkfifo(path) if damage == "pipe" else None
        elif damage == "link":
            shutil.move(path, outside := tmp_path / f"outside-{path.stat().st_ino}")
            path.symlink_to(outside)
    if damage == "folder is a link":
        for path in [p for p in folder.iterdir() if p.is_dir()]:
            shutil.move(path, tmp_path / "elsewhere" / path.name)
            path.symlink_to(tmp_path / "elsewhere" / path.name)
    before = inodes(tmp_path)
    entries = without(corpus, 2)
    export(entries, exported, name)
    stays = [n for n in taken(before, folder) if n.endswith((".jpg", ".tar", ".mdb")) or "data/" in n]
    if damage == "folder is a link" and name == "webdataset":
        assert stays, "its tars lie in no folder"
    else:
        assert stays == []
    assert tree_bytes(folder) == tree_bytes(made / "fresh" / name)


def retold(shards: Sequence[dict], keys: Sequence[str]) -> list[dict]:
    return [shard | {"key": key} for shard, key in zip(shards, itertools.cycle(keys), strict=False)]


@pytest.mark.parametrize("name", PICTURES)
def test_a_shard_that_held_other_videos_is_not_taken_over_whatever_its_key_says(
    corpus: list[ExportEntry], exported: Path, made: Path, name: str
) -> None:
    """The record claims that the shards with the video are those without it."""
    entries = without(corpus, 2)
    wanted = json.loads((made / "fresh" / name / "export.json").read_text())["shards"]
    held = json.loads((exported / name / "export.json").read_text())["shards"]
    fresh = [shard["key"] for shard in wanted if shard["key"] not in {shard["key"] for shard in held}]
    rewrite(exported / name, lambda record: record.update(shards=retold(record["shards"], fresh)))
    export(entries, exported, name)
    assert tree_bytes(exported / name) == tree_bytes(made / "fresh" / name)


HOSTILE = [
    "no list",
    [5],
    [{}],
    [{"key": 5, "frames": 1, "files": []}],
    [{"key": "k", "frames": -1, "files": []}],
    [{"key": "k", "frames": True, "files": []}],
    [{"key": "k", "frames": 1, "files": "x"}],
    [{"key": "k", "frames": 1, "files": ["../../secret"]}],
    [{"key": "k", "frames": 1, "files": ["/etc/passwd"]}],
]


@pytest.mark.parametrize("name", ["webdataset"])
@pytest.mark.parametrize("shards", HOSTILE, ids=str)
def test_a_record_whose_shards_make_no_sense_is_none_of_ours(
    corpus: list[ExportEntry], exported: Path, made: Path, name: str, shards: object
) -> None:
    rewrite(exported / name, lambda record: record.update(shards=shards))
    before = inodes(exported / name)
    entries = without(corpus, 2)
    export(entries, exported, name)
    assert taken(before, exported / name) == []
    assert tree_bytes(exported / name) == tree_bytes(made / "fresh" / name)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("change", ["files of others", "no files", "unknown files", "first rows", "many frames"])
def test_records_that_mix_up_shards_change_no_byte(
    corpus: list[ExportEntry], exported: Path, made: Path, name: str, change: str
) -> None:
    def mix(record: dict) -> None:
        shards = record["shards"]
        if change == "files of others":
            files = [shard["files"] for shard in shards]
            for shard, other in zip(shards, files[1:] + files[:1], strict=True):
                shard["files"] = other
        elif change == "first rows":
            shards.insert(0, {"key": "k", "frames": 1, "files": []})
        for shard in shards:
            if change == "no files":
                shard["files"] = []
            elif change == "unknown files":
                shard["files"] = ["shard.json", "rows.arrow", "export.json"]
            elif change == "many frames":
                shard["frames"] = 10**15

    rewrite(exported / name, mix)
    entries = without(corpus, 2)
    export(entries, exported, name)
    assert tree_bytes(exported / name) == tree_bytes(made / "fresh" / name)


@pytest.mark.parametrize("name", ["folders", "surgenet", "webdataset"])
def test_names_in_a_table_lead_nowhere(
    corpus: list[ExportEntry], exported: Path, made: Path, tmp_path: Path, name: str
) -> None:
    """The table says that pictures lie outside, and its checksum agrees."""
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    folder = exported / name
    table = pq.read_table(folder / METADATA)
    depth = "../" * 5
    names = [f"{depth}secret.jpg" for _ in range(table.num_rows)]
    table = table.set_column(table.schema.get_field_index("file"), table.schema.field("file"), pa.array(names))
    pq.write_table(table, folder / METADATA)
    data = (folder / METADATA).read_bytes()
    facts = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    rewrite(folder, lambda record: record["files"].update({METADATA: facts}))
    entries = without(corpus, 2)
    export(entries, exported, name)
    assert tree_bytes(folder) == tree_bytes(made / "fresh" / name)


def test_an_export_says_what_was_taken_over_and_what_is_new(
    corpus: list[ExportEntry], exported: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = {name: inodes(exported / name) for name in PICTURES}
    made = {one.name: one for one in export(without(corpus, VIDEOS - 3), exported, *PICTURES).formats}
    for name, one in made.items():
        record = json.loads((exported / name / "export.json").read_text())
        assert one.shards.new + one.shards.taken_over == len(record["shards"]) and one.shards.finished_before == 0
        assert one.shards.new > 0 and one.shards.taken_over > 0
        assert str(one.shards) == f"shards: {one.shards.new} new, {one.shards.taken_over} taken over"
        files = [name for shard in record["shards"] for name in shard["files"]]
        if len(files) == len(record["shards"]):
            assert len(set(files) & set(taken(before[name], exported / name))) == one.shards.taken_over
    again = export(without(corpus, VIDEOS - 3), exported, *PICTURES)
    assert not any(one.written or one.shards.taken_over for one in again.formats)
    assert caplog.messages == []


@pytest.mark.parametrize(("name", "workers"), [*((name, 0) for name in PICTURES), ("parquet", 2), ("lmdb", 2)])
def test_a_file_that_cannot_be_taken_over_is_named_once_and_written_anew(
    corpus: list[ExportEntry], exported: Path, made: Path, name: str, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    """All files of a split are damaged."""
    folder = exported / name
    data = sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size > 40_000 and p.name != METADATA)
    for path in data:
        if "val" in path.relative_to(folder).as_posix():
            flip(path, path.stat().st_size // 2)
    crew = EngineCrew(lambda: make_engine(EngineOptions(workers=workers), exported)) if workers else None
    (one,) = export(without(corpus, 2), exported, name, crew=crew).formats
    (said,) = caplog.messages
    assert said.startswith(f"{name}: ") and said.endswith("is not as it was written; written anew")
    assert any(path.relative_to(folder).as_posix() in said for path in data)
    record = json.loads((folder / "export.json").read_text())
    assert one.shards.new and one.shards.new + one.shards.taken_over == len(record["shards"])
    assert tree_bytes(folder) == tree_bytes(made / "fresh" / name)


@dataclasses.dataclass(frozen=True)
class Deadly(Offer):
    """What is offered ends the process that takes it, as a bus error does."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("table", "frames") or name == "files":
            os.kill(os.getpid(), signal.SIGKILL)
        return object.__getattribute__(self, name)


def deadly(folder: Path, name: str, table: str) -> dict[str, Offer]:
    """Offers as `offers` finds them, all deadly."""
    return {
        key: Deadly(offer.files, offer.table, offer.first, offer.frames)
        for key, offer in offers(folder, name, table).items()
    }


@pytest.mark.parametrize("name", ["webdataset", "folders", "dinov2"])
def test_a_shard_whose_taking_over_kills_a_worker_is_written_anew(
    corpus: list[ExportEntry],
    exported: Path,
    made: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(exporter, "offers", deadly)
    crew = EngineCrew(lambda: make_engine(EngineOptions(workers=2), exported))
    (one,) = export(without(corpus, 2), exported, name, crew=crew).formats
    assert one.shards.taken_over == 0 and one.shards.new
    assert caplog.messages and all("and nothing of it taken over" in said for said in caplog.messages)
    assert tree_bytes(exported / name) == tree_bytes(made / "fresh" / name)


def test_where_links_are_refused_files_are_copied(
    corpus: list[ExportEntry], exported: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    entries = without(corpus, 2)
    monkeypatch.setattr(os, "link", refuse)
    export(entries, exported, *PICTURES)
    monkeypatch.undo()
    assert tree_bytes(exported) == tree_bytes(made / "fresh")


def test_every_format_of_pictures_takes_over() -> None:
    assert {name for name, one in FORMATS.items() if one.take is not None} == set(PICTURES)
