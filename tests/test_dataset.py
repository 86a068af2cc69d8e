from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, WeightedRandomSampler

import curate
from curate.config import ExportOptions
from curate.errors import CurateError
from curate.exports import export_dataset
from tests.exports.making import PICTURES, make_entry, picture


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """300 frames of a common procedure, 20 of a rare one, 4 for validation, in every format."""
    folder = tmp_path_factory.mktemp("exports")
    entries = [
        make_entry(folder / "in", "common", "nn" + "s" * 300, procedures=("x",), rows_a_group=50, source_file=False),
        make_entry(folder / "in", "rare", "s" * 20, procedures=("y",)),
        make_entry(folder / "in", "held", "s" * 4, split="val"),
    ]
    export_dataset(entries, ExportOptions(formats=PICTURES), folder / "out", context={})
    return folder / "out"


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


@pytest.mark.parametrize("name", ["parquet", "lmdb", "dinov2"])
@pytest.mark.parametrize("shuffle", [0, 64])
def test_a_stream_gives_every_frame_once_over_workers_and_ranks(exports, name, shuffle):
    dataset = curate.FrameDataset(exports / name, transform=to_tensor)
    seen = []
    for rank in range(2):
        stream = dataset.stream(shuffle=shuffle, rank=rank, world=2)
        for batch in DataLoader(stream, batch_size=16, num_workers=2):
            seen += batch["key"]
    assert len(seen) == 320 and set(seen) == {dataset[i]["key"] for i in range(320)}


def test_the_order_of_a_stream_depends_on_seed_and_epoch_alone(exports):
    dataset = curate.FrameDataset(exports / "parquet", columns=("key",))

    def order(seed: int, epoch: int) -> list[str]:
        stream = dataset.stream(shuffle=100, seed=seed)
        stream.set_epoch(epoch)
        return [sample["key"] for sample in stream]

    plain = [sample["key"] for sample in dataset.stream()]
    assert plain == [dataset[i]["key"] for i in range(320)]
    assert order(1, 0) == order(1, 0) != plain
    assert len({tuple(order(*pair)) for pair in ((1, 0), (1, 1), (2, 0))}) == 3


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
