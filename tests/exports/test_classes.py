"""One number a class: in every split, every format, and after a purge."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from curate.config import ClipsOptions
from curate.exports.check.verify import verify_export
from curate.nets.torchvision_repair import ensure_torchvision, import_timm
from tests.exports.making import ALL, make_entry

LABELS = {"a": 2, "b": 0, "c": 1, "d": 0}
"""Label of each video: its class's place in the order of names."""


@pytest.fixture
def four(tmp_path):
    """Videos of three classes; ``train`` lacks one, ``val`` another, and one has no Latin letter."""
    folder = tmp_path / "in"
    return [
        make_entry(folder, "a", "ssss", procedures=("胆囊切除术",)),
        make_entry(folder, "b", "sss", procedures=("train",)),
        make_entry(folder, "c", "ssss", split="val", procedures=("val",)),
        make_entry(folder, "d", "sss", split="val", procedures=("train", "val")),
    ]


@pytest.fixture
def made(four, export, tmp_path) -> Path:
    export(four, *ALL, clips=ClipsOptions(seconds=1.0, stride=1.0))
    return tmp_path / "exports"


def test_every_format_tells_the_same_labels(made):
    names = ["train", "val", "胆囊切除术"]
    for name in ("webdataset", "folders", "surgenet", "clips", "video"):
        assert (made / name / "classes.txt").read_text(encoding="utf-8").splitlines() == names
    for path in (made / "parquet" / "data").iterdir():
        table = pq.read_table(path, columns=["video_id", "label"]).to_pylist()
        assert {row["video_id"]: row["label"] for row in table}.items() <= LABELS.items()
    for split in ("train", "val"):
        entries = np.load(made / "dinov2" / f"{split}-extra" / "entries.npy")
        found = {str(entry["filename"]).partition("_")[0]: int(entry["class_index"]) for entry in entries}
        assert found.items() <= LABELS.items()
        assert np.load(made / "dinov2" / f"{split}-extra" / "class-ids.npy").tolist() == names
    clips = pq.read_table(made / "clips" / "metadata.parquet", columns=["video_id", "label"]).to_pylist()
    assert {row["video_id"]: row["label"] for row in clips} == LABELS
    assert [problem for name in ALL for problem in verify_export(made / name)] == []


def test_timm_reads_the_same_labels_of_folders_by_the_class_map_and_of_datasets(made, tmp_path):
    import_timm()
    from timm.data import create_dataset

    for split in ("train", "val"):
        class_map = str(made / "folders" / "classes.txt")
        folders = create_dataset("", root=str(made / "folders"), split=split, class_map=class_map)
        found = {Path(name).name.partition("_")[0]: label for name, label in folders.reader.samples}
        assert found and found.items() <= LABELS.items()
        loaded = create_dataset(
            f"hfds/{made / 'parquet'}", root=str(tmp_path / "cache"), split=split, is_training=False
        )
        found = {loaded.filename(i, basename=True).partition("_")[0]: loaded[i][1] for i in range(len(loaded))}
        assert found and found.items() <= LABELS.items()
        assert loaded.reader.class_to_idx == {"train": 0, "val": 1, "胆囊切除术": 2}


def test_datasets_knows_the_names_of_the_labels(made, tmp_path):
    from datasets import load_dataset

    loaded = load_dataset(str(made / "parquet"), cache_dir=str(tmp_path / "cache"))
    for split, count in (("train", 7), ("val", 7)):
        assert loaded[split].features["label"].names == ["train", "val", "胆囊切除术"]
        assert {row["video_id"]: row["label"] for row in loaded[split]}.items() <= LABELS.items()
        assert loaded[split].num_rows == count


def test_numbers_that_were_given_stay_and_what_is_after_them_is_left_out(four, export, tmp_path):
    ensure_torchvision()
    classes = ("removed-0", "val", "train", "胆囊切除术", "later")
    export(four, "webdataset", "lmdb", classes=classes)
    folder = tmp_path / "exports" / "webdataset"
    assert (folder / "classes.txt").read_text(encoding="utf-8").splitlines() == list(classes[:4])
    record = (folder / "export.json").read_bytes()
    again = export(four, "webdataset", "lmdb", classes=(*classes, "still-later"))
    assert not any(made.written for made in again.formats) and (folder / "export.json").read_bytes() == record
    anew = export(four, "webdataset", "lmdb", classes=("train", "val"))
    assert [made.written for made in anew.formats] == [True, False]
    assert json.loads((folder / "_info.json").read_text())["splits"]["train"]["num_samples"] == 7
