from __future__ import annotations

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
from torch.utils.data import DataLoader

import curate
from curate.errors import CurateError
from tests.dataset.ranks import BATCH, STOP, width
from tests.docs.blocks import ROOT
from tests.exports.making import PICTURES


def keys(loader) -> list[str]:
    return [key for batch in loader for key in batch["key"]]


@pytest.fixture
def frames(exports):
    return curate.FrameDataset(exports / "lmdb", transform=width, columns=("key",))


@pytest.fixture(scope="module")
def seen(exports, tmp_path_factory):
    """What each of three ranks saw of every format; three do not divide 320 frames."""
    folder = tmp_path_factory.mktemp("ranks")
    outs = [folder / f"{rank}.json" for rank in range(3)]
    command = [sys.executable, "-m", "tests.dataset.ranks"]
    processes = [
        subprocess.Popen([*command, str(rank), "3", str(folder / "store"), str(exports), str(out)], cwd=ROOT)
        for rank, out in enumerate(outs)
    ]
    try:
        assert [process.wait(240) for process in processes] == [0, 0, 0]
    finally:
        for process in processes:
            process.kill()
    return [json.loads(out.read_text()) for out in outs]


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_ranks_take_the_same_steps_no_frame_twice_and_go_on_with_the_rest(seen, name):
    ranks = [one[name] for one in seen]
    for epoch in ("epoch 0", "epoch 1"):
        assert [[len(batch) for batch in rank[epoch]] for rank in ranks] == [[BATCH] * 6 + [10]] * 3
        given = [key for rank in ranks for batch in rank[epoch] for key in batch]
        assert len(set(given)) == len(given) == 318
    assert ranks[0]["epoch 0"] != ranks[0]["epoch 1"]
    for rank in ranks:
        assert len(rank["before"]) == STOP
        assert rank["before"] + rank["after"] == rank["epoch 1"]


@pytest.mark.parametrize("name", PICTURES)
def test_the_order_depends_on_seed_and_epoch_and_not_on_workers(exports, name):
    dataset = curate.FrameDataset(exports / name, transform=width, columns=("key",))

    def order(seed: int, epoch: int, workers: int = 0) -> list[str]:
        stream = dataset.stream(shuffle=100, seed=seed, batch_size=16)
        stream.set_epoch(epoch)
        return keys(DataLoader(stream, batch_size=16, num_workers=workers))

    plain = [sample["key"] for sample in dataset.stream()]
    assert plain == [dataset[i]["key"] for i in range(320)]
    assert order(1, 0, 2) == order(1, 0) != plain and sorted(order(1, 0)) == sorted(plain)
    assert len({tuple(order(*pair)) for pair in ((1, 0), (1, 1), (2, 0))}) == 3


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_set_epoch_and_a_state_reach_persistent_workers(frames, start):
    def loader(stream):
        return DataLoader(stream, batch_size=16, num_workers=2, persistent_workers=True, multiprocessing_context=start)

    stream = frames.stream(shuffle=320, batch_size=16)
    kept = loader(stream)
    epochs = []
    for epoch in range(3):
        stream.set_epoch(epoch)
        epochs.append(keys(kept))
    assert len({tuple(epoch) for epoch in epochs}) == 3 and len({frozenset(epoch) for epoch in epochs}) == 1
    stream.set_epoch(1)
    state = stream.state_dict(steps=7)
    stream.load_state_dict(state)
    assert stream.epoch == 1 and len(kept) == 13
    assert keys(kept) == epochs[1][7 * 16 :]
    stream.set_epoch(2)
    assert keys(kept) == epochs[2]


def test_pad_gives_the_first_frames_again(frames):
    streams = [frames.stream(rank=rank, world=3, uneven="pad") for rank in range(3)]
    given = [[sample["key"] for sample in stream] for stream in streams]
    assert [len(one) for one in given] == [len(stream) for stream in streams] == [107] * 3
    every = [sample["key"] for sample in frames.stream()]
    assert sorted(itertools.chain(*given)) == sorted([*every, every[0]])


