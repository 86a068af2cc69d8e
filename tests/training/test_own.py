"""A lab's own classifier: what is left out, where it starts, and the command from labels to a model folder."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from curate.cli import run_command
from curate.errors import CurateError
from curate.evaluation.labels import LabelledFrame
from curate.nets.classifier import load_classifier
from curate.nets.torch_network import build_network
from curate.nets.torchvision_repair import import_timm
from curate.nets.weights.model_config import LEVELS, Branch, ModelConfig, WeightsFile
from curate.training.folds import make_folds
from curate.training.own import usual_pictures
from curate.training.save import save_model
from curate.training.start import start_from
from tests.nets.making import picture, tiny_model

SMALL = ModelConfig(
    name="small",
    architecture=LEVELS,
    weights=(WeightsFile("model.safetensors", ""),),
    width=64,
    height=64,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    branches=(Branch("mobilenetv2_050", blocks=(1, 2)),),
)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with a backbone of random weights, its batch norms fitted to pictures."""
    torch.manual_seed(0)
    network = build_network(SMALL, None)
    pixels = torch.from_numpy(np.stack([picture(i, 64, 64) for i in range(16)])).permute(0, 3, 1, 2) / 127.5 - 1
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.inference_mode():
        network.train()(pixels)
    folder = tmp_path_factory.mktemp("backbone")
    save_model(network.eval(), SMALL, folder)
    return folder


