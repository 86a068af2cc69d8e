"""Fitting on cached features, with a backbone of random weights: no pretrained ones are needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from curate.errors import CurateError
from curate.evaluation.labels import Families, LabelledFrame, even_weights
from curate.nets.classifier import load_classifier
from curate.nets.levels import LevelsNetwork
from curate.nets.torchvision_repair import import_timm
from curate.nets.weights.model_config import LEVELS, Branch, ModelConfig, WeightsFile
from curate.training import fit as fitting
from curate.training.data import Sampler
from curate.training.experiment import prepare
from curate.training.fit import FeatureMaker, Recipe, cached_features, fit, pretrained
from curate.training.save import save_model
from tests.nets.making import picture

BASE = ModelConfig(
    name="test",
    architecture=LEVELS,
    weights=(WeightsFile("model.safetensors", ""),),
    width=64,
    height=64,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    branches=(Branch("mobilenetv2_100"),),
)


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
    ours: Any = pretrained([backbone], BASE)
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(
            ours.backbones[0].network.forward_features(x), theirs.eval().features(x), atol=1e-4, rtol=1e-4
        )
        assert not ours(x).any()


def test_weights_of_another_network_are_refused(backbone: Path, tmp_path: Path) -> None:
    torch.save(import_timm().create_model("resnet18").state_dict(), tmp_path / "other.pth")
    with pytest.raises(CurateError, match="does not hold the ImageNet weights of mobilenetv2_100"):
        pretrained([tmp_path / "other.pth"], BASE)
    with pytest.raises(CurateError, match="takes 1 files of backbone weights, got 2"):
        pretrained([backbone, backbone], BASE)


def test_features_of_compositions_are_made_once_and_a_stopped_run_goes_on(
    backbone: Path, frames: list[LabelledFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "CHUNK", 16)
    draws = Sampler(frames, Families({})).draws(40, 0)
    network = pretrained([backbone], BASE)
    maker = FeatureMaker(network, BASE, tmp_path, 1)
    told: list[int] = []
    first = cached_features(maker, draws, frames, {"test": 1}, tmp_path, told.append)
    assert first.shape == (40, network.shift.shape[0])
    assert first.std(axis=0).max() > 0
    assert sum(told) == 40
    made = sorted(tmp_path.glob("features-*.npy"))
    assert len(made) == 3
    stamps = [path.stat().st_mtime_ns for path in made]
    np.testing.assert_array_equal(cached_features(maker, draws, frames, {"test": 1}, tmp_path), first)
    assert [path.stat().st_mtime_ns for path in made] == stamps
    made[1].unlink()
    np.testing.assert_array_equal(cached_features(maker, draws, frames, {"test": 1}, tmp_path), first)
    assert made[0].stat().st_mtime_ns == stamps[0]
    cached_features(maker, draws, frames, {"test": 2}, tmp_path)
    assert len(list(tmp_path.glob("features-*.npy"))) == 6


def test_features_are_those_of_the_network(backbone: Path, frames: list[LabelledFrame], tmp_path: Path) -> None:
    network = pretrained([backbone], BASE)
    pixels = np.stack([picture(i, 64, 64) for i in range(5)])
    made = FeatureMaker(network, BASE, tmp_path, 1).of(list(pixels), 5)
    with torch.inference_mode():
        expected = network.features(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255).numpy()
    np.testing.assert_allclose(made, expected, rtol=2e-3, atol=2e-3)


def test_training_learns_repeats_itself_and_survives_saving(
    backbone: Path, frames: list[LabelledFrame], tmp_path: Path
) -> None:
    network = pretrained([backbone], BASE)
    made = prepare(frames, Families({}), network, BASE, draws=60, cache=tmp_path, backbones="test")
    labels = np.array([frame.surgical for frame in frames])
    head = made.head(Recipe())
    margins = head.margins(made.plain)
    assert ((margins > 0) == labels).all()
    np.testing.assert_array_equal(made.head(Recipe()).margins(made.plain), margins)

    head.put_into(network, BASE)
    config = save_model(network, BASE, tmp_path / "model", temperature=0.7, threshold=0.6)
    assert (config.temperature, config.threshold) == (0.7, 0.6)
    expected = 1 / (1 + np.exp(-margins / 0.7))
    plain = [frame.path.read_bytes() for frame in frames]
    saved = load_classifier(str(tmp_path / "model"), device="cpu", threads=1).predict(plain)
    np.testing.assert_allclose(saved, expected, atol=0.02)


def test_what_is_left_out_cannot_change_the_head_that_judges_it(
    backbone: Path, frames: list[LabelledFrame], tmp_path: Path
) -> None:
    network = pretrained([backbone], BASE)
    made = prepare(frames, Families({}), network, BASE, draws=60, cache=tmp_path, backbones="test")
    (fold,) = made.leave_out([("s0",)], Recipe())
    assert [frames[i].source for i in fold.tested] == ["s0"] * 3
    assert {frames[made.draws[i].frame].source for i in fold.composed} == {"s0"}
    touched = np.array([f.source == "s0" for f in frames])
    shown = [any(i >= 0 and touched[i] for i in (d.frame, d.other)) for d in made.draws]
    made.plain[touched] = 7
    made.composed[np.array(shown)] = 7
    (again,) = made.leave_out([("s0",)], Recipe())
    np.testing.assert_array_equal(again.head.weight, fold.head.weight)


def test_the_head_finds_the_feature_that_tells() -> None:
    rng = np.random.default_rng(0)
    labels = rng.random(400) < 0.5
    features = rng.normal(3, 2, (400, 6)).astype(np.float16)
    features[:, 4] = np.where(labels, 5, 1) + rng.normal(0, 1, 400)
    head = fit(features, labels, np.full(400, 1 / 400), Recipe())
    assert np.abs(head.weight).argmax() == 4
    assert ((head.margins(features) > 0) == labels).mean() > 0.95


def test_sources_weigh_by_the_power_of_their_size_and_classes_alike(frames: list[LabelledFrame]) -> None:
    many = [*([frames[0]] * 16), frames[2], frames[1]]
    weights = even_weights(many, Families({}), 0.5)
    assert weights[-1] == pytest.approx(0.5)
    assert weights[:16].sum() == pytest.approx(4 * weights[16])
    assert weights.sum() == pytest.approx(1)


def test_the_head_sees_blocks_and_last_layer_as_timm_computes_them(backbone: Path) -> None:
    network: Any = pretrained([backbone], BASE)
    timm_network = network.backbones[0].network
    x = torch.rand(2, 3, 64, 64)
    mean, std = torch.tensor(BASE.branches[0].mean)[:, None, None], torch.tensor(BASE.branches[0].std)[:, None, None]
    levels: list[torch.Tensor] = []
    hooks = [timm_network.blocks[i].register_forward_hook(lambda *a: levels.append(a[2])) for i in (1, 2, 3, 4, 5, 6)]
    with torch.inference_mode():
        last = timm_network.forward_features((x - mean) / std).mean((2, 3))
        for hook in hooks:
            hook.remove()
        expected = [last]
        for level in levels:
            expected += [level.mean((2, 3)), level.flatten(2).std(2, correction=0)]
        torch.testing.assert_close(network.features(x), torch.cat(expected, 1), atol=1e-4, rtol=1e-4)


def test_backbones_that_have_no_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="resnet18 is not of timm's EfficientNet family"):
        LevelsNetwork([Branch("resnet18")], 2)
    with pytest.raises(ValueError, match="has 7 stages of blocks"):
        LevelsNetwork([Branch("mobilenetv2_100", blocks=(2, 9))], 2)
