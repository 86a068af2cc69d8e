from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import BadArtefact
from curate.workspace.tables.frames import Pictures
from curate.workspace.tables.schemas import frame_schema

JPEGS = [bytes([i]) * (1000 + i) for i in range(10)]


def open_files() -> int:
    """Descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def write(path, **layout) -> None:
    """Ten pictures in two row groups."""
    columns = {"n": range(10), "timestamp": range(10), "source_index": range(10), "keyframe": [True] * 10}
    columns |= {"width": [8] * 10, "height": [8] * 10, "image": JPEGS}
    rows = [columns.get(name, [None] * 10) for name in frame_schema().names]
    arrays = [pa.array(list(row), field.type) for row, field in zip(rows, frame_schema(), strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=frame_schema()), path, row_group_size=5, **layout)


@pytest.mark.parametrize(
    "layout",
    [
        {"compression": "none", "use_dictionary": False, "write_statistics": False},
        {"compression": "none", "use_dictionary": False},
        {"compression": "zstd", "use_dictionary": False},
        {"compression": "none", "use_dictionary": True},
        {"compression": "none", "use_dictionary": False, "data_page_version": "2.0"},
    ],
)
def test_pictures_are_the_same_however_the_file_is_laid_out(tmp_path, layout):
    write(tmp_path / "x.parquet", **layout)
    first, second = (Pictures(tmp_path / "x.parquet", index) for index in range(2))
    assert [pictures.get(row) for pictures in (first, second) for row in range(5)] == JPEGS
    assert [pictures.size(row) for pictures in (first, second) for row in range(5)] == [len(jpeg) for jpeg in JPEGS]
    for row, jpeg in enumerate(JPEGS[:5]):
        target = bytearray(b"[") + bytes(len(jpeg)) + b"]"
        first.read_into(row, memoryview(target)[1:-1])
        assert target == b"[" + jpeg + b"]"


def test_a_row_without_a_picture_is_named(tmp_path):
    table = pa.table({"n": [0, 1], "image": pa.array([b"x", None])})
    pq.write_table(table, tmp_path / "x.parquet")
    pictures = Pictures(tmp_path / "x.parquet", 0)
    assert pictures.get(0) == b"x"
    with pytest.raises(BadArtefact, match=r"x\.parquet: row 1 of a row group has no picture"):
        pictures.get(1)


def test_a_file_that_is_cut_while_it_is_read_is_named_and_its_descriptor_closed(tmp_path):
    path = tmp_path / "x.parquet"
    write(path, compression="none", use_dictionary=False, write_statistics=False)
    before = open_files()
    pictures = Pictures(path, 1)
    assert pictures.get(0) == JPEGS[5]
    os.truncate(path, 100)
    with pytest.raises(BadArtefact, match=r"x\.parquet"):
        pictures.get(1)
    del pictures
    assert open_files() == before
