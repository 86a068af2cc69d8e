from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys

import lmdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.cli import run_command
from curate.config import ClipsOptions, ExportOptions
from curate.errors import CurateError
from curate.exports import export_dataset
from curate.exports.check.verify import verify_export
from tests.exports.damaging import bless, found
from tests.exports.making import ALL, PICTURES, encode, make_entry, picture


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    entries = [
        make_entry(folder / "in", "first", "nsssnss", regions=[2], procedures=("x",)),
        make_entry(folder / "in", "second", "s" * 5, procedures=("y",)),
        make_entry(folder / "in", "third", "ss", split="val", procedures=("y",)),
    ]
    options = ExportOptions(formats=ALL, clips=ClipsOptions(seconds=2.0, stride=1.0))
    export_dataset(entries, options, folder / "out", context={})
    return folder / "out"


@pytest.fixture
def copy(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("name", PICTURES)
def test_a_sound_export_has_no_problems(sound, name):
    looked_at = []
    assert list(verify_export(sound / name, progress=lambda: looked_at.append(1))) == []
    assert len(looked_at) == 12


@pytest.mark.parametrize("name", ALL)
def test_one_flipped_bit_in_any_file_is_found(copy, name):
    files = [path for path in (copy / name).rglob("*") if path.is_file() and path.name != "export.json"]
    for path in files:
        data = path.read_bytes()
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
        problems = found(copy / name, decode=False)
        assert (path.relative_to(copy / name).as_posix(), "does not have the checksum it was written with") in problems
        path.write_bytes(data)


@pytest.mark.parametrize("name", ALL)
def test_missing_and_extra_files_are_named(copy, name):
    victim = next(
        path for path in sorted((copy / name).rglob("*")) if path.suffix in {".parquet", ".jpg", ".tar", ".mdb", ".mp4"}
    )
    victim.unlink()
    stray = copy / name / "stray.bin"
    stray.write_bytes(b"x")
    problems = found(copy / name)
    assert (victim.relative_to(copy / name).as_posix(), "is missing") in problems
    assert ("stray.bin", "is not listed in export.json") in problems


@pytest.mark.parametrize("name", ALL)
def test_any_file_that_is_missing_is_told_in_words(copy, name, capsys):
    pictures = 0
    for path in sorted(path for path in (copy / name).rglob("*") if path.is_file()):
        pictures += path.suffix == ".jpg"
        if pictures > 1 and path.suffix == ".jpg":
            continue
        aside = path.rename(copy / "aside")
        for command in (["verify", str(copy / name)], ["push", str(copy / name), (copy / "there").as_uri()]):
            assert run_command(command) == (1 if command[0] == "push" or path.name == "export.json" else 2)
            said = "".join(capsys.readouterr())
            assert "rrno" not in said and "Traceback" not in said, said
            assert path.relative_to(copy / name).as_posix() in said
        aside.rename(path)


def test_a_key_without_a_picture_and_a_picture_without_a_key(copy):
    folder = copy / "lmdb"
    environment = lmdb.open(str(folder / "train.lmdb"), map_size=1 << 24, lock=False)
    with environment, environment.begin(write=True) as transaction:
        transaction.delete(b"second_3")
        transaction.put(b"second_77", encode(picture(0)))
    bless(folder)
    first, second, third = found(folder)
    assert first == ("second_77", "is in the environment but not in metadata.parquet")
    assert second == ("second_3", "is in metadata.parquet but not in the environment")
    assert third[0] == "second_3" and "cannot be read" in third[1]


def test_a_picture_that_cannot_be_decoded_or_has_another_size(copy):
    folder = copy / "folders"
    table = pq.read_table(folder / "metadata.parquet")
    rows = table.to_pylist()
    for index, data in ((0, b"not a jpeg"), (1, encode(picture(0, 50, 40)))):
        (folder / rows[index]["file"]).write_bytes(data)
        rows[index] |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    pq.write_table(pa.Table.from_pylist(rows, table.schema), folder / "metadata.parquet")
    bless(folder)
    problems = dict(found(folder))
    assert set(problems) == {rows[0]["key"], rows[1]["key"]}
    assert "cannot be decoded" in problems[rows[0]["key"]]
    assert problems[rows[1]["key"]] == "is 50x40, its row says 96x64"
    assert found(folder, decode=False) == []


def test_metadata_that_lost_a_row(copy):
    folder = copy / "webdataset"
    table = pq.read_table(folder / "metadata.parquet")
    pq.write_table(table.slice(1), folder / "metadata.parquet")
    bless(folder)
    wheres = [where for where, _ in found(folder)]
    assert {"train", "_info.json", "sizes.json", "videos.parquet", "export.json"} <= set(wheres)


def test_entries_that_point_elsewhere(copy):
    folder = copy / "dinov2"
    path = folder / "train-extra" / "entries.npy"
    entries = np.load(path)
    entries["start_offset"][2] += 512
    np.save(path, entries)
    bless(folder)
    assert found(folder) == [("first_2", "train-extra/entries.npy points elsewhere")]


@pytest.mark.parametrize("agrees", [False, True], ids=["cut short", "cut short, and the record agrees"])
def test_a_truncated_lmdb_is_a_finding_and_not_the_end_of_the_process(copy, agrees):
    """In a process of its own: LMDB maps the file, and who reads past its end is killed by SIGBUS."""
    data = copy / "lmdb" / "train.lmdb" / "data.mdb"
    with open(data, "r+b") as stream:
        stream.truncate(data.stat().st_size // 2 // 4096 * 4096)
    if agrees:
        bless(copy / "lmdb")
    code = "import sys; from curate.cli import run_command; sys.exit(run_command(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "verify", str(copy / "lmdb")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    if agrees:
        assert "lmdb: train cannot be read: is cut short: it has" in done.stdout
    else:
        assert "train.lmdb/data.mdb has " in done.stdout and "train.lmdb is not opened" in done.stdout


@pytest.mark.parametrize("length", [0, 100, 4096])
def test_an_lmdb_of_hardly_anything_is_a_finding(copy, length):
    with open(copy / "lmdb" / "train.lmdb" / "data.mdb", "r+b") as stream:
        stream.truncate(length)
    bless(copy / "lmdb")
    assert [where for where, _ in found(copy / "lmdb")] == ["train"]


def test_a_picture_outside_the_splits_that_a_reader_would_take(copy):
    """ImageFolder on the export itself, as on any folder, takes every picture that lies there."""
    for name in ("folders", "surgenet", "parquet"):
        (copy / name / "extra" / "y").mkdir(parents=True)
        (copy / name / "extra" / "y" / "a.jpg").write_bytes(encode(picture(0)))
        (copy / name / "b.jpg").write_bytes(encode(picture(0)))
        expected = [(where, "is not listed in export.json") for where in ("b.jpg", "extra/y/a.jpg")]
        assert found(copy / name) == expected


@pytest.mark.parametrize("name", ["folders", "parquet"])
def test_empty_folders_and_links_are_named(copy, tmp_path, name):
    (copy / name / "train" / "empty").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.jpg").write_bytes(encode(picture(0)))
    (copy / name / "train" / "linked").symlink_to(tmp_path / "elsewhere")
    (copy / name / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(copy / name / "pipe")
    assert found(copy / name) == [
        ("dangling.jpg", "is a link: an export has none"),
        ("pipe", "is neither a file nor a folder"),
        ("train/linked", "is a link: an export has none"),
        ("train/empty", "is an empty folder, which the export did not make"),
    ]


def test_the_command_checks_one_export_or_all_of_a_folder(copy, capsys):
    assert run_command(["verify", str(copy)]) == 0
    assert capsys.readouterr().out.count(": sound") == len(ALL)
    (copy / "dinov2" / "train" / "x.tar").write_bytes(b"")
    assert run_command(["verify", str(copy / "lmdb"), str(copy / "dinov2")]) == 2
    out = capsys.readouterr().out
    assert "lmdb: sound" in out and "dinov2: train/x.tar has 0 bytes" in out


def test_what_is_not_an_export_is_said(tmp_path, capsys):
    with pytest.raises(CurateError, match="not an export"):
        list(verify_export(tmp_path))
    (tmp_path / "export.json").write_text('{"files": []}')
    assert run_command(["verify", str(tmp_path)]) == 1
    assert "is not an export" in capsys.readouterr().err
