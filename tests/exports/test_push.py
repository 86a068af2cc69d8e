"""Copies of exports in a real S3 server on loopback, and on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from curate.cli import run_command
from curate.errors import CurateError
from curate.exports import ExportEntry, push
from curate.exports.push import JOURNAL, PushSummary, push_export
from tests.disks import enlarge, small_disk
from tests.exports.conftest import Export
from tests.exports.making import tree_bytes

FORMATS = ("parquet", "lmdb", "webdataset", "folders")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of an S3 server."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


class Bucket:
    """A bucket as another client sees it."""

    def __init__(self, address: str, name: str) -> None:
        self.client: Any = boto3.client("s3", endpoint_url=f"http://{address}", region_name="us-east-1")
        self.client.create_bucket(Bucket=name)
        self.name, self.address = name, address

    def url(self, prefix: str) -> str:
        return f"s3://{self.name}/{prefix}?endpoint_override={self.address}&scheme=http"

    def stamps(self) -> dict[str, str]:
        """Time of change of every key."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return {item["Key"]: str(item["LastModified"]) for page in pages for item in page.get("Contents", ())}

    def contents(self, prefix: str) -> dict[str, bytes]:
        names = [key for key in self.stamps() if key.startswith(prefix) and not key.endswith("/")]
        return {key.removeprefix(f"{prefix}/"): self.read(key) for key in names}

    def read(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Bucket:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return Bucket(server, f"bucket-{abs(hash(request.node.name)) % 10**9}")


@pytest.mark.parametrize("name", FORMATS)
def test_a_copy_is_exact_and_pushing_again_copies_nothing(
    export: Export, entries: list[ExportEntry], bucket: Bucket, tmp_path: Path, name: str
) -> None:
    export(entries, name)
    folder = tmp_path / "exports" / name
    copied: list[int] = []
    done = push_export(folder, bucket.url("some/where"), progress=copied.append)
    assert bucket.contents("some/where") == tree_bytes(folder)
    assert done.copied == done.files == len(tree_bytes(folder)) and done.removed == 0
    assert sum(copied) + (folder / "export.json").stat().st_size == done.copied_bytes
    before = bucket.stamps()
    assert push_export(folder, bucket.url("some/where")) == PushSummary(done.files, 0, 0, 0)
    assert bucket.stamps() == before


@pytest.mark.parametrize("name", FORMATS)
def test_what_left_the_export_leaves_the_copy(
    export: Export, entries: list[ExportEntry], bucket: Bucket, tmp_path: Path, name: str
) -> None:
    export(entries, name)
    push_export(tmp_path / "exports" / name, bucket.url("p"))
    export(entries[1:], name, mark="one less")
    push_export(tmp_path / "exports" / name, bucket.url("p"))
    assert bucket.contents("p") == tree_bytes(tmp_path / "exports" / name)
    assert not [key for key in bucket.stamps() if "vid_a" in key]
    assert not [key for key, data in bucket.contents("p").items() if b"vid_a" in data]


def test_folders_that_left_the_export_leave_no_marker(
    export: Export, entries: list[ExportEntry], bucket: Bucket, tmp_path: Path
) -> None:
    export(entries, "folders")
    push_export(tmp_path / "exports" / "folders", bucket.url("p"))
    assert any("cholecystectomy/" in key for key in bucket.stamps())
    export(entries[1:], "folders", mark="g")
    push_export(tmp_path / "exports" / "folders", bucket.url("p"))
    assert not any("/cholecystectomy/" in key for key in bucket.stamps())


def test_a_copy_that_lost_its_account_is_not_touched(
    export: Export, entries: list[ExportEntry], tmp_path: Path
) -> None:
    export(entries, "folders")
    folder, copy = tmp_path / "exports" / "folders", tmp_path / "copy"
    push_export(folder, f"file://{copy}")
    (copy / "export.json").unlink()
    assert not (copy / JOURNAL).exists()
    with pytest.raises(CurateError, match="not empty"):
        push_export(folder, f"file://{copy}")
    assert len(tree_bytes(copy)) == len(tree_bytes(folder)) - 1


def test_a_changed_picture_alone_is_copied(export: Export, entries: list[ExportEntry], tmp_path: Path) -> None:
    export(entries, "folders", fill="none")
    folder, copy = tmp_path / "exports" / "folders", tmp_path / "copy"
    push_export(folder, f"file://{copy}")
    assert tree_bytes(copy) == tree_bytes(folder)
    export(entries, "folders", mark="painted", fill="black")
    pictures = {name for name, data in tree_bytes(folder).items() if tree_bytes(copy)[name] != data}
    done = push_export(folder, f"file://{copy}")
    assert tree_bytes(copy) == tree_bytes(folder)
    assert done.copied == len(pictures | {"export.json"}) < done.files and done.removed == 0


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_changed_but_not_in_size_is_copied(
    export: Export, entries: list[ExportEntry], tmp_path: Path, name: str
) -> None:
    export(entries, name)
    folder, copy = tmp_path / "exports" / name, tmp_path / "copy"
    push_export(folder, f"file://{copy}")
    card = (folder / "README.md").read_bytes().replace(b"Surgical", b"surgical")
    (folder / "README.md").write_bytes(card)
    record = json.loads((folder / "export.json").read_text())
    record["files"]["README.md"]["sha256"] = hashlib.sha256(card).hexdigest()
    (folder / "export.json").write_text(json.dumps(record))
    assert push_export(folder, f"file://{copy}").copied == 2
    assert tree_bytes(copy) == tree_bytes(folder)


def test_killed_in_the_middle_it_shows_no_whole_export_and_goes_on(
    export: Export, entries: list[ExportEntry], tmp_path: Path
) -> None:
    export(entries, "folders")
    folder, copy = tmp_path / "exports" / "folders", tmp_path / "copy"
    push_export(folder, f"file://{copy}")
    export(entries, "folders", mark="small", short_side=32)
    code = (
        "import os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from curate.exports.push import push_export\n"
        "def wait(count): print(count, flush=True); time.sleep(60)\n"
        "push_export(Path(sys.argv[1]), sys.argv[2], progress=wait)\n"
    )
    command = [sys.executable, "-c", code, str(folder), f"file://{copy}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert not (copy / "export.json").exists() and (copy / JOURNAL).exists()
    assert push_export(folder, f"file://{copy}").copied > 1
    assert tree_bytes(copy) == tree_bytes(folder)


def test_an_interrupted_push_keeps_what_it_copied(export: Export, entries: list[ExportEntry], tmp_path: Path) -> None:
    export(entries, "folders")
    folder, copy = tmp_path / "exports" / "folders", tmp_path / "copy"
    victim = next(folder.rglob("*.jpg"))
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1] + b"!")
    with pytest.raises(CurateError, match=f"{victim.name} does not have the checksum"):
        push_export(folder, f"file://{copy}")
    assert not (copy / "export.json").exists()
    victim.write_bytes(whole)
    push_export(folder, f"file://{copy}")
    assert tree_bytes(copy) == tree_bytes(folder)


