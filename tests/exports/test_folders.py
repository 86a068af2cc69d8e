from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from curate.config import SurgenetOptions
from curate.exports.formats import folders
from curate.media.frame_list import read_frame_list
from curate.nets.torchvision_repair import ensure_torchvision
from tests.exports.making import make_entry, picture, sampled_jpeg


@pytest.fixture
def three(tmp_path, entries):
    return [*entries, make_entry(tmp_path / "in", "third", "sss", split="val", procedures=("Whipple Procedure",))]


def test_torchvision_opens_a_split_as_an_image_folder(three, export, tmp_path):
    ensure_torchvision()
    from torchvision.datasets import ImageFolder

    export(three, "folders")
    dataset = ImageFolder(str(tmp_path / "exports" / "folders" / "train"))
    assert dataset.classes == ["cholecystectomy", "hernia-repair"]
    assert len(dataset) == 17
    shown = {
        Path(path).name: (image, label) for (path, label), (image, _) in zip(dataset.samples, dataset, strict=True)
    }
    image, label = shown["vid_a_1.jpg"]
    assert label == 0 and np.abs(np.asarray(image).astype(int) - picture(2).astype(int))[40:].max() < 10
    assert [p.name for p in (tmp_path / "exports" / "folders" / "val").iterdir()] == ["whipple-procedure"]
    card = (tmp_path / "exports" / "folders" / "README.md").read_text()
    code = card.partition("```python\n")[2].partition("```")[0].replace("path/to/this/folder/", "path/to/this/folder")
    names: dict[str, object] = {}
    exec(code.replace("path/to/this/folder", str(tmp_path / "exports" / "folders")), names)
    assert {label for _, label in names["dataset"].samples} == {0, 1}
    val = names["Frames"](tmp_path / "exports" / "folders" / "val", allow_empty=True)
    assert [label for _, label in val.samples] == [2] * 3 and val.classes[2] == "whipple-procedure"


def test_every_file_has_a_row_with_its_checksum(three, export, tmp_path):
    export(three, "folders", "surgenet")
    for name in ("folders", "surgenet"):
        folder = tmp_path / "exports" / name
        rows = {row["file"]: row for row in pq.read_table(folder / "metadata.parquet").to_pylist()}
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.jpg")}
        assert {path: (row["size"], row["sha256"]) for path, row in rows.items()} == {
            path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items()
        }


def at_rate(entry, rate: str, times):
    """The same entry, sampled at other times of a video of another frame rate."""
    table = pq.read_table(entry.frames)
    place = table.schema.get_field_index("timestamp")
    table = table.set_column(place, table.schema.field(place), [times])
    pq.write_table(table.replace_schema_metadata({"source_fps": rate}), entry.frames)
    return entry


@pytest.mark.parametrize(
    ("rate", "times", "surgenet"),
    [
        ("25", [0, 1, 3599, 3600], [0, 1, 3599, 3600]),
        ("60", [0, 1, 3599, 3600], [0, 1, 3599, 3600]),
        ("30000/1001", [0, 1, 29 * 1001 / 30000 * 3000, 3600], [0, 1, 3000, 3720]),
        ("24000/1001", [0, 1, 23 * 1001 / 24000 * 77, 3600], [0, 1, 77, 3753]),
        ("1/2", [0, 2, 4, 6], [0, 1, 2, 3]),
        ("", [0, 1, 3599, 3600], [0, 1, 2, 3]),
    ],
)
def test_surgenet_names_count_by_the_clock_of_its_script(tmp_path, export, rate, times, surgenet):
    """Its script keeps frame k * int(fps) as number k; of samples by time it is the nearest one."""
    entry = at_rate(make_entry(tmp_path / "in", "a", "ssss"), rate, [float(time) for time in times])
    export([entry], "surgenet")
    folder = tmp_path / "exports" / "surgenet"
    names = (folder / "train.txt").read_text().splitlines()
    assert names == [f"a_frame_{n}_Sample{i}.jpg" for i, n in enumerate(surgenet)]
    assert list(read_frame_list(folder / "train.txt").numbers["a"]) == surgenet
    assert "| export.surgenet.clock | surgenet |" in (folder / "README.md").read_text()
    rows = pq.read_table(folder / "metadata.parquet", columns=["n", "timestamp"]).to_pylist()
    assert [(row["n"], row["timestamp"]) for row in rows] == list(enumerate(times))
    export([entry], "surgenet", surgenet=SurgenetOptions(clock="seconds"))
    assert [name.split("_")[2] for name in (folder / "train.txt").read_text().splitlines()] == ["0", "1", "2", "3"]


def test_surgenet_tree_counts_over_the_videos_of_a_procedure(tmp_path, export, monkeypatch):
    monkeypatch.setattr(folders, "SURGENET_BATCH", 5)
    made = [
        make_entry(tmp_path / "in", "a", "nsss", procedures=("x",)),
        make_entry(tmp_path / "in", "b", "ss", procedures=("y",)),
        make_entry(tmp_path / "in", "c", "sssns", procedures=("x",)),
    ]
    export(made, "surgenet")
    folder = tmp_path / "exports" / "surgenet"
    listed = (folder / "train.txt").read_text().splitlines()
    assert listed == [
        "a_frame_1_Sample0.jpg",
        "a_frame_2_Sample1.jpg",
        "a_frame_3_Sample2.jpg",
        "b_frame_0_Sample0.jpg",
        "b_frame_1_Sample1.jpg",
        "c_frame_0_Sample3.jpg",
        "c_frame_1_Sample4.jpg",
        "c_frame_2_Sample5.jpg",
        "c_frame_4_Sample6.jpg",
    ]
    assert (folder / "train/x/Batch1/c_frame_4_Sample6.jpg").read_bytes() == sampled_jpeg(made[2], 4)
    assert sorted(p.name for p in (folder / "train/x/Batch0").iterdir()) == sorted(
        name for name in listed if name[0] in "ac" and name[-5] in "01234"
    )
