from __future__ import annotations

import json
import math
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.config import ClipsOptions
from curate.errors import CurateError
from curate.exports.formats.clips import starts_of
from tests.exports.filming import brightness, decode, film
from tests.exports.making import BOX


class VideoReader:
    """decord's reader, or PyAV in its place where decord cannot be installed."""

    def __init__(self, path: str) -> None:
        try:
            import decord

            self._reader: Any = decord.VideoReader(path, num_threads=1)
        except ImportError:
            self._reader = None
            with av.open(path) as container:
                self._rate = float(container.streams.video[0].average_rate)
                self._frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]

    def __len__(self) -> int:
        return len(self._frames if self._reader is None else self._reader)

    def get_avg_fps(self) -> float:
        return self._rate if self._reader is None else self._reader.get_avg_fps()

    def get_batch(self, indices: list[int]) -> np.ndarray:
        if self._reader is None:
            return np.stack([self._frames[index] for index in indices])
        return self._reader.get_batch(indices).asnumpy()


class VideoMaeRules:
    """Rebuilt rules of VideoMAE's ``kinetics.VideoMAE``: lines split at spaces, paths as seen from here.

    For where there is no checkout, as `VJepaRules`; `tests.exports.test_consumers` runs the readers themselves.
    """

    def __init__(self, setting: str, frames: int, step: int) -> None:
        self.clips = []
        self._frames, self._step = frames, step
        with open(setting) as stream:
            for line in stream.readlines():
                info = line.split(" ")
                assert len(info) >= 2
                self.clips.append((info[0], int(info[1])))

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        path, target = self.clips[index]
        assert "." in path.split("/")[-1]
        reader = VideoReader(path)
        span = self._frames * self._step
        offset = max(0, len(reader) - span) // 2
        wanted = [min(offset + k * self._step, len(reader) - 1) for k in range(self._frames)]
        return reader.get_batch(wanted), target


class VJepaRules:
    """Rebuilt rules of V-JEPA 2's ``src/datasets/video_dataset.py``."""

    def __init__(self, data_paths: list[str], weights: list[float], fps: int, frames: int) -> None:
        self.samples: list[str] = []
        self.labels: list[int] = []
        self.sample_weights: list[float] = []
        self._fps, self._frames = fps, frames
        for path, weight in zip(data_paths, weights, strict=True):
            data = pd.read_csv(path, header=None, delimiter=" ")
            self.samples += list(data.values[:, 0])
            self.labels += list(data.values[:, 1])
            self.sample_weights += [weight / len(data)] * len(data)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        assert isinstance(self.samples[index], str) and Path(self.samples[index]).exists()
        reader = VideoReader(self.samples[index])
        step = math.ceil(reader.get_avg_fps()) // self._fps
        assert step > 0 and len(reader) >= step * self._frames
        wanted = np.linspace(0, step * self._frames, num=self._frames)
        return reader.get_batch(list(np.clip(wanted, 0, len(reader) - 1).astype(int))), self.labels[index]


@pytest.fixture
def made(tmp_path, export):
    """Export clips of 2 s, one a second, and give the folder."""

    def run(*entries, mark="f", **options):
        clips = ClipsOptions(**{"seconds": 2.0, "stride": 1.0, "rate": 10.0, **options})
        export(list(entries), "clips", mark=mark, clips=clips)
        return tmp_path / "exports" / "clips"

    return run


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "metadata.parquet").to_pylist()


def test_clips_lie_inside_surgical_runs(tmp_path, made):
    # Runs that may be shown: 0.6 to 4.6 and 5.4 to 9, as the cuts tell.
    entry = film(tmp_path / "in", "v", "nssssnsssn", [(0.6, 4.6), (5.4, 9)], kept=range(1, 9))
    folder = made(entry)
    rows = rows_of(folder)
    assert [row["timestamp"] for row in rows] == pytest.approx([0.6, 1.6, 2.6, 5.4, 6.4])
    assert [row["key"] for row in rows] == [f"v_{i}" for i in range(5)]
    for row in rows:
        images, times = decode(folder / row["file"])
        assert times == [Fraction(k, 10) for k in range(20)]
        assert all(image.mean() < 150 for image in images), "no white slide"
        assert (row["frames"], row["surgical_frames"], row["seconds"], row["rate"]) == (20, 20, 2.0, 10.0)


@pytest.mark.parametrize(("rate", "fps"), [(10.0, 25), (8.0, 30), (12.5, 25), (29.97, 24), (4.0, 60)])
def test_frames_are_those_on_screen_at_their_times(tmp_path, made, rate, fps):
    def grey(index: int) -> np.ndarray:
        return np.full((64, 96, 3), 20 + 5 * (index % 40), np.uint8)

    entry = film(tmp_path / "in", "v", "sssss", [], images=grey, fps=fps)
    folder = made(entry, rate=rate, stride=1.25, crf=1)
    rows = rows_of(folder)
    assert [row["timestamp"] for row in rows] == pytest.approx([0.0, 1.25, 2.5], abs=1 / fps)
    for number, row in enumerate(rows):
        images, times = decode(folder / row["file"])
        assert len(images) == round(2 * Fraction(str(rate)))
        for k, image in enumerate(images):
            due = Fraction(5, 4) * number + k / Fraction(str(rate))
            assert times[k] == pytest.approx(float(k / Fraction(str(rate))), abs=1e-4)
            assert image.mean() == pytest.approx(20 + 5 * (math.floor(due * fps) % 40), abs=2.4)


