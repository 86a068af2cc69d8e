from __future__ import annotations

import json

import pyarrow as pa
import pytest
import torch
from torch.utils.data import DataLoader

import curate
from curate.dataset import Neighbours
from curate.dataset.neighbours import NeighbourTable
from curate.errors import CurateError

KEYS = ["a_0", "b_7", "a_1", "a_2", "a_3", "a_9", "c_1", "c_2", "v_1_5", "v_1_6"]


def entries(*alike: str, unit: float = 0.1, far: float = 0.2) -> list[list[object]]:
    """Six entries, of which ``alike`` are taken."""
    named = [["a_9", unit], ["a_9", unit], *([key, far] for key in alike)]
    return [*named, *([["a_9", 3.1 * unit]] * (6 - len(named)))]


def table(tmp_path, found: dict[str, list], count: int = 4, lines: bool = True) -> NeighbourTable:
    path = tmp_path / "train.json"
    whole = {key: found.get(key, entries()) for key in KEYS}
    rows = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in whole.items())
    path.write_text(f"{{\n{rows}\n}}\n" if lines else json.dumps(whole))
    return NeighbourTable(Neighbours(path, count), pa.array(KEYS))


@pytest.mark.parametrize("lines", [True, False])
def test_neighbours_are_those_of_lemonfms_reader(tmp_path, lines):
    found = {
        "a_0": entries("c_1", "c_2", "b_7", "a_9"),
        "a_1": entries("c_1"),
        "a_2": entries("c_2", "c_1", "b_7"),
        "a_3": entries("c_2", far=0.31),
    }
    made = table(tmp_path, found, lines=lines)
    shown = {key: [KEYS[i] for i in made.draw(row)] for row, key in enumerate(KEYS)}
    assert shown == {
        "a_0": ["c_1", "c_2", "b_7", "a_9"],  # all four are alike
        "a_1": ["c_1", "a_0", "a_2", "a_3"],  # three in time, the second of them stands twice
        "a_2": ["c_2", "c_1", "b_7", "a_0"],  # and the first of a_0, a_1, a_3
        "a_3": ["a_1", "a_2", "a_1", "a_2"],  # none nearer than three units; two in time
        "b_7": ["b_7"] * 4,  # alone
        "a_9": ["a_9"] * 4,
        "c_1": ["c_2"] * 4,
        "c_2": ["c_1"] * 4,
        "v_1_5": ["v_1_6"] * 4,
        "v_1_6": ["v_1_5"] * 4,
    }


def test_fewer_are_drawn_of_all_four_by_torch(tmp_path):
    made = table(tmp_path, {"a_0": entries("c_1", "c_2", "b_7", "a_9")}, count=1)
    torch.manual_seed(0)
    drawn = [made.draw(0) for _ in range(200)]
    torch.manual_seed(0)
    assert [made.draw(0) for _ in range(200)] == drawn
    assert {KEYS[i] for (i,) in drawn} == {"c_1", "c_2", "b_7", "a_9"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "cannot read the neighbours"),
        ("[1]", "not an object of keys"),
        (json.dumps({key: [] for key in KEYS}), "a_0 has no list of keys and distances"),
        (json.dumps({key: entries("z_1") for key in KEYS}), "names z_1, which is not in the export"),
        (json.dumps({key: entries() for key in KEYS[1:]}), "has no neighbours of a_0: write it again"),
        (json.dumps({key: entries() for key in [*KEYS, "z_1"]}), "names z_1"),
    ],
)
def test_files_that_do_not_fit_are_said(tmp_path, text, why):
    path = tmp_path / "train.json"
    path.write_text(text)
    with pytest.raises(CurateError, match=why):
        NeighbourTable(Neighbours(path), pa.array(KEYS))
    with pytest.raises(ValueError, match="5 neighbours are not 1 to 4"):
        Neighbours(path, 5)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_samples_carry_their_neighbours(exports, tmp_path, start):
    plain = curate.FrameDataset(exports / "parquet", columns=("key",))
    names = [plain[i]["key"] for i in range(320)]
    path = tmp_path / "train.json"
    path.write_text(json.dumps({key: [["rare_0", 0.1]] * 2 + [["rare_1", 0.2]] * 4 for key in names}))
    dataset = curate.FrameDataset(
        exports / "parquet", transform=red, columns=("key", "n"), neighbours=Neighbours(path, 2)
    )
    batch = next(iter(DataLoader(dataset, batch_size=8, num_workers=1, multiprocessing_context=start)))
    assert len(batch["neighbours"]) == 2
    assert batch["neighbours"][0].tolist() == batch["neighbours"][1].tolist() == [red(plain[301]["image"])] * 8


def red(image) -> int:
    return image.getpixel((90, 60))[0]
