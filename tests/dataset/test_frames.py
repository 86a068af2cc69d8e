from __future__ import annotations

import gc
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.data import DataLoader, WeightedRandomSampler

import curate
from curate.errors import CurateError
from tests.exports.making import PICTURES, picture


def to_tensor(image) -> torch.Tensor:
    return torch.from_numpy(np.array(image))


@pytest.mark.parametrize("name", PICTURES)
def test_every_format_gives_the_same_frames_in_true_colours(exports, name):
    dataset = curate.FrameDataset(exports / name, transform=to_tensor, columns=("key", "n", "procedures", "verdict"))
    assert len(dataset) == 320
    for index in (0, 137, 299, 300, -1):
        sample = dataset[index]
        shown = sample["image"].numpy().astype(int)
        assert np.abs(shown - picture(sample["n"]).astype(int))[40:].max() < 10
    assert dataset[137]["key"] == "common_137" and dataset[137]["n"] == 139
    assert dataset[-1]["key"] == dataset[319]["key"] == "rare_19"
    assert dataset[300]["procedures"] == ["y"] and dataset[300]["verdict"] == "surgical"
    assert [sample["key"] for sample in curate.FrameDataset(exports / name, "val")] == [f"held_{n}" for n in range(4)]
    with pytest.raises(IndexError):
        dataset[320]


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.parametrize("name", ["parquet", "lmdb-lemon", "webdataset"])
def test_workers_may_be_forked_or_spawned_after_use(exports, name, start):
    dataset = curate.FrameDataset(exports / name, transform=to_tensor)
    assert dataset[5]["n"] == 7
    loader = DataLoader(dataset, batch_size=40, num_workers=2, multiprocessing_context=start)
    batches = list(loader)
    assert [key for batch in batches for key in batch["key"]] == [dataset[i]["key"] for i in range(320)]
    assert batches[0]["image"].shape == (40, 64, 96, 3) and batches[0]["timestamp"].dtype == torch.float64


def test_sampling_weights_balance_the_procedures(exports):
    dataset = curate.FrameDataset(exports / "lmdb", columns=("video_id",))
    weights = dataset.sampling_weights()
    assert weights.shape == (320,) and weights.sum().item() == pytest.approx(1)
    common = 300**0.5 / (300**0.5 + 20**0.5)
    assert weights[:300].sum().item() == pytest.approx(common)
    generator = torch.Generator().manual_seed(0)
    drawn = list(WeightedRandomSampler(weights, 4000, generator=generator))
    assert sum(i < 300 for i in drawn) / 4000 == pytest.approx(common, abs=0.03)


def test_a_pickle_holds_no_frames_and_no_files(exports):
    dataset = curate.FrameDataset(exports / "lmdb")
    before = len(pickle.dumps(dataset))
    dataset[3]
    assert len(pickle.dumps(dataset)) == before < 2000
    assert pickle.loads(pickle.dumps(dataset))[3]["key"] == "common_3"


def test_what_is_not_an_export_is_said(exports, tmp_path):
    with pytest.raises(CurateError, match=r"it holds the exports .*lmdb.*name one of them"):
        curate.FrameDataset(exports)
    with pytest.raises(CurateError, match="not an export"):
        curate.FrameDataset(tmp_path / "nowhere")
    with pytest.raises(CurateError, match="no split 'test'; it has train, val"):
        curate.FrameDataset(exports / "lmdb", "test")
    with pytest.raises(CurateError, match="unknown column 'patient'"):
        curate.FrameDataset(exports / "lmdb", columns=("patient",))
    with pytest.raises(AttributeError):
        curate.VideoDataset  # noqa: B018


@pytest.mark.parametrize("name", PICTURES)
def test_an_export_that_is_not_whole_is_said(exports, tmp_path, name):
    folder = tmp_path / name
    shutil.copytree(exports / name, folder)
    record = json.loads((folder / "export.json").read_text())
    largest = max(record["files"], key=lambda file: record["files"][file]["size"])
    os.truncate(folder / largest, record["files"][largest]["size"] - 1)
    with pytest.raises(CurateError, match=rf"is not whole: {largest} has \d+ bytes, not .*'curate verify"):
        curate.FrameDataset(folder)
    (folder / largest).unlink()
    with pytest.raises(CurateError, match=rf"is not whole: {largest} cannot be read \(No such file"):
        curate.FrameDataset(folder)


def test_a_table_with_fewer_frames_than_the_record_is_said(exports, tmp_path):
    folder = tmp_path / "webdataset"
    shutil.copytree(exports / "webdataset", folder)
    table = pq.read_table(folder / "metadata.parquet")
    pq.write_table(table.slice(7), folder / "metadata.parquet")
    record = json.loads((folder / "export.json").read_text())
    record["files"]["metadata.parquet"]["size"] = (folder / "metadata.parquet").stat().st_size
    (folder / "export.json").write_text(json.dumps(record))
    with pytest.raises(CurateError, match="has 320 frames by its record and 313 in its tables"):
        curate.FrameDataset(folder)


def test_a_picture_that_is_gone_is_named(exports, tmp_path):
    folder = tmp_path / "folders"
    shutil.copytree(exports / "folders", folder)
    dataset = curate.FrameDataset(folder)
    pictures = sorted((folder / "train").rglob("*.jpg"))
    os.truncate(pictures[0], 100)
    pictures[1].unlink()
    messages = []
    for i in range(320):
        try:
            dataset[i]
        except CurateError as error:
            messages.append(str(error))
    assert len(messages) == 2 and all("cannot be read" in text and "curate verify" in text for text in messages)


def test_parquet_that_others_wrote_again_is_read_by_groups(exports, tmp_path):
    folder = tmp_path / "parquet"
    shutil.copytree(exports / "parquet", folder)
    record = json.loads((folder / "export.json").read_text())
    for path in (folder / "data").glob("*.parquet"):
        pq.write_table(pq.read_table(path), path, row_group_size=64, compression="zstd")
        record["files"][f"data/{path.name}"]["size"] = path.stat().st_size
    (folder / "export.json").write_text(json.dumps(record))
    before, after = curate.FrameDataset(exports / "parquet"), curate.FrameDataset(folder)
    assert [len(block) for block in after.store.blocks()] == [64] * 5
    assert all(after.store.jpeg(i) == before.store.jpeg(i) for i in range(320))
    assert all(
        jpeg == before.store.jpeg(i)
        for i, jpeg in enumerate(
            picture["bytes"]
            for path in before.store.shards
            for picture in pq.read_table(path, columns=["image"]).column(0).to_pylist()
        )
    )


@pytest.mark.parametrize("name", ["parquet", "webdataset", "folders", "dinov2"])
def test_files_are_closed_with_the_dataset(exports, name):
    def open_files() -> set[Path]:
        return {link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}

    dataset = curate.FrameDataset(exports / name)
    _ = [dataset[index] for index in range(0, 320, 40)]
    mine = {path for path in open_files() if path.is_relative_to((exports / name).resolve())}
    assert mine
    del dataset
    gc.collect()
    assert not open_files() & mine
