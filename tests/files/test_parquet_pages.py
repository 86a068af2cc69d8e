from __future__ import annotations

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.config import ExportOptions
from curate.exports import export_dataset
from curate.files.parquet_pages import locate
from tests.exports.making import make_entry


def located(path) -> list[list[bytes] | None]:
    """The pictures of each row group as they are found in the file; ``None`` where Arrow is asked."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with pq.ParquetFile(path) as file:
            number = next(i for i in range(len(file.schema)) if file.schema.column(i).path == "image.bytes")
            groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
            levels = file.schema.column(number).max_definition_level
            found = [locate(descriptor, group.column(number), levels) for group in groups]
        return [
            None
            if places is None
            else [os.pread(descriptor, int(size), int(at)) for at, size in zip(*places, strict=True)]
            for places in found
        ]
    finally:
        os.close(descriptor)


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """A file of 250 pictures in three row groups of many pages."""
    folder = tmp_path_factory.mktemp("pages")
    entry = make_entry(folder / "in", "v", "s" * 250, rows_a_group=50, source_file=False)
    export_dataset([entry], ExportOptions(formats=("parquet",)), folder / "out", context={})
    (path,) = (folder / "out" / "parquet" / "data").glob("*.parquet")
    return path


def test_pictures_are_found_where_arrow_finds_them(shard):
    found = located(shard)
    assert [len(group) for group in found] == [100, 100, 50]
    whole = [row["bytes"] for row in pq.read_table(shard, columns=["image"]).column(0).to_pylist()]
    assert [jpeg for group in found for jpeg in group] == whole


@pytest.mark.parametrize(
    ("options", "pictures"),
    [
        ({"compression": "zstd", "use_dictionary": False}, [b"a", b"bc"]),
        ({"compression": "none", "use_dictionary": True}, [b"a", b"a"]),
        ({"compression": "none", "use_dictionary": False}, [b"a", None]),
        ({"compression": "none", "use_dictionary": False, "data_page_version": "2.0"}, [b"a", b"bc"]),
        ({"compression": "none", "use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"}, [b"a", b"bc"]),
    ],
)
def test_what_is_laid_out_in_another_way_is_left_to_arrow(tmp_path, options, pictures):
    image = pa.StructArray.from_arrays([pa.array(pictures, pa.binary())], names=["bytes"])
    pq.write_table(pa.table({"image": image}), tmp_path / "other.parquet", **options)
    assert located(tmp_path / "other.parquet") == [None]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_left_to_arrow_or_changes_pictures_alone(shard, tmp_path, data):
    with pq.ParquetFile(shard) as file:
        chunk = file.metadata.row_group(1).column(0)
    whole = bytearray(shard.read_bytes())
    at = chunk.data_page_offset + data.draw(st.integers(0, 60) | st.integers(0, chunk.total_compressed_size - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    (tmp_path / "damaged.parquet").write_bytes(whole)
    first, second, third = located(tmp_path / "damaged.parquet")
    assert len(first) == 100 and len(third) == 50
    assert second is None or len(second) == 100
