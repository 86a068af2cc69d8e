from __future__ import annotations

import io
import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curate.config import ParquetOptions
from curate.exports import ExportEntry
from curate.exports.formats import parquet
from curate.files.parquet_pages import locate
from tests.exports.making import BOX, encode, make_entry, picture, sampled_jpeg


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``datasets.load_dataset`` without network, with its cache in the test's folder."""
    for name, value in {"HF_HOME": tmp_path / "hf", "HF_HUB_OFFLINE": 1, "HF_DATASETS_OFFLINE": 1}.items():
        monkeypatch.setenv(name, str(value))
    import datasets

    return lambda folder, **kw: datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "hf"), **kw)


def test_datasets_opens_it_as_images_with_metadata(entries, export, load, tmp_path):
    export(entries, "parquet")
    loaded = load(tmp_path / "exports" / "parquet")
    assert list(loaded) == ["train"]
    rows = loaded["train"]
    assert len(rows) == 17
    first = rows[0]
    assert isinstance(first["image"], Image.Image)
    red, green, blue = np.asarray(first["image"])[50, 10]
    assert red > 150 and green < 60 and blue < 60
    assert {name: first[name] for name in ("video_id", "n", "timestamp", "key", "title", "procedures", "verdict")} == {
        "video_id": "vid_a",
        "n": 1,
        "timestamp": 1.0,
        "key": "vid_a_0",
        "title": "First",
        "procedures": ["cholecystectomy"],
        "verdict": "surgical",
    }
    assert first["source"] == "https://example.org/vid_a" and first["robotic"] is None and first["split"] == "train"
    assert first["p_surgical"] == pytest.approx(0.9)
    masked = rows[3]
    assert [(region["kind"], region["x1"], region["y2"]) for region in masked["regions"]] == [("text", 16, 32)]
    assert rows[0]["regions"] == []
    assert [row["n"] for row in rows if row["video_id"] == "vid_a"] == [1, 2, 3, 5, 6]


def test_splits_load_by_name_and_in_streaming_mode(tmp_path, export, load):
    made = [make_entry(tmp_path / "in", f"v{i}", "sss", split=s) for i, s in enumerate(["train", "val", "test", "val"])]
    export(made, "parquet")
    folder = tmp_path / "exports" / "parquet"
    assert {name: len(rows) for name, rows in load(folder).items()} == {"train": 3, "val": 6, "test": 3}
    streamed = list(load(folder, split="val", streaming=True))
    assert [row["key"] for row in streamed] == [f"{v}_{n}" for v in ("v1", "v3") for n in range(3)]
    assert isinstance(streamed[0]["image"], Image.Image)


def read_rows(folder: Path) -> list[dict]:
    return [row for path in sorted((folder / "data").iterdir()) for row in pq.read_table(path).to_pylist()]


def test_unmasked_frames_are_the_sampled_bytes_and_masked_ones_are_painted(entries, export, tmp_path):
    export(entries, "parquet", padding=2)
    rows = {row["key"]: row for row in read_rows(tmp_path / "exports" / "parquet")}
    x1, y1, x2, y2 = BOX
    for entry in entries:
        for key, row in rows.items():
            if row["video_id"] != entry.video.id:
                continue
            jpeg = row["image"]["bytes"]
            assert row["image"]["path"] == key + ".jpg"
            if key != "vid_a_4":
                assert jpeg == sampled_jpeg(entry, row["n"])
                continue
            assert jpeg != sampled_jpeg(entry, row["n"])
            pixels = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(int)
            assert pixels[y1 - 2 : y2 + 2, x1 - 2 : x2 + 2].max() < 60
            outside = np.ones(pixels.shape[:2], bool)
            outside[max(y1 - 18, 0) : y2 + 18, max(x1 - 18, 0) : x2 + 18] = False
            assert np.abs(pixels - picture(row["n"]).astype(int))[outside].max() < 12
    assert rows["vid_a_4"]["n"] == 5


def test_fill_none_copies_every_frame_and_keeps_the_boxes_as_data(entries, export, tmp_path):
    export(entries, "parquet", fill="none")
    row = next(row for row in read_rows(tmp_path / "exports" / "parquet") if row["key"] == "vid_a_4")
    assert row["image"]["bytes"] == sampled_jpeg(entries[0], 5)
    assert [row["regions"][0][side] for side in ("x1", "y1", "x2", "y2")] == list(BOX)


def test_trimmed_keeps_time_with_black_frames(entries, export, tmp_path):
    export(entries[:1], "parquet", include="trimmed")
    rows = read_rows(tmp_path / "exports" / "parquet")
    assert [row["key"] for row in rows] == [f"vid_a_{n}" for n in range(6)]
    shown = {row["n"]: np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))) for row in rows}
    assert shown[4].max() == 0 and shown[4].shape == (64, 96, 3)
    assert all(shown[n].max() > 150 for n in (1, 2, 3, 5, 6))


@pytest.mark.parametrize(("uncertain", "expected"), [("drop", [0, 1]), ("keep", [0, 1, 2])])
def test_uncertain_frames(tmp_path, export, uncertain, expected):
    export([make_entry(tmp_path / "in", "v", "ssu")], "parquet", uncertain=uncertain)
    assert [row["n"] for row in read_rows(tmp_path / "exports" / "parquet")] == expected