def test_a_damaged_export_is_refused_and_leaves_the_copy_alone(
    export: Export, entries: list[ExportEntry], bucket: Bucket, tmp_path: Path
) -> None:
    folder = tmp_path / "exports" / "lmdb"
    export(entries[:1], "lmdb")
    push_export(folder, bucket.url("p"))
    before = bucket.stamps()
    export(entries, "lmdb", mark="more")
    data = folder / "train.lmdb" / "data.mdb"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    with pytest.raises(CurateError, match=r"data\.mdb does not have the checksum"):
        push_export(folder, bucket.url("p"))
    assert bucket.stamps() == before


def test_a_file_that_changes_while_it_is_sent_does_not_stay(
    export: Export, entries: list[ExportEntry], bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "_CHUNK", 1000)
    export(entries, "parquet")
    folder = tmp_path / "exports" / "parquet"
    (shard,) = (folder / "data").iterdir()

    def spoil(_: int) -> None:
        shard.write_bytes(b"!" * shard.stat().st_size)

    with pytest.raises(CurateError, match="does not have the checksum"):
        push_export(folder, bucket.url("p"), progress=spoil)
    assert not [name for name, data in bucket.contents("p").items() if data.startswith(b"!!")]
    assert "export.json" not in bucket.contents("p")


def test_the_journal_saves_copying_again(export: Export, entries: list[ExportEntry], tmp_path: Path) -> None:
    export(entries, "folders")
    folder, copy = tmp_path / "exports" / "folders", tmp_path / "copy"
    push_export(folder, f"file://{copy}")
    record = json.loads((copy / "export.json").read_text())
    (copy / "export.json").unlink()
    journal = {"format": "folders", "files": {k: v for k, v in record["files"].items() if k != "README.md"}}
    (copy / JOURNAL).write_text(json.dumps(journal))
    done = push_export(folder, f"file://{copy}")
    loose = len(list(folder.rglob("*.jpg")))
    assert done.copied == loose + 2  # pictures, README.md, export.json: all that the journal does not tell of
    assert tree_bytes(copy) == tree_bytes(folder)


