from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.exports.filming import brightness, decode, film, words
from tests.exports.making import BOX, tree_bytes

BLACK = 24
"""Largest value of a painted pixel that a codec leaves."""


@pytest.fixture
def made(tmp_path, export):
    """Export videos and give the folder of the split ``train``."""

    def run(*entries, **options):
        export(list(entries), "video", **options)
        return tmp_path / "exports" / "video" / "train"

    return run


def test_the_trim_begins_and_ends_where_the_picture_changes(tmp_path, made):
    folder = made(film(tmp_path / "in", "v", "nnsssnn", [(1.6, 4.4)], kept=[2, 3, 4]))
    images, times = decode(folder / "v.mp4")
    assert len(images) == len(words(folder / "v.mp4")) == 70
    assert times == [Fraction(i, 25) for i in range(70)]
    assert all(image.mean() < 150 for image in images), "no white slide"
    rows = pq.read_table(folder / "v.parquet").to_pylist()
    assert [row["source_index"] for row in rows] == list(range(40, 110))
    assert [row["n"] for row in rows] == [2] * 35 + [3] * 25 + [4] * 10
    assert rows[40]["time"] == pytest.approx(1.6) and rows[40]["timestamp"] == pytest.approx(3.2)


def test_where_nothing_tells_the_moment_less_is_shown(tmp_path, made):
    # The samples at 1 s and 5 s show surgery too, but were judged otherwise.
    folder = made(film(tmp_path / "in", "v", "nnsssnn", [(0, 7)], kept=[2, 3, 4]))
    rows = pq.read_table(folder / "v.parquet").to_pylist()
    assert [row["source_index"] for row in rows] == list(range(50, 101))


@pytest.mark.parametrize("include", ["surgical", "trimmed"])
def test_what_is_not_surgery_inside_the_trim_is_black_and_keeps_its_time(tmp_path, made, include):
    entry = film(tmp_path / "in", "v", "sssnnsss", [(0, 2.6), (4.6, 8)], regions=range(8))
    folder = made(entry, include=include)
    images, times = decode(folder / "v.mp4")
    said = words(folder / "v.mp4")
    assert times[-1] == Fraction(199, 25) and len(images) == len(said) == 200
    dark = [image.max() < BLACK for image in images]
    assert dark == [65 <= i < 115 for i in range(200)]
    assert [key for key, _ in said] == [f"v-{i}" for i in range(200)]
    assert [value["class"] for _, value in said] == ["non-surgical" if d else "surgical" for d in dark]
    assert all(value["boxes"] == (None if d else [list(BOX)]) for d, (_, value) in zip(dark, said, strict=True))


def test_a_frame_between_two_samples_is_painted_where_either_has_a_region(tmp_path, made):
    folder = made(film(tmp_path / "in", "v", "sssss", [(0, 5)], regions=[2]))
    images, _ = decode(folder / "v.mp4")
    painted = [brightness(image, BOX) < BLACK for image in images]
    # Between samples 1 and 2, at 2, and between 2 and 3; the frames of samples 1 and 3 themselves have none.
    assert painted == [25 < i < 75 for i in range(125)]
    said = words(folder / "v.mp4")
    assert [value["boxes"] for _, value in said] == [[list(BOX)] if p else None for p in painted]
    rows = pq.read_table(folder / "v.parquet").to_pylist()
    assert rows[60]["regions"][0]["kind"] == "text" and rows[75]["regions"] == []
    for before, image in zip(images[:25], images[60:70], strict=False):
        y2 = BOX[3]
        assert np.abs(before[y2 + 2 :].astype(int).mean() - image[y2 + 2 :].astype(int).mean()) < 8