def image(number: int, surgical: bool) -> np.ndarray:
    """Fine-grained if surgical, else smooth."""
    plain = picture(number, 90, 120)
    noise = np.random.default_rng(number).integers(0, 128, plain.shape)
    return (plain // 2 + noise).astype(np.uint8) if surgical else plain


def write_labels(folder: Path, columns: tuple[str, ...] = ("file", "label", "source", "group", "licence")) -> Path:
    """Twenty-four pictures of four sources, one of them a PNG, and their labels."""
    rows = []
    for number in range(24):
        surgical = number % 2 == 0
        name = f"{number}.png" if number == 5 else f"{number}.jpg"
        assert cv2.imwrite(str(folder / name), image(number, surgical)[:, :, ::-1])
        label = "surgical" if surgical else "non-surgical"
        row = (name, label, f"s{number % 4}", f"s{number % 4}/{number // 8}", "CC0 | own" if surgical else "")
        rows.append(dict(zip(("file", "label", "source", "group", "licence"), row, strict=True)))
    path = folder / "labels.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def train(labels: Path, output: Path, backbone: Path, *more: str) -> int:
    options = ("--backbone", str(backbone), "--pictures", "48", "--threads", "1", "-q")
    return run_command(["train", "classifier", "--labels", str(labels), "-o", str(output), *options, *more])


def test_labels_become_a_model_that_classifies(
    backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, output = write_labels(tmp_path), tmp_path / "mine"
    assert train(labels, output, backbone) == 0
    assert "| s0 | surgical | 6 | 3 |" in capsys.readouterr().out
    assert sorted(p.name for p in output.iterdir()) == ["README.md", "config.json", "model.onnx", "model.safetensors"]

    classifier = load_classifier(str(output), device="cpu", threads=1)
    assert classifier.config.name == "mine"
    answers = classifier.predict([image(number, number % 2 == 0) for number in range(100, 120)])
    assert ((answers >= classifier.config.threshold) == (np.arange(20) % 2 == 0)).mean() >= 0.9

    card = (output / "README.md").read_text()
    assert "| s0 | surgical | 6 | 3 | CC0 \\| own |" in card
    assert "| s3 | non-surgical | 6 | 3 | none stated |" in card
    assert "The sources were left out in 4 parts" in card
    assert str(tmp_path) not in card + (output / "config.json").read_text()
    assert classifier.config.training_command in card

    assert train(labels, output, backbone) == 1
    assert "holds a model already" in capsys.readouterr().err


def test_the_same_command_makes_the_same_model_and_a_kept_cache_is_used(backbone: Path, tmp_path: Path) -> None:
    labels, cache = write_labels(tmp_path), tmp_path / "cache"
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert train(labels, tmp_path / name / "m", backbone, "--cache", str(cache)) == 0
        made.append({p.name: p.read_bytes() for p in (tmp_path / name / "m").iterdir()})
    assert made[0] == made[1]
    assert len(list(cache.glob("features-*.npy"))) == 1


def test_without_sources_groups_are_left_out_and_without_evaluation_nothing_is_calibrated(
    backbone: Path, tmp_path: Path
) -> None:
    labels = write_labels(tmp_path, ("file", "label"))
    assert train(labels, tmp_path / "tested", backbone, "--folds", "3") == 0
    card = (tmp_path / "tested" / "README.md").read_text()
    assert "The groups were left out in 3 parts" in card
    assert "| labels | surgical | 12 | 12 |" in card

    assert train(labels, tmp_path / "untested", backbone, "--no-evaluation") == 0
    config = json.loads((tmp_path / "untested" / "config.json").read_text())
    assert (config["temperature"], config["threshold"], config["uncertain"]) == (1.0, 0.5, [0.5, 0.5])
    assert "not calibrated" in (tmp_path / "untested" / "README.md").read_text()


def test_pictures_that_cannot_be_read_are_named_by_their_line(
    backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = write_labels(tmp_path)
    for broken in (b"", b"\xff\xd8 cut short", b"no picture"):
        (tmp_path / "7.jpg").write_bytes(broken)
        assert train(labels, tmp_path / "m", backbone) == 1
        assert "labels.csv:9: cannot read the picture" in capsys.readouterr().err
    assert not (tmp_path / "m" / "config.json").exists()


def frame(source: str, group: str, surgical: bool) -> LabelledFrame:
    return LabelledFrame(Path("x.jpg"), surgical, source, group, "")


units = st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=4, max_size=30)


@given(units, st.integers(2, 12))
def test_every_source_is_left_out_once_and_both_labels_are_left_to_learn_from(
    sources: list[tuple[bool, int]], most: int
) -> None:
    sources = [(True, 1), (True, 1), (False, 1), (False, 1), *sources]
    frames = [frame(f"s{i}", "g", label) for i, (label, size) in enumerate(sources) for _ in range(size)]
    folds = make_folds(frames, most)
    assert folds.unit == "source"
    assert 2 <= len(folds.parts) <= most
    assert Counter(name for part in folds.parts for name in part) == Counter({f.source for f in frames})
    for part in folds.parts:
        assert {f.surgical for f in folds.frames if f.source not in part} == {True, False}


def test_groups_are_never_split_where_sources_cannot_be_left_out() -> None:
    frames = [frame("one", f"g{i // 3}", i % 2 == 0) for i in range(30)]
    folds = make_folds(frames, 4)
    assert (folds.unit, len(folds.parts)) == ("group", 4)
    of = {name: number for number, part in enumerate(folds.parts) for name in part}
    assert len(of) == 10
    assert {f.group: of[g.source] for f, g in zip(frames, folds.frames, strict=True)}.keys() == {
        f.group for f in frames
    }


def test_too_little_to_leave_anything_out() -> None:
    with pytest.raises(CurateError, match="--no-evaluation"):
        make_folds([frame("a", "1", True), frame("a", "2", True), frame("b", "3", False)], 5)


def test_a_start_keeps_the_backbones_and_the_preprocessing(backbone: Path, tmp_path: Path) -> None:
    start = start_from(str(backbone), "new")
    assert (start.name, start.config.name, start.config.threshold) == ("small", "new", 0.5)
    assert start.config.branches == SMALL.branches


def test_a_single_network_of_timm_becomes_one_branch(tmp_path: Path) -> None:
    given = ModelConfig(name="plain", architecture="mobilenetv2_050", weights=SMALL.weights, width=64, height=64)
    torch.manual_seed(1)
    network = build_network(given, None)
    save_model(network, given, tmp_path)
    start = start_from(str(tmp_path), "new")
    assert start.config.branches == (Branch("mobilenetv2_050", given.mean, given.std),)
    pixels = torch.from_numpy(picture(1, 64, 64)[None]).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        normal = (pixels - torch.tensor(given.mean).view(3, 1, 1)) / torch.tensor(given.std).view(3, 1, 1)
        expected = network.forward_features(normal).mean((2, 3))
        seen = start.network.features(pixels)[:, : expected.shape[1]]
    torch.testing.assert_close(seen, expected, rtol=0.02, atol=0.01)  # the weights were rounded to half precision


def test_a_start_from_a_bare_state_dict(tmp_path: Path) -> None:
    import_timm()
    import torchvision

    torch.save(torchvision.models.mobilenet_v2().state_dict(), tmp_path / "imagenet.pth")
    start = start_from(str(tmp_path / "imagenet.pth"), "new")
    assert (start.name, start.config.width) == ("imagenet.pth", 224)
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(CurateError, match="does not hold the ImageNet weights"):
        start_from(str(tmp_path / "other.pth"), "new")


def test_networks_of_other_families_are_no_start(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="no frame classifier"):
        start_from("nonesuch", "new")
    tiny_model(tmp_path / "tiny")
    with pytest.raises(CurateError, match="mobilenetv3_small_050 is not of timm's EfficientNet family"):
        start_from(str(tmp_path / "tiny"), "new")


@pytest.mark.parametrize(("frames", "pictures"), [(10, 2000), (500, 4000), (5000, 16000)])
def test_how_many_pictures_are_composed(frames: int, pictures: int) -> None:
    assert usual_pictures(frames) == pictures