def test_a_place_with_other_things_is_left_alone(
    export: Export, entries: list[ExportEntry], bucket: Bucket, tmp_path: Path
) -> None:
    export(entries, "parquet", "lmdb")
    bucket.client.put_object(Bucket=bucket.name, Key="thesis/chapter1.tex", Body=b"Once")
    with pytest.raises(CurateError, match="not empty and holds no copy"):
        push_export(tmp_path / "exports" / "parquet", bucket.url("thesis"))
    push_export(tmp_path / "exports" / "parquet", bucket.url("data"))
    with pytest.raises(CurateError, match="format parquet"):
        push_export(tmp_path / "exports" / "lmdb", bucket.url("data"))
    assert bucket.read("thesis/chapter1.tex") == b"Once"
    assert bucket.contents("data") == tree_bytes(tmp_path / "exports" / "parquet")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://no-such-bucket/x?endpoint_override={server}&scheme=http", "no bucket 'no-such-bucket'"),
        ("s3://someone:hush@no-such-bucket/x?endpoint_override={server}&scheme=http", "s3://no-such-bucket/x"),
        ("s3://bucket/x?endpoint_override=127.0.0.1:9&scheme=http", "cannot be reached"),
        ("s3://bucket/x?colour=red", "colour"),
        ("floppy://bucket/x", "known are s3://"),
        ("bucket/x", "is not a URL"),
        ("file:///proc/nowhere", "file:///proc/nowhere: check"),
    ],
)
def test_a_place_that_cannot_be_used_is_a_clear_error(
    export: Export, entries: list[ExportEntry], bucket: Bucket, tmp_path: Path, url: str, said: str
) -> None:
    export(entries, "parquet")
    with pytest.raises(CurateError) as raised:
        push_export(tmp_path / "exports" / "parquet", url.format(server=bucket.address))
    assert said in str(raised.value) and "hush" not in str(raised.value)


def test_a_full_disk_is_told_and_the_next_push_goes_on(
    export: Export, entries: list[ExportEntry], tmp_path: Path
) -> None:
    export(entries, "folders")
    folder = tmp_path / "exports" / "folders"
    with small_disk(tmp_path / "small", "64k") as disk:
        place = (disk / "copy").as_uri()
        with pytest.raises(CurateError, match=r"free space there, .*\(No space left on device\)"):
            push_export(folder, place)
        enlarge(disk, "16m")
        push_export(folder, place)
        assert tree_bytes(disk / "copy") == tree_bytes(folder)


def test_the_command_pushes_every_format_to_a_folder_of_its_name(
    export: Export, entries: list[ExportEntry], bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(entries, "parquet", "lmdb")
    arguments = ["push", str(tmp_path / "exports"), bucket.url("v1/")]
    assert run_command(arguments) == 0
    for name in ("parquet", "lmdb"):
        assert bucket.contents(f"v1/{name}") == tree_bytes(tmp_path / "exports" / name)
    capsys.readouterr()
    assert run_command(arguments) == 0
    assert capsys.readouterr().out.count("up to date") == 2
    assert run_command(["push", str(tmp_path), bucket.url("v2")]) == 1
    assert "is not an export" in capsys.readouterr().err
