"""Fitting on cached features, with a backbone of random weights: no pretrained ones are needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from curate.errors import CurateError
from curate.nets.classifier import load_classifier
from curate.nets.model_config import ModelConfig, WeightsFile
from curate.nets.torch_network import NormalisedEnsemble
from curate.nets.torchvision_repair import import_timm
from curate.nets.training.data import Families, LabelledFrame, Sampler
from curate.nets.training.fit import (
    ARCHITECTURE,
    FeatureMaker,
    Lower,
    Recipe,
    Upper,
    answer,
    cached_features,
    fit,
    pretrained,
)
from curate.nets.training.save import save_model
from tests.nets.making import picture

BASE = ModelConfig(
    name="test", architecture=ARCHITECTURE, weights=(WeightsFile("model.safetensors", ""),), width=64, height=64
)
RECIPE = Recipe(epochs=20, batch=6, rate=3e-3)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict under torchvision's names: random weights, batch norms fitted to pictures."""
    import_timm()
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v2()
    pixels = torch.from_numpy(np.stack([picture(i, 64, 64) for i in range(16)])).permute(0, 3, 1, 2) / 127.5 - 1
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.inference_mode():
        network.train()(pixels)
    path = tmp_path_factory.mktemp("backbone") / "mobilenet_v2.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledFrame]:
    """Twelve pictures: the surgical ones fine-grained, the others smooth."""
    import simplejpeg

    folder = tmp_path_factory.mktemp("frames")
    made = []
    for number in range(12):
        surgical = number % 2 == 0
        image = picture(number)
        if surgical:
            image = (image // 2 + np.random.default_rng(number).integers(0, 128, image.shape)).astype(np.uint8)
        path = folder / f"{number}.jpg"
        path.write_bytes(simplejpeg.encode_jpeg(image, 95, "RGB", "444"))
        made.append(LabelledFrame(path, surgical, f"s{number % 4}", str(number), ""))
    return made


def test_torchvisions_weights_give_timms_features(backbone: Path) -> None:
    import torchvision

    theirs = torchvision.models.mobilenet_v2()
    theirs.load_state_dict(torch.load(backbone, weights_only=True))
    ours = pretrained(backbone, BASE)
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours.forward_features(x), theirs.eval().features(x), atol=1e-4, rtol=1e-4)
        assert not ours(x).any()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(import_timm().create_model("resnet18").state_dict(), tmp_path / "other.pth")
    with pytest.raises(CurateError, match="does not hold torchvision's MobileNetV2"):
        pretrained(tmp_path / "other.pth", BASE)


def test_lower_and_upper_part_make_the_whole(backbone: Path) -> None:
    network = pretrained(backbone, BASE)
    torch.nn.init.normal_(network.classifier.weight)
    pixels = torch.from_numpy(np.stack([picture(i, 64, 64) for i in range(3)]))
    with torch.inference_mode():
        whole = NormalisedEnsemble([network], BASE).eval()(pixels)
        for blocks in (5, 7):
            parts = Upper(network, blocks, 0.0).eval()(Lower(network, BASE, blocks).eval()(pixels))
            torch.testing.assert_close(parts, whole, atol=1e-4, rtol=1e-4)


def test_features_of_compositions_are_made_once(backbone: Path, frames: list[LabelledFrame], tmp_path: Path) -> None:
    draws = Sampler(frames, Families({})).draws(40, 0)
    maker = FeatureMaker(Lower(pretrained(backbone, BASE), BASE, 7), BASE, tmp_path, 1)
    first = cached_features(maker, draws, frames, {"test": 1}, tmp_path)
    assert first.shape == (40, 320, 2, 2)
    assert first.std(axis=0).max() > 0
    (made,) = tmp_path.glob("features-*.npy")
    stamp = made.stat().st_mtime_ns
    np.testing.assert_array_equal(cached_features(maker, draws, frames, {"test": 1}, tmp_path), first)
    assert made.stat().st_mtime_ns == stamp
    cached_features(maker, draws[:8], frames, {"test": 1}, tmp_path)
    assert len(list(tmp_path.glob("features-*.npy"))) == 2


def test_training_learns_repeats_itself_and_survives_saving(
    backbone: Path, frames: list[LabelledFrame], tmp_path: Path
) -> None:
    network = pretrained(backbone, BASE)
    maker = FeatureMaker(Lower(network, BASE, RECIPE.frozen_blocks), BASE, tmp_path, 1)
    plain = [frame.path.read_bytes() for frame in frames]
    features = maker.of(plain, len(plain))
    labels = np.array([frame.surgical for frame in frames])
    frozen = network.blocks[3][0].conv_pw.weight.clone()

    upper = fit(Upper(network, RECIPE.frozen_blocks, 0.2), features, labels, range(len(plain)), RECIPE)
    logits = answer(upper, features)
    assert ((logits[:, 0] > logits[:, 1]) == labels).all()
    torch.testing.assert_close(network.blocks[3][0].conv_pw.weight, frozen)

    twin = fit(
        Upper(pretrained(backbone, BASE), RECIPE.frozen_blocks, 0.2), features, labels, range(len(plain)), RECIPE
    )
    np.testing.assert_array_equal(answer(twin, features), logits)

    config = save_model(network, BASE, tmp_path / "model", temperature=0.7, threshold=0.6)
    assert (config.temperature, config.threshold) == (0.7, 0.6)
    expected = 1 / (1 + np.exp(-(logits[:, 0] - logits[:, 1]) / 0.7))
    saved = load_classifier(str(tmp_path / "model"), device="cpu", threads=1).predict(plain)
    np.testing.assert_allclose(saved, expected, atol=0.02)
