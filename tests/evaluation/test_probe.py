"""Probes of frozen features: by counting, on planted features, and the command on real networks, exports and leaks."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.metrics import accuracy_score, f1_score

from curate.errors import CurateError
from curate.evaluation.probe import (
    Bootstrap,
    ProbeOptions,
    accuracy,
    confusion,
    interval,
    macro_f1,
    make_splits,
    probe,
    targets,
    units_of,
)
from curate.evaluation.probe_features import parse_backbones
from curate.evaluation.probe_set import ProbeFrame, ProbeSet, read_probe_set
from curate.nets.torchvision_repair import import_timm
from tests.corpus.running import run
from tests.nets.making import picture

QUICK = ProbeOptions(replicates=300)


def made(classes: int, units: int, frames: int, split: str = "") -> ProbeSet:
    """A set without pictures: each class has as many videos, each of as many frames."""
    return ProbeSet(
        "made",
        tuple(
            ProbeFrame(Path(f"{c}-{u}-{i}.jpg"), f"class {c}", f"s: {c}-{u}", split, "")
            for c in range(classes)
            for u in range(units)
            for i in range(frames)
        ),
        0,
    )


def features(probe_set: ProbeSet, signal: float, seed: int = 0) -> np.ndarray:
    """Unit vectors in which the class, the video and noise speak."""
    rng = np.random.default_rng(seed)
    classes, videos = rng.normal(size=(10, 16)), rng.normal(size=(1000, 16))
    wide = signal * classes[targets(probe_set)] + 0.5 * videos[units_of(probe_set)]
    wide = wide + rng.normal(size=wide.shape)
    return (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)


def test_figures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    truth, said = rng.choice([0, 1, 3], 80), rng.integers(0, 4, 80)
    counts = confusion(truth, said, 4)
    assert accuracy(counts) == pytest.approx(accuracy_score(truth, said))
    assert macro_f1(counts) == pytest.approx(f1_score(truth, said, labels=[0, 1, 3], average="macro"))


def test_every_frame_is_answered_once_by_a_probe_that_saw_nothing_of_its_video() -> None:
    probe_set = made(3, 7, 4)
    splits, units = make_splits(probe_set, QUICK), units_of(probe_set)
    assert sorted(np.concatenate([split.test for split in splits])) == list(range(len(probe_set.frames)))
    for split in splits:
        assert not set(units[split.train]) & set(units[split.test])
        assert set(targets(probe_set)[split.train]) == {0, 1, 2}
    again = make_splits(probe_set, QUICK)
    assert all((a.test == b.test).all() for a, b in zip(splits, again, strict=True))


def test_folds_are_no_more_than_the_videos_of_the_rarest_class() -> None:
    few = ProbeSet("few", (*made(1, 9, 2).frames, *made(2, 3, 2).frames[6:]), 0)
    assert len(make_splits(few, QUICK)) == 3


def test_what_is_planted_is_found_and_what_is_not_is_not() -> None:
    probe_set = made(3, 12, 4)
    splits = make_splits(probe_set, QUICK)
    clear, none = (probe(features(probe_set, signal), probe_set, splits, QUICK) for signal in (4.0, 0.0))
    boot = Bootstrap(probe_set, splits, QUICK)
    for name in ("linear", "knn"):
        good, bad = (boot.samples([answers[name]], "accuracy") for answers in (clear, none))
        assert good[0] > 0.95
        assert interval(*bad).high < 0.5  # chance is a third
        apart = interval(good[0] - bad[0], good[1] - bad[1])
        assert apart.low > 0.3
        same = interval(good[0] - good[0], good[1] - boot.samples([clear[name]], "accuracy")[1])
        assert (same.value, same.low, same.high) == (0, 0, 0)


def test_intervals_are_over_videos_not_frames() -> None:
    """Ten frames that are right or wrong together are as good as one."""
    one, many = made(2, 20, 1), made(2, 20, 10)
    found = []
    for probe_set in (one, many):
        splits = make_splits(probe_set, QUICK)
        right = units_of(probe_set) % 4 > 0
        answers = np.where(right, targets(probe_set), 1 - targets(probe_set))
        found.append(interval(*Bootstrap(probe_set, splits, QUICK).samples([answers], "accuracy")))
    assert found[0] == found[1] and found[0].value == 0.75
    # the binomial's deviation for 40 videos is 0.068
    assert 0.08 < found[0].value - found[0].low < 0.18


def test_several_runs_have_a_mean_and_their_spread_counts() -> None:
    probe_set = made(2, 20, 1)
    boot = Bootstrap(probe_set, make_splits(probe_set, QUICK), QUICK)
    truth = targets(probe_set)
    value, replicates = boot.samples([truth, 1 - truth], "accuracy")
    assert value == 0.5
    assert set(np.round(replicates, 6)) == {0.0, 0.5, 1.0}


def test_stated_splits_are_kept(tmp_path: Path) -> None:
    for split, label, video in (("train", "a", "v1"), ("train", "b", "v2"), ("val", "a", "v3"), ("test", "b", "v4")):
        place = tmp_path / "set" / split / label / video
        place.mkdir(parents=True)
        (place / f"{video}.jpg").write_bytes(b"x")
    read = read_probe_set(tmp_path / "set")
    assert read.stated and read.classes == ("a", "b") and read.alone == 0
    (only,) = make_splits(read, QUICK)
    assert [read.frames[i].path.stem for i in only.test] == ["v4"]
    assert sorted(read.frames[i].path.stem for i in only.train) == ["v1", "v2", "v3"]


def table(folder: Path, *lines: str, head: str = "file,label,group") -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(b"x")
    path = folder / "labels.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


GOOD = ("0.jpg,a,v0", "1.jpg,a,v1", "2.jpg,b,v2", "3.jpg,b,v3")


@pytest.mark.parametrize(
    ("lines", "head", "said"),
    [
        ((*GOOD, "9.jpg,a,v1"), "", r":6: there is no file '9.jpg'"),
        ((*GOOD, "4.jpg,,v1"), "", r":6: the label is empty"),
        ((*GOOD, "0.jpg,b,v2"), "", r":6: 0.jpg stands in .*:2 too"),
        (("0.jpg,a,v0", "1.jpg,a,v1"), "", "all frames are labelled 'a'"),
        ((*GOOD, "4.jpg,c,v4", "5.jpg,c,v4"), "", "class 'c' are of one video"),
        (("0.jpg,a,v0,train", "1.jpg,b,v0,test"), "split", r":3: frames: v0 is in test, and in train in .*:2"),
        (("0.jpg,a,v0,train", "1.jpg,b,v1,"), "split", r":3: no split"),
        (("0.jpg,a,v0,train", "1.jpg,b,v1,later"), "split", r":3: split 'later' is none of"),
        (("0.jpg,a,v0,train", "1.jpg,b,v1,train", "2.jpg,c,v2,test"), "split", "class 'c' is in test and not in train"),
        (("0.jpg,a,v0,train", "1.jpg,b,v1,train"), "split", "no frame is in the split test"),
        ((), "", "holds no labelled frame"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_refused_with_its_line(tmp_path, lines, head, said) -> None:
    path = table(tmp_path, *lines, head="file,label,group" + (f",{head}" if head else ""))
    with pytest.raises(CurateError, match=said):
        read_probe_set(path)


def test_names_of_backbones() -> None:
    given = ["curated=runs/0.pth", "runs/plain.pth", "owner/name", "a=b"]
    assert parse_backbones(given) == [
        ("curated", "runs/0.pth"), ("plain", "runs/plain.pth"), ("name", "owner/name"), ("a", "b"),
    ]  # fmt: skip


def network(folder: Path, seed: int, name: str = "mobilenetv3_small_050", side: int = 32) -> Path:
    """A folder with the weights of a small network and timm's config beside them."""
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    made = import_timm().create_model(name, num_classes=0)
    save_file({key: value.contiguous() for key, value in made.state_dict().items()}, folder / "model.safetensors")
    config = {"architecture": name, "pretrained_cfg": {"input_size": [3, side, side]}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def jpeg(image: np.ndarray, quality: int = 95) -> bytes:
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def scene(seed: int) -> np.ndarray:
    """A picture with detail."""
    rng = np.random.default_rng(seed)
    image = picture(seed, 144, 192)
    for _ in range(12):
        x, y, r = rng.integers(0, 192), rng.integers(0, 144), rng.integers(6, 30)
        cv2.circle(image, (int(x), int(y)), int(r), tuple(map(int, rng.integers(0, 255, 3))), -1)
    return image


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two exports, made by `curate corpus build` of pictures, and a labelled set of other pictures."""
    home = tmp_path_factory.mktemp("probe")
    for corpus, start in (("one", 0), ("two", 100)):
        for video in range(2):
            folder = home / f"{corpus}-frames" / f"video{video:02d}"
            folder.mkdir(parents=True)
            for i in range(5):
                (folder / f"video{video:02d}_{i:03d}.jpg").write_bytes(jpeg(scene(start + 10 * video + i)))
        formats = '["webdataset"]' if corpus == "one" else '["parquet"]'
        (home / f"{corpus}.toml").write_text(
            f'[recipe]\nname = "{corpus}"\n[[source]]\nname = "s"\nframes = "{corpus}-frames"\nlicence = "none"\n'
            f"[dedup]\nenabled = false\ncompare = false\n[export]\nformats = {formats}\n"
        )
        done = run("corpus", "build", home / f"{corpus}.toml", "-o", home / corpus)
        assert done.code == 0, done.err
    rows = ["file,label,source,group"]
    (home / "set").mkdir()
    for video in range(8):
        for i in range(3):
            image = scene(1000 + 10 * video + i)
            image[:, :, video % 2] //= 4  # its colour tells the class
            (home / "set" / f"{video}-{i}.jpg").write_bytes(jpeg(image))
            rows.append(f"{video}-{i}.jpg,{'ab'[video % 2]},own,v{video}")
    (home / "set" / "labels.csv").write_text("\n".join(rows) + "\n")
    for seed in range(3):
        network(home / "nets" / str(seed), seed)
    yield home


def exports(home: Path) -> list[object]:
    return ["--export", home / "one/exports/webdataset", "--export", home / "two/exports/parquet"]


FAST = ("--replicates", 200, "--folds", 2, "--device", "cpu")


def test_checkpoints_are_compared_and_everything_is_written(home: Path, tmp_path: Path) -> None:
    nets = home / "nets"
    arms = ["--backbone", f"a={nets / '0'}", "--backbone", f"a={nets / '1'}", "--backbone", f"b={nets / '2'}"]
    command = ["probe", home / "set/labels.csv", *arms, *exports(home), *FAST, "-o"]
    done = run(*command, tmp_path / "out")
    assert done.code == 0, done.err
    assert "| b over a | linear |" in done.out and "none of its pictures was found" in done.out
    result = json.loads((tmp_path / "out" / "report.json").read_text())
    assert result["checked_against"] == {"webdataset": 10, "parquet": 10}
    assert result["set"]["videos"] == 8 and result["protocol"]["tested_frames"] == 24
    figures = {(row["backbone"], row["probe"], row["figure"]): row for row in result["figures"]}
    assert len(figures) == 8 and figures["a", "linear", "accuracy"]["runs"] == 2
    assert figures["a", "linear", "accuracy"]["value"] > 0.7  # colours are there even in random features
    for row in (*result["figures"], *result["differences"], *result["coverage"], *result["coverage_differences"]):
        assert row["low"] <= row["value"] <= row["high"]
    assert [row["looked_at"] for row in result["coverage"]] == [10, 10]
    with open(tmp_path / "out" / "predictions.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 24 * 3
    right = np.mean([row["linear"] == row["label"] for row in rows if row["backbone"] == "b"])
    assert figures["b", "linear", "accuracy"]["value"] == pytest.approx(right, abs=1e-4)
    text = (tmp_path / "out" / "figures.csv").read_text()
    assert text.count("\n") == 1 + 8 + 4 + 2 + 1
    assert "8 videos are few" in (tmp_path / "out" / "report.md").read_text()
    assert run(*command, tmp_path / "again").code == 0
    for name in ("report.json", "report.md", "figures.csv", "predictions.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def leaking(home: Path, folder: Path, data: bytes) -> Path:
    """The labelled set with one picture more."""
    folder.mkdir()
    for path in (home / "set").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "seen.jpg").write_bytes(data)
    with open(folder / "labels.csv", "a") as stream:
        stream.write("seen.jpg,a,own,v0\n")
    return folder / "labels.csv"


def captioned(image: np.ndarray) -> np.ndarray:
    image = cv2.resize(image, (320, 240))
    cv2.putText(image, "a caption", (20, 225), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 2)
    return np.pad(image, ((0, 0), (60, 60), (0, 0)))


CHANGES = {
    "as it is": lambda image: jpeg(image),
    "encoded again and smaller": lambda image: jpeg(cv2.resize(image, (120, 90), interpolation=cv2.INTER_AREA), 60),
    "mirrored": lambda image: jpeg(np.ascontiguousarray(image[:, ::-1]), 80),
    "captioned and letterboxed": lambda image: jpeg(captioned(image), 80),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_picture_of_an_export_is_a_leak(home: Path, tmp_path: Path, change: str) -> None:
    seed, where = (111, "parquet") if change == "mirrored" else (11, "webdataset")
    labels = leaking(home, tmp_path / "set", CHANGES[change](scene(seed)))
    command = ["probe", labels, "--backbone", home / "nets/0", *exports(home), *FAST, "-o", tmp_path / "out"]
    done = run(*command)
    assert done.code == 1 and not (tmp_path / "out").exists()
    assert "1 of 25 labelled pictures are in an export" in done.err
    assert f"labels.csv:26 (seen.jpg) is s-video01_1 of video s-video01 in {where}" in done.err
    assert ("the same bytes" in done.err) == (change == "as it is")
    if change == "mirrored":
        done = run(*command, "--leaks", "drop")
        assert done.code == 0, done.err
        # the picture goes with its video, of which there are three more
        assert "4 frames were left out with their videos as leaks" in done.out
        assert json.loads((tmp_path / "out" / "report.json").read_text())["set"]["frames"] == 21


def test_checkpoints_that_cannot_be_compared_are_refused(home: Path, tmp_path: Path) -> None:
    nets = home / "nets"

    def said(*backbones: object, more: tuple[object, ...] = ()) -> str:
        given = [part for one in backbones for part in ("--backbone", one)]
        done = run("probe", home / "set/labels.csv", *given, *FAST, "-o", tmp_path / "out", *more)
        assert done.code == 1 and "Traceback" not in done.err and not (tmp_path / "out").exists()
        return done.err

    other = network(tmp_path / "other", 0, "resnet10t")
    assert "is a resnet10t at 32x32, and" in said(nets / "0", other)
    assert "mobilenetv3_small_050 at 48x48" in said(nets / "0", network(tmp_path / "larger", 5, side=48))
    assert "has the same weights as" in said(f"a={nets / '0'}", f"b={nets / '0'}")
    weights = other / "model.safetensors"
    refused = said(weights, more=("--architecture", "mobilenetv3_small_050"))
    assert "do not fit timm's mobilenetv3_small_050" in refused and "missing" in refused
    assert "no backbone 'nowhere'" in said("nowhere")
    given = ["--backbone", nets / "0", "--backbone", other, "--mixed-architectures"]
    done = run("probe", home / "set/labels.csv", *given, *FAST, "-o", tmp_path / "out")
    assert done.code == 0 and "of several architectures" in done.out and "held against no export" in done.out


def test_what_is_no_export_or_cannot_be_read_is_named(home: Path, tmp_path: Path) -> None:
    labels, net = home / "set/labels.csv", home / "nets/0"
    done = run("probe", labels, "--backbone", net, "--export", home / "set", *FAST, "-o", tmp_path / "out")
    assert done.code == 1 and "is not an export" in done.err
    twice = ["--export", home / "one/exports/webdataset"] * 2
    done = run("probe", labels, "--backbone", net, *twice, *FAST, "-o", tmp_path / "out")
    assert done.code == 1 and "given twice" in done.err
    half = shutil.copytree(home / "one/exports/webdataset", tmp_path / "half")
    next(half.glob("train-*.tar")).unlink()
    done = run("probe", labels, "--backbone", net, "--export", half, *FAST, "-o", tmp_path / "out")
    assert done.code == 1 and "half is not whole: train-0" in done.err
    damaged = leaking(home, tmp_path / "set", b"no picture")
    done = run("probe", damaged, "--backbone", net, *FAST, "-o", tmp_path / "out")
    assert done.code == 2 and "labels.csv:26: left out, the picture cannot be read" in done.err
    assert json.loads((tmp_path / "out" / "report.json").read_text())["set"]["frames"] == 24