def test_a_state_of_two_ranks_is_gone_on_from_by_three(frames):
    before = []
    for rank in range(2):
        stream = frames.stream(shuffle=50, rank=rank, world=2, batch_size=8)
        before += [sample["key"] for sample in itertools.islice(stream, 32)]
        state = stream.state_dict()
    after = []
    for rank in range(3):
        stream = frames.stream(shuffle=50, rank=rank, world=3, batch_size=4)
        stream.load_state_dict(state)
        after += [sample["key"] for sample in stream]
    assert len(before) == 64 and len(after) == 255 and len(set(before + after)) == 319


def test_weights_draw_with_replacement_and_go_on(frames):
    stream = frames.stream(weights=frames.sampling_weights(), seed=4, batch_size=16)
    drawn = keys(DataLoader(stream, batch_size=16))
    assert len(drawn) == 320
    assert sum(key.startswith("rare") for key in drawn) / 320 == pytest.approx(20**0.5 / (300**0.5 + 20**0.5), abs=0.07)
    again = frames.stream(weights=frames.sampling_weights(), seed=4, batch_size=16)
    again.load_state_dict(stream.state_dict(steps=3))
    assert keys(DataLoader(again, batch_size=16, num_workers=2)) == drawn[48:]


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_stateful_dataloader_goes_on_where_it_was(frames, workers):
    stateful = pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader

    def loader():
        stream = frames.stream(shuffle=320, batch_size=16)
        stream.set_epoch(2)
        return stateful(stream, batch_size=16, num_workers=workers)

    whole = keys(loader())
    cut = loader()
    before = [batch["key"] for batch in itertools.islice(iter(cut), 7)]
    rest = loader()
    rest.load_state_dict(cut.state_dict())
    assert list(itertools.chain(*before)) + keys(rest) == whole


def test_what_cannot_be_told_or_gone_on_from_is_said(exports, frames):
    stream = frames.stream(shuffle=9, batch_size=16)
    next(iter(DataLoader(stream, batch_size=16, num_workers=1)))
    with pytest.raises(CurateError, match=r"1 workers read this stream: say how many batches"):
        stream.state_dict()
    state = stream.state_dict(steps=1)
    inside = frames.stream(batch_size=16)
    next(iter(inside))
    with pytest.raises(CurateError, match="1 frames were taken, which are no whole batches of 16"):
        inside.state_dict()
    with pytest.raises(CurateError, match="give the stream the batch_size"):
        frames.stream().state_dict(steps=3)
    for other, why in (
        (frames.stream(shuffle=9, seed=1), "another seed, shuffle or weights"),
        (frames.stream(weights=np.ones(320)), "another seed, shuffle or weights"),
        (curate.FrameDataset(exports / "lmdb", "val").stream(shuffle=9), "another split"),
        (curate.FrameDataset(exports / "parquet").stream(shuffle=9), "another export"),
    ):
        with pytest.raises(CurateError, match=why):
            other.load_state_dict(state)
    for broken in ({}, state | {"begin": -1}, state | {"epoch": "1"}, state | {"begin": 2**60}):
        with pytest.raises(CurateError, match="the state"):
            stream.load_state_dict(broken)


def test_wrong_arguments_are_said(exports, frames):
    few = curate.FrameDataset(exports / "lmdb", "val")
    with pytest.raises(CurateError, match=r"has 4 frames for 5 processes; uneven='pad' gives some"):
        few.stream(rank=0, world=5)
    assert [len(list(few.stream(rank=rank, world=5, uneven="pad"))) for rank in range(5)] == [1] * 5
    for options in (
        {"rank": 2, "world": 2},
        {"shuffle": -1},
        {"seed": -1},
        {"batch_size": 0},
        {"uneven": "keep"},
        {"weights": np.ones(3)},
        {"weights": np.zeros(320)},
        {"weights": np.full(320, np.nan)},
        {"weights": np.ones(320), "shuffle": 5},
    ):
        with pytest.raises(ValueError):
            frames.stream(**options)
