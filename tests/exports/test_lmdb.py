from __future__ import annotations

import errno
import io
import json
import subprocess
import sys
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from curate.exports.formats.lmdb import write_environment
from tests.disks import small_disk
from tests.exports.making import make_entry, picture, sampled_jpeg


class LemonReader:
    """Reads an environment by the rules of LEMON's loaders: every key is an image, decoded and left unconverted."""

    def __init__(self, path: Path) -> None:
        self._environment = lmdb.open(str(path), readonly=True, lock=False, readahead=False, meminit=False)
        with self._environment.begin() as transaction:
            self.keys = [key.decode() for key in transaction.cursor().iternext(values=False)]

    def image(self, key: str) -> Image.Image:
        with self._environment.begin(buffers=True) as transaction:
            value = np.frombuffer(transaction.get(key.encode()), np.uint8)
        return Image.fromarray(cv2.imdecode(value, cv2.IMREAD_COLOR))

    def neighbours(self, key: str) -> list[str]:
        video, n = key.rsplit("_", 1)
        near = (f"{video}_{int(n) + step}" for step in (-2, -1, 1, 2))
        return [name for name in near if name in set(self.keys)]


def values(path: Path) -> dict[str, bytes]:
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {key.decode(): bytes(value) for key, value in transaction.cursor()}


def test_lemon_flavour_gives_right_colours_to_lemons_reader(entries, export, tmp_path):
    export(entries, "lmdb-lemon")
    folder = tmp_path / "exports" / "lmdb-lemon"
    reader = LemonReader(folder / "train.lmdb")
    assert sorted(reader.keys) == sorted([f"vid_a_{n}" for n in (0, 1, 2, 4, 5)] + [f"-vidB_{n}" for n in range(12)])
    for key, n in (("vid_a_0", 1), ("-vidB_10", 10)):
        shown = np.asarray(reader.image(key)).astype(int)
        assert np.abs(shown - picture(n).astype(int))[40:].max() < 10
    assert reader.neighbours("vid_a_2") == ["vid_a_0", "vid_a_1", "vid_a_4"]
    assert reader.neighbours("-vidB_9") == ["-vidB_7", "-vidB_8", "-vidB_10", "-vidB_11"]
    assert json.loads((folder / "export.json").read_text())["channel_order"] == "bgr"


def test_rgb_flavour_holds_ordinary_jpegs_byte_for_byte(entries, export, tmp_path):
    export(entries, "lmdb")
    folder = tmp_path / "exports" / "lmdb"
    found = values(folder / "train.lmdb")
    assert found["vid_a_1"] == sampled_jpeg(entries[0], 2)
    assert found["-vidB_11"] == sampled_jpeg(entries[1], 11)
    masked = np.asarray(Image.open(io.BytesIO(found["vid_a_4"])).convert("RGB"))
    assert masked[20:28, 20:44].max() < 40 and masked[50, 10, 0] > 150 and masked[50, 10, 2] < 40
    record = json.loads((folder / "export.json").read_text())
    assert record["channel_order"] == "rgb"
    assert sorted(p.name for p in (folder / "train.lmdb").iterdir()) == ["data.mdb"]


def test_sidecar_has_one_row_a_key(entries, export, tmp_path):
    export(entries, "lmdb")
    folder = tmp_path / "exports" / "lmdb"
    rows = {row["key"]: row for row in pq.read_table(folder / "metadata.parquet").to_pylist()}
    assert set(rows) == set(values(folder / "train.lmdb"))
    assert rows["vid_a_4"]["n"] == 5 and rows["vid_a_4"]["timestamp"] == 5.0
    assert rows["-vidB_3"]["procedures"] == ["hernia repair", "cholecystectomy"] and rows["-vidB_3"]["robotic"] is True


def test_one_environment_a_split(tmp_path, export):
    made = [make_entry(tmp_path / "in", f"v{i}", "ss", split=s) for i, s in enumerate(["train", "val"])]
    export(made, "lmdb")
    folder = tmp_path / "exports" / "lmdb"
    assert set(values(folder / "train.lmdb")) == {"v0_0", "v0_1"}
    assert set(values(folder / "val.lmdb")) == {"v1_0", "v1_1"}
    assert pq.read_table(folder / "metadata.parquet").column("split").to_pylist() == ["train"] * 2 + ["val"] * 2


def test_the_map_grows_from_almost_nothing_and_the_result_is_compact(tmp_path):
    items = [(f"v_{n}".encode(), bytes([n % 251]) * 20_000) for n in range(450)]
    write_environment(iter(items), tmp_path / "small.lmdb", initial_map=1 << 16)
    assert values(tmp_path / "small.lmdb") == {key.decode(): value for key, value in items}
    size = (tmp_path / "small.lmdb" / "data.mdb").stat().st_size
    assert size < 450 * 20_480 * 1.05
    assert [path.name for path in tmp_path.iterdir()] == ["small.lmdb"]


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_-]{1,12}_\d{1,4}", fullmatch=True), st.binary(max_size=9000), max_size=40
    )
)
def test_any_keys_come_back_and_the_bytes_do_not_depend_on_the_order(tmp_path_factory, items):
    folder = tmp_path_factory.mktemp("lmdb")
    forwards = [(key.encode(), value) for key, value in items.items()]
    write_environment(forwards, folder / "a.lmdb")
    write_environment(forwards[::-1], folder / "b.lmdb")
    assert values(folder / "a.lmdb") == items == values(folder / "b.lmdb")
    again = folder / "again"
    again.mkdir()
    write_environment(forwards, again / "a.lmdb")
    assert (again / "a.lmdb" / "data.mdb").read_bytes() == (folder / "a.lmdb" / "data.mdb").read_bytes()


@pytest.mark.parametrize("size", ["3m", "12m"], ids=["while it is filled", "while it is copied"])
def test_a_full_disk_is_called_a_full_disk(tmp_path, size):
    """LMDB itself calls it an input/output error."""
    items = ((f"v_{n}".encode(), bytes([n % 251]) * 20_000) for n in range(450))
    with small_disk(tmp_path / "small", size) as disk, pytest.raises(OSError, match="No space left") as full:
        write_environment(items, disk / "train.lmdb")
    assert full.value.errno == errno.ENOSPC


def test_a_file_that_may_not_get_so_large_is_called_that(tmp_path):
    code = """
import resource, sys
from pathlib import Path
from curate.exports.formats.lmdb import write_environment
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
try:
    write_environment(((b"v_%d" % n, bytes(20_000)) for n in range(450)), Path(sys.argv[1]))
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "train.lmdb")], capture_output=True, text=True)
    assert done.stdout == "File too large, while train.lmdb was written\n", done.stderr


def test_a_failing_source_leaves_no_scratch_behind(tmp_path):
    def broken():
        yield b"k_0", b"x"
        raise RuntimeError("read error")

    with pytest.raises(RuntimeError, match="read error"):
        write_environment(broken(), tmp_path / "x.lmdb")
    assert list(tmp_path.iterdir()) == []
