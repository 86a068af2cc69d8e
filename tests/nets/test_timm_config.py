"""Networks that timm itself saved answer as timm's own transforms and model do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from curate.cli import run_command
from curate.errors import CurateError
from curate.nets.classifier import Classifier, load_classifier, probability
from curate.nets.torch_network import TorchNetwork
from curate.nets.torchvision_repair import import_timm
from curate.nets.weights.registry import resolve_model
from tests.nets.hub_server import Hub, serve
from tests.nets.making import jpeg, picture

SIZES = [(360, 640), (200, 120), (97, 101), (64, 64), (30, 45)]


def saved(folder: Path, names: Any = ("non-surgical", "surgical"), **data: Any) -> torch.nn.Module:
    """A small network of random weights, saved by timm with its preprocessing and class names."""
    timm = import_timm()
    from timm.models import save_for_hf

    torch.manual_seed(0)
    network = timm.create_model("test_byobnet", num_classes=2)
    for parameter in network.get_classifier().parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    settings = {"input_size": (3, 64, 64), "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3), **data}
    save_for_hf(
        network.eval(),
        str(folder),
        model_config={"label_names": names, "pretrained_cfg": settings},
        safe_serialization=True,
    )
    return network


def by_timm(network: torch.nn.Module, folder: Path, images: list[np.ndarray]) -> np.ndarray:
    """Logits by timm's own transform, made from the saved config, and the network in hand."""
    from timm.data import create_transform, resolve_data_config

    config = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
    transform = create_transform(**resolve_data_config({}, pretrained_cfg=config))
    with torch.inference_mode():
        return network(torch.stack([transform(PIL.Image.fromarray(image)) for image in images])).numpy()


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"crop_pct": 0.9, "interpolation": "bilinear"},
        {"crop_pct": 1.0, "crop_mode": "squash"},
        {"crop_pct": 0.8, "crop_mode": "squash", "interpolation": "lanczos"},
        {"crop_pct": 1.0, "crop_mode": "border"},
        {"crop_pct": 0.7, "crop_mode": "border", "interpolation": "bilinear"},
        {"input_size": (3, 48, 96), "crop_pct": 0.9},
    ],
)
def test_logits_are_timms_own(tmp_path: Path, data: dict[str, Any]) -> None:
    network = saved(tmp_path / "m", **data)
    images = [picture(seed, *size) for seed, size in enumerate(SIZES)]
    files = resolve_model(str(tmp_path / "m"))
    ours = Classifier(files.config, TorchNetwork(files, "cpu", 1), 8)
    logits = TorchNetwork(files, "cpu", 1).logits(np.stack([ours.prepare(image) for image in images]))
    expected = by_timm(network, tmp_path / "m", images)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    np.testing.assert_array_equal(ours.predict(images), probability(logits, files.config))
    softmax = np.exp(expected)[:, 1] / np.exp(expected).sum(axis=1)
    np.testing.assert_allclose(ours.predict(images), softmax, atol=1e-5)


def test_jpegs_are_decoded_as_pillow_does(tmp_path: Path) -> None:
    network = saved(tmp_path / "m")
    (tmp_path / "a.jpg").write_bytes(jpeg(3, 200, 300))
    image = np.asarray(PIL.Image.open(tmp_path / "a.jpg"))
    expected = by_timm(network, tmp_path / "m", [image])
    answer = load_classifier(str(tmp_path / "m"), device="cpu", threads=1).predict([jpeg(3, 200, 300)])
    assert answer[0] == pytest.approx(float(np.exp(expected)[0, 1] / np.exp(expected)[0].sum()), abs=1e-5)


@pytest.mark.parametrize("names", [["Surgical", "other"], {"0": "surgical", "1": "non-surgical"}])
def test_class_names_say_which_output_is_surgical(tmp_path: Path, names: Any) -> None:
    saved(tmp_path / "m", names)
    config = resolve_model(str(tmp_path / "m")).config
    assert (config.surgical_index, config.threshold, config.temperature) == (0, 0.5, 1.0)
    assert (config.name, config.architecture) == ("m", "test_byobnet")


@pytest.mark.parametrize("names", [None, ["in", "out"], ["surgical", "surgical"], ["surgical"]])
def test_what_to_do_where_no_class_is_called_surgical(tmp_path: Path, names: Any) -> None:
    saved(tmp_path / "m", names)
    with pytest.raises(CurateError, match=r'one of them "surgical", e\.g\. "label_names"'):
        resolve_model(str(tmp_path / "m"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"architecture": "hf-hub:someone/else"}, "not a plain name"),
        ({"model_args": {"checkpoint_path": "/etc/passwd"}}, "must not set checkpoint_path"),
        ({"pretrained_cfg": {"input_size": [1, 64, 64]}}, "takes 1 channels"),
        ({"pretrained_cfg": {"interpolation": "random"}}, "interpolation is not one of"),
        ({"pretrained_cfg": {"crop_mode": "spiral"}}, "crop_mode is not one of"),
        ({"pretrained_cfg": {"crop_pct": 7}}, "crop_pct must be"),
        ({"pretrained_cfg": {"mean": [0.5]}}, "three values"),
        ({"pretrained_cfg": 3}, "not a usable timm config"),
    ],
)
def test_configs_that_cannot_be_used(tmp_path: Path, values: dict[str, Any], said: str) -> None:
    saved(tmp_path / "m")
    path = tmp_path / "m" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    with pytest.raises(CurateError, match=said):
        resolve_model(str(tmp_path / "m"))


def test_a_config_without_weights(tmp_path: Path) -> None:
    saved(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").unlink()
    with pytest.raises(CurateError, match="no weights"):
        resolve_model(str(tmp_path / "m"))


def test_arguments_of_the_network_come_along(tmp_path: Path) -> None:
    timm = import_timm()
    from timm.models import save_for_hf

    arguments = {"img_size": 64, "patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 2}
    network = timm.create_model("vit_tiny_patch16_224", num_classes=2, **arguments).eval()
    names = {"label_names": ["surgical", "non-surgical"]}
    save_for_hf(network, str(tmp_path / "vit"), model_config=names, model_args=arguments, safe_serialization=True)
    image = picture(1, 90, 120)
    files = resolve_model(str(tmp_path / "vit"))
    ours = Classifier(files.config, TorchNetwork(files, "cpu", 1), 8)
    logits = TorchNetwork(files, "cpu", 1).logits(ours.prepare(image)[None])
    np.testing.assert_allclose(logits, by_timm(network, tmp_path / "vit", [image]), atol=1e-5)


def test_a_timm_model_of_the_hub_works_by_its_name_and_is_held_to_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path / "m")
    files = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    with serve(Hub({"lab/frames": files})) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        assert run_command(["models", "pull", "lab/frames", "-q"]) == 0
    images = [jpeg(seed) for seed in range(3)]
    expected = load_classifier(str(tmp_path / "m"), device="cpu", threads=1).predict(images)
    np.testing.assert_array_equal(load_classifier("lab/frames", device="cpu", threads=1).predict(images), expected)
    (weights,) = (tmp_path / "cache").rglob("model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(CurateError, match="is not the file its config describes"):
        load_classifier("lab/frames", device="cpu", threads=1)
