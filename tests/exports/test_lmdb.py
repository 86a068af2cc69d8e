from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curate.config import ExportOptions
from curate.errors import CurateError
from curate.exports import export_dataset
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


def test_keys_of_videos_whose_ids_go_on_from_others_are_in_order(tmp_path, export):
    names = ("a_1", "b", "a", "a_10", "a-", "a_1_1", "A")
    made = [make_entry(tmp_path / "in", name, "s" * 12, regions=[5]) for name in names]
    for entry in made[::2]:  # as the stage lays them out
        pq.write_table(pq.read_table(entry.frames), entry.frames, 5, compression="none", use_dictionary=False)
    export(made, "lmdb")
    data = str(tmp_path / "exports" / "lmdb" / "train.lmdb")
    with lmdb.open(data, readonly=True, lock=False) as environment, environment.begin() as transaction:
        keys = list(transaction.cursor().iternext(values=False))
        assert keys == sorted(f"{entry.video.id}_{n}".encode() for entry in made for n in range(12))
        for entry in made:
            for n in (0, 1, 9, 10, 11):
                assert transaction.get(f"{entry.video.id}_{n}".encode()) == sampled_jpeg(entry, n)
            assert transaction.get(f"{entry.video.id}_5".encode()) != sampled_jpeg(entry, 5)


@pytest.mark.parametrize("size", ["60k", "200k"], ids=["while shards are made", "while they are joined"])
def test_a_full_disk_is_called_a_full_disk(tmp_path, size):
    entry = make_entry(tmp_path / "in", "v", "s" * 40, size=(320, 240), regions=list(range(20)))
    options = ExportOptions(formats=("lmdb",), quality=100)
    with small_disk(tmp_path / "small", size) as disk, pytest.raises(CurateError, match="No space left on device"):
        export_dataset([entry], options, disk / "exports", context={})
