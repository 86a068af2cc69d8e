from __future__ import annotations

import io
import mmap
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.exports.making import make_entry, sampled_jpeg


class ImageNet22kRules:
    """Rebuilt rules of DINOv2's ``ImageNet22k``: memory-mapped tars, a 512-byte header skipped.

    For where there is no checkout; `tests.exports.test_consumers` runs the reader itself.
    """

    def __init__(self, root: Path, extra: Path) -> None:
        self._root = root
        self.entries = np.load(extra / "entries.npy", mmap_mode="r")
        self.class_ids = np.load(extra / "class-ids.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.entries)

    def data(self, index: int) -> bytes:
        entry = self.entries[index]
        with open(self._root / f"{entry['class_id']}.tar") as stream:
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return mapped[entry["start_offset"] : entry["end_offset"]][512:]

    def target(self, index: int) -> int:
        return int(self.entries[index]["class_index"])


@pytest.fixture
def made(tmp_path, entries, export):
    third = make_entry(tmp_path / "in", "third", "ssss", procedures=("cholecystectomy",))
    export([*entries, third, make_entry(tmp_path / "in", "fourth", "s", split="val")], "dinov2")
    return tmp_path / "exports" / "dinov2", [*entries, third]


def test_every_entry_is_the_jpeg_of_its_class(made):
    folder, entries = made
    dataset = ImageNet22kRules(folder / "train", folder / "train-extra")
    assert list(dataset.class_ids) == ["cholecystectomy", "hernia-repair", "unknown"]
    assert [dataset.target(i) for i in range(len(dataset))] == [0] * 9 + [1] * 12
    names = [str(entry["filename"]) for entry in dataset.entries]
    assert names[:6] == [f"vid_a_{n}.jpg" for n in (0, 1, 2, 4, 5)] + ["third_0.jpg"]
    for i in range(len(dataset)):
        assert Image.open(io.BytesIO(dataset.data(i))).convert("RGB").size == (96, 64)
    jpeg = sampled_jpeg(entries[2], 3)
    data = dataset.data(8)
    assert data[: len(jpeg)] == jpeg and not any(data[len(jpeg) :])


def test_dtypes_and_headers_are_what_the_reader_expects(made):
    folder, _ = made
    entries = np.load(folder / "train-extra" / "entries.npy")
    assert entries.dtype["class_index"] == "<u4" and entries.dtype["start_offset"] == "<u8"
    assert entries.dtype["class_id"].kind == entries.dtype["filename"].kind == "U"
    for path in (folder / "train").iterdir():
        with tarfile.open(path) as tar:
            members = {member.name: member for member in tar}
        own = entries[entries["class_id"] == path.stem]
        assert [str(name) for name in own["filename"]] == list(members)
        assert [int(start) for start in own["start_offset"]] == [member.offset for member in members.values()]
        assert all(len(name) <= 100 and not member.pax_headers for name, member in members.items())


def test_class_indices_agree_between_splits(made):
    folder, _ = made
    val = ImageNet22kRules(folder / "val", folder / "val-extra")
    assert [val.target(i) for i in range(len(val))] == [2]
    assert list(val.class_ids) == ["cholecystectomy", "hernia-repair", "unknown"]


def test_the_table_is_in_the_order_of_the_entries(made):
    folder, _ = made
    rows = pq.read_table(folder / "metadata.parquet").to_pylist()
    names = [f"{row['key']}.jpg" for row in rows if row["split"] == "train"]
    assert names == [str(name) for name in np.load(folder / "train-extra" / "entries.npy")["filename"]]


def test_the_longest_ids_and_procedures_fit(tmp_path, export):
    made = make_entry(tmp_path / "in", "x" * 64, "sss", procedures=("A very long name of a procedure " * 5,))
    export([made], "dinov2")
    folder = tmp_path / "exports" / "dinov2"
    dataset = ImageNet22kRules(folder / "train", folder / "train-extra")
    assert str(dataset.entries[2]["filename"]) == "x" * 64 + "_2.jpg"
    assert dataset.data(2).startswith(sampled_jpeg(made, 2))