def test_shrunk_frames_keep_their_shape_and_their_boxes_follow(tmp_path, export):
    export([make_entry(tmp_path / "in", "v", "s", regions=[0])], "parquet", short_side=32)
    (row,) = read_rows(tmp_path / "exports" / "parquet")
    assert (row["width"], row["height"]) == (48, 32)
    assert Image.open(io.BytesIO(row["image"]["bytes"])).size == (48, 32)
    assert [row["regions"][0][side] for side in ("x1", "y1", "x2", "y2")] == [8, 8, 24, 16]


def test_shards_are_bounded_numbered_and_laid_out_for_random_reads(tmp_path, export):
    noise = np.random.default_rng(0)
    entry = make_entry(tmp_path / "in", "v", "s" * 250, rows_a_group=100)
    table = pq.read_table(entry.frames)
    jpegs = [encode(noise.integers(0, 255, (96, 160, 3), np.uint8)) for _ in range(250)]
    table = table.set_column(table.schema.get_field_index("image"), table.schema.field("image"), [jpegs])
    pq.write_table(table, entry.frames, row_group_size=100)
    export([entry], "parquet", parquet=ParquetOptions(shard_size=3))
    paths = sorted((tmp_path / "exports" / "parquet" / "data").iterdir())
    assert len(paths) > 1
    assert [path.name for path in paths] == [f"train-{i:05d}-of-{len(paths):05d}.parquet" for i in range(len(paths))]
    found = []
    for path in paths:
        assert path.stat().st_size <= 3_000_000
        file = pq.ParquetFile(path)
        assert json.loads(file.metadata.metadata[b"curate"])["made_with"]["classify.sha256"] == "0" * 64
        for g in range(file.num_row_groups):
            group = file.metadata.row_group(g)
            assert group.num_rows <= parquet.GROUP_ROWS
            image = group.column(0)
            assert (image.path_in_schema, image.compression) == ("image.bytes", "UNCOMPRESSED")
            assert image.has_offset_index and "PLAIN" in image.encodings and not image.has_dictionary_page
        found += [row["image"]["bytes"] for row in file.read().to_pylist()]
    assert found == jpegs
    files = json.loads((tmp_path / "exports" / "parquet" / "export.json").read_text())["files"]
    assert all(files[f"data/{path.name}"]["sha256"] == sha256(path.read_bytes()).hexdigest() for path in paths)


def test_a_page_holds_no_more_than_the_picture_that_fills_it(tmp_path, export):
    noise = np.random.default_rng(0)
    entry = make_entry(tmp_path / "in", "noise", "s" * 40)
    table = pq.read_table(entry.frames)
    jpegs = [encode(noise.integers(0, 255, (96, 160 + 16 * i, 3), np.uint8)) for i in range(40)]
    table = table.set_column(table.schema.get_field_index("image"), table.schema.field("image"), [jpegs])
    pq.write_table(table, entry.frames)
    export([entry], "parquet")
    (path,) = (tmp_path / "exports" / "parquet" / "data").iterdir()
    with open(path, "rb") as stream:
        file = pq.ParquetFile(stream)
        levels = file.schema.column(0).max_definition_level
        found = locate(stream.fileno(), file.metadata.row_group(0).column(0), levels)
        assert found is not None
        offsets, sizes = (numbers.tolist() for numbers in found)
    assert sizes == [len(jpeg) for jpeg in jpegs]
    pages = [[sizes[0]]]
    for i in range(1, len(sizes)):
        if offsets[i] - offsets[i - 1] - sizes[i - 1] == 4:  # nothing but a length between the two
            pages[-1].append(sizes[i])
        else:
            pages.append([sizes[i]])
    assert all(sum(page[:-1]) < parquet.PAGE_BYTES for page in pages)
    assert {len(page) for page in pages} > {1}


def test_local_paths_do_not_leave_the_machine(tmp_path, export):
    export([make_entry(tmp_path / "in", "v", "ss", source="/private/patients/case 1.mp4")], "parquet")
    (path,) = (tmp_path / "exports" / "parquet" / "data").iterdir()
    assert {row["source"] for row in read_rows(tmp_path / "exports" / "parquet")} == {"case 1.mp4"}
    assert not [p for p in (tmp_path / "exports").rglob("*") if p.is_file() and b"/private" in p.read_bytes()]
    assert path.stat().st_size > 0


def test_the_source_fills_in_what_the_manifest_does_not_say(tmp_path, export):
    meta = {"title": "From the site", "licence": "CC BY"}
    made: list[ExportEntry] = [
        make_entry(tmp_path / "in", "v", "s", source_meta=meta),
        make_entry(tmp_path / "in", "w", "s", source_meta=meta, title="Mine", licence="CC0"),
        make_entry(tmp_path / "in", "x", "s", source_meta={"title": 5, "licence": None}),
    ]
    export(made, "parquet")
    rows = read_rows(tmp_path / "exports" / "parquet")
    assert [(row["title"], row["licence"]) for row in rows] == [("From the site", "CC BY"), ("Mine", "CC0"), ("", "")]
