"""Exports of a stranger: names that lead out, records of any shape, links; nothing else is read or passed on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.cli import run_command
from curate.config import ExportOptions
from curate.errors import CurateError
from curate.exports import export_dataset
from curate.exports.check.verify import verify_export
from curate.exports.disk.folder import inner_path, is_inner, read_record
from curate.exports.push import push_export
from tests.exports.making import make_entry

FORMATS = ("parquet", "lmdb", "folders", "webdataset", "video")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untrusted")
    entries = [make_entry(folder / "in", name, "nsss", procedures=("x",)) for name in ("first", "second")]
    export_dataset(entries, ExportOptions(formats=FORMATS), folder / "out", context={})
    return folder / "out"


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "copy"))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "id_rsa"
    path.write_bytes(b"the user's own key")
    return path


def change(export: Path, **values: Any) -> None:
    path = export / "export.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def list_also(export: Path, name: str, content: bytes) -> None:
    record = json.loads((export / "export.json").read_text())
    facts = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    change(export, files={**record["files"], name: facts})


def sent(place: Path) -> list[bytes]:
    return [path.read_bytes() for path in place.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "name", ["../../id_rsa", "/etc/passwd", "a/../../../id_rsa", "./x", "", "a//b", "a\\b", "a\x1b"]
)
def test_a_name_in_the_record_that_leads_out_is_refused(copy: Path, secret: Path, name: str, tmp_path: Path) -> None:
    list_also(copy / "lmdb", name, secret.read_bytes())
    with pytest.raises(CurateError, match=r"export\.json has something under 'files'"):
        list(verify_export(copy / "lmdb"))
    with pytest.raises(CurateError, match="'files'"):
        push_export(copy / "lmdb", f"file://{tmp_path}/there")
    assert read_record(copy / "lmdb") is None and not (tmp_path / "there").exists()


def test_a_link_that_leads_out_is_named_and_not_copied(copy: Path, secret: Path, tmp_path: Path) -> None:
    (copy / "lmdb" / "extra.txt").symlink_to(secret)
    list_also(copy / "lmdb", "extra.txt", secret.read_bytes())
    assert ("extra.txt", "is or lies behind a link that leads out of the export") in [
        (problem.where, problem.what) for problem in verify_export(copy / "lmdb")
    ]
    with pytest.raises(CurateError, match="link that leads out of the export"):
        push_export(copy / "lmdb", f"file://{tmp_path}/there")
    assert secret.read_bytes() not in sent(tmp_path / "there")


@pytest.mark.parametrize("name", ["../../id_rsa", "/etc/passwd", "train/link.jpg"])
@pytest.mark.parametrize("kind", ["folders", "webdataset", "video"])
def test_a_name_in_a_table_that_leads_out_is_named(
    copy: Path, secret: Path, name: str, kind: str, tmp_path: Path
) -> None:
    export = copy / kind
    (export / "train").mkdir(exist_ok=True)
    (export / "train" / "link.jpg").symlink_to(secret)
    table = pq.read_table(export / "metadata.parquet")
    values = [name, *table.column("file").to_pylist()[1:]]
    index = table.schema.get_field_index("file")
    pq.write_table(table.set_column(index, "file", pa.array(values)), export / "metadata.parquet")
    list_also(export, "metadata.parquet", (export / "metadata.parquet").read_bytes())
    problems = list(verify_export(export))
    assert any("leads out of the export" in problem.what for problem in problems)
    assert not any("own key" in problem.what for problem in problems)
    if kind == "folders":
        with pytest.raises(CurateError, match="leads out of the export"):
            push_export(export, f"file://{tmp_path}/there")
        assert secret.read_bytes() not in sent(tmp_path / "there")


WRONG = [
    {"format": 5},
    {"files": []},
    {"files": {"a": 1}},
    {"files": {"a": {"size": "1", "sha256": "x"}}},
    {"files": {"a": {"size": -1, "sha256": "x"}}},
    {"counts": {}},
    {"counts": {"videos": 1, "frames": 1, "splits": {"../x": {"videos": 1, "frames": 1}}}},
    {"counts": {"videos": 1, "frames": 1, "splits": {"train": 5}}},
    {"counts": {"videos": 1, "frames": 1, "splits": ["train"]}},
    {"left_out": ["a"]},
    {"left_out": {"a": 5}},
    {"without_frames": "a"},
    {"loose_bytes": "many"},
    {"channel_order": "xyz"},
    {"made_with": []},
    {"shards": [{"key": "k", "frames": 1, "files": ["../x"]}]},
    {"shards": {"k": 1}},
]


@pytest.mark.parametrize("values", WRONG, ids=str)
def test_wrong_types_in_the_record_are_named(copy: Path, values: dict[str, Any], capsys, tmp_path: Path) -> None:
    change(copy / "lmdb", **values)
    (name,) = values
    assert run_command(["verify", str(copy / "lmdb")]) == 1
    assert run_command(["push", str(copy / "lmdb"), f"file://{tmp_path}/there"]) == 1
    shown = capsys.readouterr().err
    assert shown.count(f"export.json has something under {name!r}") == 2 and "fault in curate" not in shown


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[]", "{}", "9" * 6000, "\x00", "null"], ids=len)
def test_a_record_that_is_none_is_named(copy: Path, text: str, capsys) -> None:
    (copy / "lmdb" / "export.json").write_text(text)
    assert run_command(["verify", str(copy / "lmdb")]) == 1
    shown = capsys.readouterr().err
    assert "is not an export: its export.json" in shown and "fault in curate" not in shown


def test_a_record_that_is_a_pipe_holds_nobody_up(copy: Path, capsys) -> None:
    (copy / "lmdb" / "export.json").unlink()
    os.mkfifo(copy / "lmdb" / "export.json")
    assert run_command(["verify", str(copy / "lmdb")]) == 1
    assert "is not an export" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["_info.json", "sizes.json"])
def test_lists_of_any_shape_are_named(copy: Path, name: str) -> None:
    for text in ("[" * 100_000, "[]", "5", '{"splits": 5}', "{}"):
        (copy / "webdataset" / name).write_text(text)
        list_also(copy / "webdataset", name, text.encode())
        assert list(verify_export(copy / "webdataset"))


def test_words_beside_a_video_of_any_shape_are_named(copy: Path) -> None:
    path = next((copy / "video").rglob("first*.json"))
    for text in ("[" * 100_000, "[]", "5", '{"a": 5}'):
        path.write_text(text)
        list_also(copy / "video", path.relative_to(copy / "video").as_posix(), text.encode())
        assert list(verify_export(copy / "video"))


def test_inner_names(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to("../..")
    (tmp_path / "sub" / "same").symlink_to("../file")
    assert is_inner("a/b.jpg") and is_inner("..a") and not is_inner(5) and not is_inner("x" * 2000)
    assert inner_path(tmp_path, "sub/same") == tmp_path / "sub" / "same"
    with pytest.raises(ValueError, match="link"):
        inner_path(tmp_path, "sub/up/file")
