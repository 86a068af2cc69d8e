"""What is staged by a curate that calls itself the same version and is not: it is thrown away, format by format."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.exports import ExportEntry
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.staging import SHARD, ShardRecord, Staging
from curate.exports.formats.tables import ROWS
from tests.exports.making import ALL, make_entry, tree_bytes
from tests.exports.test_resume import export, with_workers

JOINED = ("lmdb", "lmdb-lemon", "dinov2")


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[ExportEntry]:
    folder = tmp_path_factory.mktemp("corpus")
    kinds = ("hernia repair", "train"), ("cholecystectomy", "val")
    return [
        make_entry(folder, f"v{i}", "n" + "s" * 9, regions=[1], procedures=(kind,), split=split)
        for i, (kind, split) in enumerate(kinds)
    ]


@pytest.fixture(scope="module")
def whole(entries: list[ExportEntry], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All formats, from nothing."""
    folder = tmp_path_factory.mktemp("whole")
    export(entries, folder, *ALL)
    return folder


def rewrite(path: Path, table: pa.Table, piece: int | None = None) -> None:
    if path.suffix == ".arrow":
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=piece)
    else:
        pq.write_table(table, path)


def change(shard: Path, how: str) -> None:
    """Make a staged shard one of another code; its checksums agree."""
    record = ShardRecord.read(shard, lambda: None)
    assert record is not None
    names = sorted(record.files)
    facts = dict(record.facts)
    tables = [name for name in names if name.endswith((".arrow", ".parquet"))]
    if how == "a file less":
        (shard / next((name for name in names if name != ROWS), ROWS)).unlink()
    elif how == "a file more":
        (shard / "more.bin").write_bytes(b"more")
    elif how == "other columns" and tables:
        for path in (shard / name for name in tables):
            table = pa.ipc.open_file(str(path)).read_all() if path.suffix == ".arrow" else pq.read_table(path)
            rewrite(path, table.drop_columns(["verdict"]))
    elif how == "other rows" and ROWS in names:
        rewrite(shard / ROWS, pa.ipc.open_file(str(shard / ROWS)).read_all().slice(1))
    elif how == "other pieces" and ROWS in names:
        rewrite(shard / ROWS, pa.ipc.open_file(str(shard / ROWS)).read_all(), piece=3)
        for joined in {"0.tar", "train.lmdb/data.mdb", "val.lmdb/data.mdb"} & set(names):
            (shard / joined).unlink()  # or nobody would look for the pieces
    facts = {"recipe": facts["recipe"], "video_files": [{"name": "v.mp4"}]} if how == "other facts" and facts else facts
    paths = [path for path in shard.rglob("*") if path.is_file() and path.suffix != ".jpg" and path.name != SHARD]
    files = {path.relative_to(shard).as_posix(): FileFacts.of(path) for path in paths}
    dataclasses.replace(record, files=files, facts=facts).write(shard)
    assert ShardRecord.read(shard, lambda: None) is not None, "its checksums agree"


@pytest.fixture
def staged(entries: list[ExportEntry], tmp_path: Path) -> Path:
    """All formats as a kill leaves them that comes before the first is published."""
    with mock.patch.object(Staging, "publish", lambda staging: None):
        export(entries, tmp_path / "exports", *ALL)
    assert not list((tmp_path / "exports").glob("[a-z]*"))
    return tmp_path / "exports"


@pytest.mark.parametrize(
    "how", ["a file less", "a file more", "other columns", "other rows", "other pieces", "other facts"]
)
def test_what_is_staged_and_not_understood_is_written_anew(
    entries: list[ExportEntry], whole: Path, staged: Path, how: str
) -> None:
    for name in ALL:
        shards = list((staged / f".{name}.tmp" / "shards").iterdir())
        assert len(shards) >= 2 * (1 + (name in JOINED))
        for shard in shards:
            change(shard, how)
    (export if how != "a file less" else with_workers)(entries, staged, *ALL)
    assert tree_bytes(staged) == tree_bytes(whole)


def test_what_is_staged_as_it_should_be_is_not_written_again(
    entries: list[ExportEntry], whole: Path, staged: Path
) -> None:
    made = export(entries, staged, *ALL).formats
    assert [one.name for one in made] == list(ALL)
    for one in made:
        assert (one.shards.new, one.shards.taken_over) == (0, 0) and one.shards.finished_before >= 2, one
    assert tree_bytes(staged) == tree_bytes(whole)