def test_fills_padding_and_size_are_those_of_the_options(tmp_path, made):
    size = (192, 128)
    entry = film(tmp_path / "in", "v", "ss", [(0, 2)], regions=[0, 1], size=size)
    folder = made(entry, padding=3, short_side=61)
    images, _ = decode(folder / "v.mp4")
    # 61 of 128 rows and 91.5 of 192 columns, made even.
    assert images[0].shape == (60, 92, 3)
    # The box of the sample (96 pixels wide) grown by 3, in pixels of the file, grown to whole ones.
    box = words(folder / "v.mp4")[0][1]["boxes"][0]
    assert box == [13 * 92 // 96, 13 * 60 // 64, -(-51 * 92 // 96), -(-35 * 60 // 64)]
    assert all(brightness(image, tuple(box)) < BLACK for image in images)
    folder = made(entry, fill="none", mark="none")
    images, _ = decode(folder / "v.mp4")
    assert images[0].shape == (128, 192, 3) and images[0][40:60, 40:80].min() > 200
    folder = made(entry, fill="mean", mark="mean")
    patch = decode(folder / "v.mp4")[0][0][40:60, 40:80].reshape(-1, 3).astype(int)
    assert np.ptp(patch, axis=0).max() < 12 and 100 < patch[:, 0].mean() < 190


def test_odd_sizes_lose_their_last_row_and_column(tmp_path, made):
    entry = film(tmp_path / "in", "v", "ss", [(0, 2)], regions=[0], size=(97, 65), encoding={"pixel_format": "yuv444p"})
    folder = made(entry)
    images, _ = decode(folder / "v.mp4")
    assert images[0].shape == (64, 96, 3)
    assert np.abs(images[30][40:].astype(int) - scene_of(entry)[30][40:64, :96]).mean() < 6


def scene_of(entry) -> list[np.ndarray]:
    return decode(entry.source_file)[0]


@pytest.mark.parametrize(("fps", "frames"), [(Fraction(30000, 1001), 119), (Fraction(24000, 1001), 95), (60, 240)])
def test_presentation_times_are_kept_exactly(tmp_path, made, fps, frames):
    entry = film(tmp_path / "in", "v", "ssss", [(0, 4)], fps=fps)
    folder = made(entry)
    _, source = decode(entry.source_file)
    _, times = decode(folder / "v.mp4")
    assert len(times) == frames
    assert times == [time - source[0] for time in source]


def test_a_variable_frame_rate_is_kept(tmp_path, made):
    times = [0, 40, 80, 500, 520, 1000, 1040, 1700, 2000, 2400, 2999]
    encoding = {"frames": len(times), "times": times, "time_base": Fraction(1, 1000)}
    folder = made(film(tmp_path / "in", "v", "sss", [(0, 3)], encoding=encoding))
    assert decode(folder / "v.mp4")[1] == [Fraction(time, 1000) for time in times]
    assert len(words(folder / "v.mp4")) == len(times)


def test_uncertain_seconds_are_shown_only_if_asked_for(tmp_path, made):
    entry = film(tmp_path / "in", "v", "ssuss", [(0, 5)])
    lit = [image.max() > 100 for image in decode(made(entry) / "v.mp4")[0]]
    # Nothing changes in the picture: after sample 1 the first frame is the change.
    assert lit == [i < 26 or i >= 75 for i in range(125)]
    assert all(image.max() > 100 for image in decode(made(entry, uncertain="keep", mark="keep") / "v.mp4")[0])


def test_nothing_is_shown_far_from_any_sample(tmp_path, made):
    entry = film(tmp_path / "in", "v", "ssssssssss", [(0, 10)])
    table = pq.read_table(entry.verdicts)
    frames = pq.read_table(entry.frames)
    keep = [0, 1, 2, 3, 8, 9]
    pq.write_table(table.take(keep), entry.verdicts)
    pq.write_table(frames.take(keep), entry.frames)
    lit = [image.max() > 100 for image in decode(made(entry) / "v.mp4")[0]]
    # A sample speaks for at most two typical intervals.
    assert lit == [i < 125 or i >= 200 for i in range(250)]


def test_the_consumers_reader_counts_as_many_frames_as_entries(tmp_path, made):
    folder = made(film(tmp_path / "in", "-v", "nsssns", [(1, 4), (5, 6)]), film(tmp_path / "in", "w", "sss", [(0, 3)]))
    for name in ("-v", "w"):
        capture = cv2.VideoCapture(str(folder / f"{name}.mp4"))
        stated = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        read = 0
        while capture.read()[0]:
            read += 1
        assert read == stated == len(json.loads((folder / f"{name}.json").read_text()))
        assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(25)


def test_there_is_no_sound_and_no_word_of_the_source(tmp_path, made):
    entry = film(tmp_path / "in", "v", "sss", [(0, 3)], title="Operation on somebody")
    path = tmp_path / "loud.mkv"
    add_sound(entry.source_file, path)
    folder = made(dataclasses.replace(entry, source_file=path))
    with av.open(str(folder / "v.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    data = (folder / "v.mp4").read_bytes()
    assert not any(word in data for word in (b"loud", b"Operation", b"secret", str(tmp_path).encode()))


def add_sound(source: Path, target: Path) -> None:
    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        writing.metadata["title"] = "secret"
        video = writing.add_stream_from_template(reading.streams.video[0])
        sound = writing.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        writing.mux(sound.encode(frame))
        for packet in reading.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                writing.mux(packet)
        writing.mux(sound.encode(None))


def test_a_video_that_cannot_be_read_is_left_out_with_its_reason_and_costs_no_other(tmp_path, entries, export):
    whole = film(tmp_path / "in", "whole", "sss", [(0, 3)])
    gone = dataclasses.replace(film(tmp_path / "in", "gone", "sss", [(0, 3)]), source_file=tmp_path / "nowhere.mp4")
    none = dataclasses.replace(film(tmp_path / "in", "none", "sss", [(0, 3)]), source_file=None)
    torn = film(tmp_path / "in", "torn", "sss", [(0, 3)])
    torn.source_file.write_bytes(b"not a video")
    (summary,) = export([gone, whole, none, torn], "video").formats
    assert summary.videos == 1 and summary.frames == 75
    assert set(summary.left_out) == {"gone", "none", "torn"}
    assert "No such file" in summary.left_out["gone"] and "not at hand" in summary.left_out["none"]
    assert "cannot be read" in summary.left_out["torn"]
    names = {path.name for path in (tmp_path / "exports" / "video" / "train").iterdir()}
    assert names == {"whole.mp4", "whole.json", "whole.parquet"}
    assert not list((tmp_path / "exports" / "video").rglob(".*"))


def test_a_damaged_video_keeps_its_entries_in_step(tmp_path, made):
    entry = film(tmp_path / "in", "v", "s" * 6, [(0, 6)], encoding={"options": {"g": "25", "crf": "4"}})
    data = bytearray(entry.source_file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    entry.source_file.write_bytes(data)
    folder = made(entry)
    images, times = decode(folder / "v.mp4")
    assert 100 < len(images) <= 150 and len(images) == len(words(folder / "v.mp4"))
    rows = pq.read_table(folder / "v.parquet").to_pylist()
    assert [float(time) for time in times] == pytest.approx([row["time"] for row in rows])


def test_tables_card_and_account_count_the_frames_of_the_files(tmp_path, made):
    entry = film(tmp_path / "in", "v", "sssnnsss", [(0, 2.6), (4.6, 8)], procedures=("cholecystectomy",), split="train")
    other = film(tmp_path / "in", "w", "ssss", [(0, 4)], procedures=("hernia repair",), split="val")
    root = made(entry, other).parent
    rows = {row["video_id"]: row for row in pq.read_table(root / "metadata.parquet").to_pylist()}
    assert (rows["v"]["frames"], rows["v"]["surgical_frames"], rows["v"]["seconds"]) == (200, 150, 8.0)
    assert (rows["v"]["width"], rows["v"]["height"], rows["v"]["rate"]) == (96, 64, 25.0)
    assert rows["w"]["file"] == "val/w.mp4" and rows["w"]["label"] == 1
    assert (root / "classes.txt").read_text().split() == ["cholecystectomy", "hernia-repair"]
    videos = {row["video_id"]: row for row in pq.read_table(root / "videos.parquet").to_pylist()}
    assert (videos["v"]["frames"], videos["v"]["seconds"]) == (200, 8.0)
    record = json.loads((root / "export.json").read_text())
    assert record["counts"]["frames"] == 300 and record["counts"]["splits"]["val"] == {"frames": 100, "videos": 1}
    card = (root / "README.md").read_text()
    assert "300 frames of 2 surgical videos" in card and "train/{video_id}.mp4" in card and "LEMON" in card


def test_files_of_unchanged_videos_are_taken_over(tmp_path, entries, export):
    one, two = (film(tmp_path / "in", name, "nsss", [(1, 4)], regions=[2]) for name in ("one", "two"))
    folder = tmp_path / "exports" / "video" / "train"
    export([one, two], "video")
    before = {path.name: path.stat().st_ino for path in folder.iterdir()}
    export([two], "video", mark="one purged", val_fraction=0.0, quality=90)
    after = {path.name: path.stat().st_ino for path in folder.iterdir()}
    assert after == {name: inode for name, inode in before.items() if name.startswith("two")}
    export([two], "video", mark="one purged", to="fresh", quality=90)
    assert tree_bytes(tmp_path / "exports") == tree_bytes(tmp_path / "fresh")
    export([two], "video", mark="blurred", fill="blur", quality=90)
    assert folder.joinpath("two.mp4").stat().st_ino != before["two.mp4"]
    whole = folder.joinpath("two.mp4").read_bytes()
    folder.joinpath("two.mp4").write_bytes(whole[:-9])
    export([two], "video", mark="blurred again", fill="blur", quality=90)
    assert folder.joinpath("two.mp4").read_bytes() == whole, "a damaged file is made again"


MEMORY = """
import resource, sys
from pathlib import Path
from curate.config import ClipsOptions, ExportOptions
from curate.exports import export_dataset
from tests.exports.making import make_entry
folder, seconds = Path(sys.argv[1]), int(sys.argv[2])
entry = make_entry(folder, "v", "s" * seconds, size=(320, 240))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
options = ExportOptions(formats=("video", "clips"), clips=ClipsOptions(seconds=20.0, stride=20.0, size=0))
export_dataset([entry], options, folder / "out", context={})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_a_video(tmp_path):
    root = Path(__file__).resolve().parents[2]
    grown = {}
    for seconds in (60, 600):
        (tmp_path / str(seconds)).mkdir()
        out = subprocess.run(
            [sys.executable, "-c", MEMORY, str(tmp_path / str(seconds)), str(seconds)],
            capture_output=True,
            check=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        grown[seconds] = int(out.stdout) / 1024
    # 540 s more are 2,700 frames of 230 kB each.
    assert grown[600] < grown[60] + 60, grown
