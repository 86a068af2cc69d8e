from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate
from curate.config import ClipsOptions, ExportOptions
from curate.errors import CurateError
from curate.exports import export_dataset
from curate.exports.check.verify import verify_export
from tests.exports.damaging import bless, found
from tests.exports.making import encode, make_entry, picture
from tests.media.videos import encode as encode_video

FRAMES = {"video": 6 * 5 + 5 * 5 + 2 * 5, "clips": 20 * (3 + 4 + 1)}


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    entries = [
        make_entry(folder / "in", "first", "nsssnss", regions=[2], procedures=("x",)),
        make_entry(folder / "in", "-second", "s" * 5, procedures=("y",)),
        make_entry(folder / "in", "third", "ss", split="val", procedures=("y",)),
    ]
    options = ExportOptions(formats=("video", "clips"), clips=ClipsOptions(seconds=2.0, stride=1.0))
    export_dataset(entries, options, folder / "out", context={})
    return folder / "out"


@pytest.fixture
def copy(sound, tmp_path) -> Path:
    shutil.copytree(sound, tmp_path / "copy")
    return tmp_path / "copy"


def change_rows(folder: Path, change) -> None:
    table = pq.read_table(folder / "metadata.parquet")
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), table.schema), folder / "metadata.parquet")
    bless(folder)


@pytest.mark.parametrize("name", ["video", "clips"])
def test_a_sound_export_has_no_problems_and_every_frame_is_decoded(sound, name):
    looked_at = []
    assert list(verify_export(sound / name, progress=lambda: looked_at.append(1))) == []
    assert len(looked_at) == FRAMES[name]


def test_a_video_with_other_frames_than_its_row_says(copy):
    folder = copy / "video"
    path = folder / "train" / "first.mp4"
    encode_video(path, frames=9, images=lambda i: picture(i))
    bless(folder)
    assert found(folder) == [("train/first.mp4", "has 9 whole frames, its row says 30")]
    assert found(folder, decode=False) == []
    encode_video(path, frames=30, size=(64, 64))
    bless(folder)
    assert found(folder) == [("train/first.mp4", "is 64x64, its row says 96x64")]
    encode_video(path, "mpeg4", frames=30)
    bless(folder)
    assert found(folder) == [("train/first.mp4", "is mpeg4 in yuv420p, not h264 in yuv420p")]
    path.write_bytes(encode(picture(0)))
    bless(folder)
    assert [where for where, _ in found(folder)] == ["train/first.mp4"]


def test_words_that_do_not_fit_the_frames(copy):
    folder = copy / "video"
    path = folder / "train" / "first.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(dict(list(whole.items())[:-1])))
    bless(folder)
    assert ("train/first.json", "does not have the entries of 30 frames in their order") in found(folder)
    whole["first-5"] = {"class": "surgical", "boxes": [[10, 10, 97, 20]]}
    whole["first-6"] = {"class": "unsure", "boxes": None}
    path.write_text(json.dumps(whole))
    bless(folder)
    problems = found(folder)
    assert ("train/first.json", "first-5 has a box outside the picture") in problems
    assert ("train/first.json", "first-6 is not an entry of LEMON's") in problems
    assert ("train/first.parquet", "does not agree with train/first.json") in problems
    path.write_text("{")
    bless(folder)
    assert any("cannot be read" in what for _, what in found(folder))


def test_lists_that_name_other_clips(copy):
    folder = copy / "clips"
    path = folder / "videomae" / "train.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[1:], "train/x/nobody_0.mp4 0"]) + "\n")
    bless(folder)
    assert found(folder) == [
        ("videomae/train.csv", "names 'train/x/nobody_0.mp4 0', which is not a clip of this split"),
        ("videomae/train.csv", f"lacks '{lines[0]}'"),
    ]
    path.write_text("\n".join(lines) + "\n")
    second = folder / "videomaev2" / "train.txt"
    second.write_text(second.read_text().replace(" 0 -1", " 0 16", 1))
    bless(folder)
    name = lines[0].partition(" ")[0]
    assert found(folder) == [
        ("videomaev2/train.txt", f"names '{name} 0 16', which is not a clip of this split"),
        ("videomaev2/train.txt", f"lacks '{name} 0 -1'"),
    ]
    second.write_text(second.read_text().replace(" 0 16", " 0 -1", 1))
    csv = folder / "vjepa" / "train" / "y.csv"
    csv.rename(folder / "vjepa" / "train" / "z.csv")
    bless(folder)
    assert found(folder) == [("vjepa/train.yaml", "does not name the lists of its split")]


def test_tables_that_do_not_fit_the_files(copy):
    folder = copy / "clips"
    change_rows(folder, lambda rows: [row for row in rows if row["key"] != "third_0"])
    problems = found(folder)
    assert ("val/y/third_0.mp4", "is not in metadata.parquet") in problems
    assert ("videos.parquet", "says 20 frames of third, there are 0") in problems
    folder = copy / "video"
    change_rows(folder, lambda rows: [row | {"key": "another", "label": 0} for row in rows])
    problems = found(folder)
    assert ("another", "stands 3 times in the metadata") in problems
    assert ("another", "is not a key of its video third") in problems


def test_labels_that_name_another_folder(copy):
    folder = copy / "clips"
    change_rows(folder, lambda rows: [row | {"label": 7} for row in rows])
    assert ("third_0", "has the label 7, which classes.txt gives to another folder") in found(folder)


@pytest.mark.parametrize("name", ["video", "clips"])
def test_the_reader_of_pictures_says_what_to_read_it_with(sound, name):
    with pytest.raises(CurateError, match=r"holds videos, not pictures: .*PyAV, decord"):
        curate.FrameDataset(sound / name)