def test_overlays_are_painted_and_told(tmp_path, made):
    entry = film(tmp_path / "in", "v", "sssss", [(0, 5)], regions=[2, 3], size=(192, 128))
    folder = made(entry, stride=2.0, size=64)
    first, second = rows_of(folder)
    assert (first["width"], first["height"]) == (96, 64)
    assert [region["x2"] for region in first["regions"]] == [BOX[2]] and first["regions"][0]["kind"] == "text"
    images, _ = decode(folder / first["file"])
    assert [brightness(image, BOX) < 24 for image in images] == [k > 10 for k in range(20)]
    images, _ = decode(folder / second["file"])
    assert [brightness(image, BOX) < 24 for image in images] == [k < 20 for k in range(20)]


@pytest.fixture
def lists(tmp_path, made, monkeypatch):
    """Lists of three procedures in two splits, with the export as the current folder."""
    common = {"procedures": ("Cholecystectomy",)}
    folder = made(
        film(tmp_path / "in", "-a", "s" * 8, [(0, 8)], **common),
        film(tmp_path / "in", "b", "s" * 4, [(0, 4)], **common),
        film(tmp_path / "in", "c", "s" * 3, [(0, 3)], procedures=("Hernia repair", "Cholecystectomy")),
        film(tmp_path / "in", "d", "s" * 3, [(0, 3)], split="val"),
    )
    monkeypatch.chdir(folder)
    return folder


def test_videomae_reads_its_list(lists):
    train = VideoMaeRules("videomae/train.csv", frames=4, step=2)
    assert len(train.clips) == 7 + 3 + 2
    names = Path("classes.txt").read_text().splitlines()
    assert names == ["cholecystectomy", "hernia-repair", "unknown"]
    assert [target for _, target in train.clips] == [0] * 10 + [1] * 2
    batch, _ = train[0]
    assert batch.shape == (4, 64, 96, 3) and 100 < batch[..., 0].mean() < 200
    assert [clip for clip, _ in VideoMaeRules("videomae/val.csv", 4, 2).clips] == [
        "val/unknown/d_0.mp4",
        "val/unknown/d_1.mp4",
    ]


def test_vjepa_reads_its_lists_with_their_weights(lists):
    import yaml

    data = yaml.safe_load(Path("vjepa/train.yaml").read_text())
    assert data["datasets"] == ["vjepa/train/cholecystectomy.csv", "vjepa/train/hernia-repair.csv"]
    root = math.sqrt(10) + math.sqrt(2)
    assert data["datasets_weights"] == pytest.approx([math.sqrt(10) / root, math.sqrt(2) / root])
    train = VJepaRules(data["datasets"], data["datasets_weights"], fps=5, frames=8)
    assert sum(train.sample_weights) == pytest.approx(1)
    assert sorted(train.samples) == sorted(clip for clip, _ in VideoMaeRules("videomae/train.csv", 4, 2).clips)
    for index in (0, 11):
        batch, label = train[index]
        assert batch.shape == (8, 64, 96, 3) and label == (0 if index == 0 else 1)


def test_the_commands_of_the_card_make_every_path_absolute(lists, tmp_path):
    import yaml

    card = (lists / "README.md").read_text()
    for name in ("videomae", "videomaev2", "vjepa"):
        shutil.copytree(lists / name, tmp_path / "copy" / name)
    commands = card.partition("```bash\n")[2].partition("```")[0].replace("$PWD", str(lists))
    subprocess.run(["bash", "-euc", commands], cwd=tmp_path / "copy", check=True)
    for name in ("videomae/train.csv", "videomaev2/train.txt", "vjepa/train/hernia-repair.csv"):
        now = [line.split(" ") for line in (tmp_path / "copy" / name).read_text().splitlines()]
        was = [line.split(" ") for line in (lists / name).read_text().splitlines()]
        assert now == [[f"{lists}/{path}", *rest] for path, *rest in was]
    data = yaml.safe_load((tmp_path / "copy" / "vjepa" / "train.yaml").read_text())
    assert all(Path(path).is_absolute() and Path(path).is_file() for path in data["datasets"])


def test_a_video_without_a_long_enough_run_gives_no_clip_and_is_named(tmp_path, made):
    short = film(tmp_path / "in", "short", "snsns", [(0, 1), (2, 3), (4, 5)])
    folder = made(short, film(tmp_path / "in", "long", "ssss", [(0, 4)]))
    record = json.loads((folder / "export.json").read_text())
    assert record["without_frames"] == ["short"] and record["clips"] == 3
    assert record["counts"] == {"videos": 1, "frames": 60, "splits": {"train": {"videos": 1, "frames": 60}}}
    with pytest.raises(CurateError, match=r"no surgical run is as long as export\.clips\.seconds, 2 s"):
        made(short, mark="alone")
    with pytest.raises(CurateError, match="less than a frame"):
        made(short, mark="none", seconds=0.1, rate=1.0)
    assert json.loads((folder / "export.json").read_text()) == record


def test_a_video_that_ends_early_has_no_half_clip(tmp_path, made):
    entry = film(tmp_path / "in", "v", "ssssss", [(0, 6)], encoding={"frames": 110})
    folder = made(entry, stride=2.0)
    assert [row["timestamp"] for row in rows_of(folder)] == [0.0, 2.0]
    assert len(list(folder.rglob("*.mp4"))) == 2


@given(
    runs=st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), max_size=4),
    length=st.sampled_from([0.5, 2.0, 3.3]),
    stride=st.sampled_from([0.1, 1.0, 3.3, 7.0]),
)
def test_all_clips_that_fit_and_no_others(runs, length, stride):
    edges = sorted(edge for run in runs for edge in run)
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    options = ClipsOptions(seconds=length, stride=stride, rate=10.0)
    starts = [float(start) for start in starts_of(spans, options)]
    expected = []
    for begin, end in spans:
        number = 0
        while begin + number * stride + length <= end + 1e-6:
            expected.append(begin + number * stride)
            number += 1
    assert starts == pytest.approx(expected)
