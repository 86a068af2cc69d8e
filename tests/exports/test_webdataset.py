from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curate import FrameDataset
from curate.config import WebDatasetOptions
from curate.exports.check.verify import verify_export
from curate.exports.disk.tar import TarWriter
from curate.nets.torchvision_repair import import_timm
from tests.exports.making import make_entry, picture, sampled_jpeg


@pytest.fixture
def made(tmp_path, entries, export) -> Path:
    """Two videos of one procedure each in train, one of another in val."""
    third = make_entry(tmp_path / "in", "third", "sss", split="val", procedures=("Whipple Procedure",), title="Größe")
    export([*entries, third], "webdataset")
    return tmp_path / "exports" / "webdataset"


def test_webdataset_reads_samples_with_all_extensions(made):
    import webdataset

    dataset = webdataset.WebDataset(sorted(map(str, made.glob("train-*.tar"))), shardshuffle=False)
    samples = list(dataset.decode("pil"))
    assert len(samples) == 17
    assert all({"jpg", "json", "cls", "txt"} <= set(sample) for sample in samples)
    captions = {sample["json"]["video_id"]: sample["txt"] for sample in samples}
    assert captions == {"vid_a": "First (cholecystectomy)", "-vidB": "hernia repair, cholecystectomy"}
    first = samples[0]
    assert first["__key__"] == "vid_a_0" and first["json"]["n"] == 1 and first["json"]["title"] == "First"
    shown = np.asarray(first["jpg"]).astype(int)
    assert np.abs(shown - picture(1).astype(int))[40:].max() < 10
    classes = (made / "classes.txt").read_text().split("\n")[:-1]
    assert classes == ["cholecystectomy", "hernia-repair", "whipple-procedure"]
    assert {(sample["json"]["video_id"], classes[sample["cls"]]) for sample in samples} == {
        ("vid_a", "cholecystectomy"),
        ("-vidB", "hernia-repair"),
    }


def test_timm_reads_every_sample_once(made):
    import_timm()
    from timm.data import create_dataset

    for split, count, labels in (("train", 17, {0, 1}), ("val", 3, {2})):
        dataset = create_dataset("wds/", root=str(made), split=split, is_training=False, batch_size=1)
        samples = list(dataset)
        assert len(samples) == len(dataset) == count
        assert {target for _, target in samples} == labels
        assert samples[0][0].size == (96, 64)


def test_open_clip_index_counts_samples(made):
    sizes = json.loads((made / "sizes.json").read_text())
    assert sizes == {"train-000000.tar": 17, "val-000000.tar": 3}
    for name, count in sizes.items():
        with tarfile.open(made / name) as tar:
            assert sum(member.name.endswith(".jpg") for member in tar) == count


IDS = ("__3ca0Wrw1U", "_one", "-two", "__", "plain__")


def test_every_reader_reads_keys_that_begin_with_underscores(tmp_path, export):
    """LEMON has an id like the first; ``datasets`` passes members over that begin so."""
    import webdataset
    from datasets import load_dataset

    made = [make_entry(tmp_path / "in", name, "ss", title=name) for name in IDS]
    export(made, "webdataset")
    folder = tmp_path / "exports" / "webdataset"
    expected = sorted(f"{name}_{n}" for name in IDS for n in range(2))
    files = {"train": str(folder / "train-*.tar")}
    loaded = load_dataset("webdataset", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert sorted(row["json"]["key"] for row in loaded) == expected
    own = webdataset.WebDataset(str(folder / "train-000000.tar"), shardshuffle=False).decode("pil")
    assert sorted(sample["json"]["key"] for sample in own) == expected
    import_timm()
    from timm.data import create_dataset

    assert len(list(create_dataset("wds/", root=str(folder), split="train", batch_size=1))) == 10
    assert sorted(FrameDataset(folder)[i]["key"] for i in range(10)) == expected
    assert list(verify_export(folder)) == []


@pytest.mark.parametrize(("readers", "train", "val"), [(0, 1, 1), (3, 3, 2), (8, 8, 2), (100, 17, 2)])
def test_each_split_has_a_file_for_every_reader(tmp_path, entries, export, readers, train, val):
    third = make_entry(tmp_path / "in", "third", "ss", split="val")
    export([*entries, third], "webdataset", "parquet", readers=readers)
    info = json.loads((tmp_path / "exports" / "webdataset" / "_info.json").read_text())["splits"]
    assert {split: len(told["filenames"]) for split, told in info.items()} == {"train": train, "val": val}
    assert max(info["train"]["shard_lengths"]) - min(info["train"]["shard_lengths"]) <= 1
    data = tmp_path / "exports" / "parquet" / "data"
    assert len(list(data.glob("train-*"))) == train and len(list(data.glob("val-*"))) == val
    one = FrameDataset(tmp_path / "exports" / "parquet")
    assert [one[i]["key"] for i in range(17)] == [f"vid_a_{n}" for n in (0, 1, 2, 4, 5)] + [
        f"-vidB_{n}" for n in range(12)
    ]
    for name in ("webdataset", "parquet"):
        assert list(verify_export(tmp_path / "exports" / name)) == []


def test_tars_are_plain_and_say_nothing_of_the_machine(made):
    with tarfile.open(made / "train-000000.tar") as tar:
        members = tar.getmembers()
    assert {(m.mtime, m.mode, m.uid, m.gid, m.uname, m.gname, m.type) for m in members} == {
        (0, 0o644, 0, 0, "", "", tarfile.REGTYPE)
    }
    assert all(m.name.count(".") == 1 and not m.pax_headers for m in members)


def test_the_table_tells_where_each_picture_is(made, entries):
    rows = pq.read_table(made / "metadata.parquet").to_pylist()
    assert len(rows) == 20
    row = next(row for row in rows if row["key"] == "-vidB_7")
    data = (made / row["file"]).read_bytes()[row["offset"] : row["offset"] + row["size"]]
    assert data == sampled_jpeg(entries[1], 7)
    assert Image.open(io.BytesIO(data)).size == (96, 64)


def test_shards_are_bounded(tmp_path, export):
    entry = make_entry(tmp_path / "in", "v", "s" * 700)
    export([entry], "webdataset", webdataset=WebDatasetOptions(shard_size=1))
    folder = tmp_path / "exports" / "webdataset"
    tars = sorted(folder.glob("*.tar"))
    assert len(tars) > 1 and max(tar.stat().st_size for tar in tars) <= 1_000_000
    info = json.loads((folder / "_info.json").read_text())["splits"]["train"]
    assert info["filenames"] == [tar.name for tar in tars]
    assert sum(info["shard_lengths"]) == info["num_samples"] == 700
    found = []
    for path in tars:
        with tarfile.open(path) as tar:
            found += [member.name for member in tar if member.name.endswith(".jpg")]
    assert found == [f"v_{n}.jpg" for n in range(700)]
    assert list(verify_export(folder)) == []


@pytest.mark.parametrize(("name", "size"), [("a.jpg", 0), ("x" * 100, 513), ("v_1.json", 70_000)])
def test_headers_are_those_that_tarfile_writes(tmp_path, name, size):
    with TarWriter(tmp_path / "own.tar") as tar:
        tar.add(name, bytes(size))
    with tarfile.open(tmp_path / "other.tar", "w", format=tarfile.USTAR_FORMAT) as other:
        member = tarfile.TarInfo(name)
        member.size = size
        other.addfile(member, io.BytesIO(bytes(size)))
    assert (tmp_path / "own.tar").read_bytes() == (tmp_path / "other.tar").read_bytes()
