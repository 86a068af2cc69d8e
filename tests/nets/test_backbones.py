"""Published checkpoints, by their layout: made with random weights, and held against the original architecture."""

from __future__ import annotations

import argparse
import os
import pickle
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from curate.errors import CurateError
from curate.nets.architectures import Recognised, recognise
from curate.nets.backbone import make_backbone
from curate.nets.checkpoint import load_into, read_state, torchvision_convnext
from curate.nets.classifier import load_classifier
from curate.nets.embedder import load_embedder, unit
from curate.nets.torchvision_repair import ensure_torchvision, import_timm
from tests.nets.making import jpeg, tiny_model

ensure_torchvision()
timm = import_timm()


def randomise(network: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights everywhere, so that a tensor in the wrong place changes the answer."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(0.5 * torch.rand(tensor.shape, generator=generator) + (0.1 if tensor.ndim == 1 else -0.25))
    return network.eval()


def dino(backbone: dict[str, torch.Tensor], prefix: str = "backbone.") -> dict[str, object]:
    """A checkpoint as DINO's training writes it."""
    head = {"head.mlp.0.weight": torch.ones(4, 4), "head.last_layer.weight_g": torch.ones(4, 1)}
    teacher = {**{f"{prefix}{name}": value for name, value in backbone.items()}, **head}
    student = {f"module.{name}": torch.zeros_like(value) for name, value in teacher.items()}
    options = argparse.Namespace(arch="convnext_large", lr=5e-4, output_dir="/somewhere")
    return {"student": student, "teacher": teacher, "optimizer": {"state": {}}, "epoch": 50, "args": options}


def torchvision_convnext_of(width: int, depths: tuple[int, ...]) -> nn.Module:
    """torchvision's ConvNeXt as LemonFM has it, without its last layer."""
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    sizes = [width, 2 * width, 4 * width, 8 * width]
    blocks = [CNBlockConfig(a, b, n) for a, b, n in zip(sizes, [*sizes[1:], None], depths, strict=True)]
    network = ConvNeXt(blocks)
    network.classifier[2] = nn.Identity()
    return network


def pixels(side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)


def normalised(picture: np.ndarray) -> torch.Tensor:
    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    return ((torch.from_numpy(picture).float() / 255 - mean) / std).permute(0, 3, 1, 2)


def test_lemonfm_in_small_answers_as_torchvision_does(tmp_path):
    """LemonFM's layout: ConvNeXt of torchvision in a whole checkpoint of DINO, wrapped for several GPUs."""
    original = randomise(torchvision_convnext_of(96, (3, 3, 9, 3)))
    torch.save(dino(original.state_dict(), "module.backbone."), tmp_path / "lemonfm.pth")
    embedder = load_embedder(str(tmp_path / "lemonfm.pth"), side=64, device="cpu")
    assert (embedder.architecture, embedder.input.width) == ("convnext_tiny", 64)
    seen = pixels(64)
    with torch.inference_mode():
        expected = original(normalised(seen)).numpy()
    (vectors,) = embedder.stream(list(seen))
    np.testing.assert_allclose(vectors.astype(float), unit(expected).astype(float), atol=2e-3)
    assert vectors.dtype == np.float16 and vectors.shape == (2, 768)


def test_the_names_of_the_whole_lemonfm_are_all_known():
    with torch.device("meta"):
        original = torchvision_convnext_of(192, (3, 3, 27, 3))
    state = original.state_dict()
    found = recognise(state)
    assert found == Recognised("convnext_large")
    with torch.device("meta"):
        wanted = timm.create_model("convnext_large", num_classes=0).state_dict()
    assert {name: value.shape for name, value in torchvision_convnext(state).items()} == {
        name: value.shape for name, value in wanted.items()
    }


def facebook(name: str) -> str:
    """timm's names of ConvNeXtV2 as its authors' code, which SurgeNet uses, has them."""
    name = re.sub(r"^stem\.", "downsample_layers.0.", name)
    name = re.sub(r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1.", name)
    name = re.sub(r"^stages\.(\d)\.blocks\.", r"stages.\1.", name).replace("conv_dw", "dwconv")
    name = name.replace("mlp.grn.weight", "grn.gamma").replace("mlp.grn.bias", "grn.beta")
    return re.sub(r"mlp\.fc(\d)", r"pwconv\1", name).replace("head.norm", "norm")


def sail(name: str) -> str:
    """timm's names of CAFormer as its authors' code, which SurgeNet uses, has them."""
    name = name.replace("stem.conv", "downsample_layers.0.conv").replace("stem.norm", "downsample_layers.0.post_norm")
    name = re.sub(r"^stages\.(\d)\.downsample\.norm", r"downsample_layers.\1.pre_norm", name)
    name = re.sub(r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1.", name)
    return re.sub(r"^stages\.(\d)\.blocks\.", r"stages.\1.", name).replace("head.norm", "norm")


def whai(name: str) -> str:
    """timm's names of PVTv2 as its authors' code, which SurgeNet uses, has them."""
    name = re.sub(r"^patch_embed\.", "patch_embed1.", name)
    name = re.sub(r"^stages\.(\d)\.downsample\.", lambda m: f"patch_embed{int(m[1]) + 1}.", name)
    name = re.sub(r"^stages\.(\d)\.blocks\.", lambda m: f"block{int(m[1]) + 1}.", name)
    name = re.sub(r"^stages\.(\d)\.norm\.", lambda m: f"norm{int(m[1]) + 1}.", name)
    return name.replace("mlp.dwconv.", "mlp.dwconv.dwconv.")


SURGENET: dict[str, tuple[Recognised, Callable[[str], str]]] = {
    "CAFormer": (Recognised("caformer_s18", relu=True), sail),
    "ConvNeXtV2": (Recognised("convnextv2_atto"), facebook),
    "PVTv2": (Recognised("pvt_v2_b0"), whai),
}
"""The smallest network of each kind that timm has, and the names of its authors."""


@pytest.mark.parametrize(
    ("known", "rename"),
    [
        (Recognised("caformer_s18", relu=True), sail),
        (Recognised("convnextv2_tiny"), facebook),
        (Recognised("pvt_v2_b2"), whai),
        (Recognised("vit_base_patch16_224.dino", 224), str),
        (Recognised("vit_large_patch14_dinov2", 518), str),
        (Recognised("vit_large_patch16_dinov3", 336), str),
        (Recognised("resnet50"), str),
    ],
)
def test_published_sizes_are_told_from_names_and_shapes(known, rename):
    with torch.device("meta"):
        network, *_ = make_backbone(known, 0)
    assert recognise({rename(name): value for name, value in network.state_dict().items()}) == known


@pytest.mark.parametrize(("kind", "whole"), [("CAFormer", False), ("ConvNeXtV2", False), ("PVTv2", True)])
def test_surgenet_loads_whole_by_its_own_names(tmp_path, kind, whole):
    """A flat dict of a teacher, or a whole checkpoint, gives the answers of the network that it was taken from."""
    known, rename = SURGENET[kind]
    original, *_ = make_backbone(known, 64)
    randomise(original)
    own = {
        rename(name): value.reshape(1, 1, 1, -1) if "grn." in name else value
        for name, value in original.state_dict().items()
    }
    assert set(own) != set(original.state_dict())
    head = {"head.fc1.weight": torch.ones(3, 3), "head.weight": torch.ones(2, 2)}
    torch.save(dino(own) if whole else {**own, **head}, tmp_path / "published.pth")
    seen = pixels(64)
    with torch.inference_mode():
        expected = unit(original(normalised(seen)).numpy()).astype(float)
    embedder = load_embedder(str(tmp_path / "published.pth"), side=64, device="cpu")
    assert embedder.architecture == known.name
    (vectors,) = embedder.stream(list(seen))
    np.testing.assert_allclose(vectors.astype(float), expected, atol=2e-3)


@pytest.mark.parametrize(
    ("name", "side"),
    [("vit_small_patch16_224.dino", 96), ("vit_small_patch14_dinov2", 112), ("vit_small_patch16_dinov3", 336)],
)
def test_surgenetdino_loads_whole(tmp_path, name, side):
    """The side is that of the positions in the file; DINOv3 has none, and saw 336 pixels."""
    original, *_ = make_backbone(Recognised(name), side)
    randomise(original)
    extra = {name: torch.ones(1, 384) for name in ("mask_token", "dino_head.mlp.0.weight", "head.weight")}
    torch.save({**original.state_dict(), **extra}, tmp_path / "vit.pth")
    embedder = load_embedder(str(tmp_path / "vit.pth"), device="cpu")
    assert (embedder.architecture, embedder.input.width) == (name, side)
    seen = pixels(side)[:1]
    with torch.inference_mode():
        expected = unit(original(normalised(seen)).numpy()).astype(float)
    (vectors,) = embedder.stream(list(seen))
    np.testing.assert_allclose(vectors.astype(float), expected, atol=2e-3)


def small(**changes: object) -> dict[str, torch.Tensor]:
    state = randomise(timm.create_model("resnet18", num_classes=0)).state_dict()
    return {name: value for name, value in {**state, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (small(**{"layer1.0.conv1.weight": torch.ones(64, 64, 1, 1)}), r"layer1.0.conv1.weight .*\(64, 64, 1, 1\)"),
        (
            small(**{"layer2.0.bn1.weight": None}),
            r"99 of 100 tensors of timm's resnet18 .*missing: layer2.0.bn1.weight",
        ),
        (small(**{"layer4.1.more.weight": torch.ones(3)}), "not in the network: layer4.1.more.weight"),
        ({"conv.weight": torch.ones(3)}, "no network that is known"),
    ],
)
def test_what_does_not_fill_the_backbone_is_refused_by_name(tmp_path, state, said):
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(CurateError, match=said):
        load_embedder(str(tmp_path / "x.pth"), device="cpu")


def test_a_checkpoint_of_another_architecture_is_refused_everywhere(tmp_path):
    torch.save(small(), tmp_path / "x.pth")
    with pytest.raises(CurateError, match=r"do not fit timm's convnextv2_atto: 0 of \d+ tensors"):
        load_embedder(str(tmp_path / "x.pth"), architecture="convnextv2_atto", device="cpu")
    torch.save(dino(torchvision_convnext_of(8, (1, 1, 1, 1)).state_dict()), tmp_path / "fm.pth")
    with pytest.raises(CurateError, match=r"do not fit resnet18 with 2 classes: 0 of \d+ .*missing: conv1.weight"):
        load_classifier(str(tmp_path / "fm.pth"), device="cpu")
    torch.save(small(), tmp_path / "deeper.pth")
    state = dict(randomise(timm.create_model("resnet34", num_classes=0)).state_dict())
    network = timm.create_model("resnet18", num_classes=0)
    with pytest.raises(CurateError, match=r"in the file and not in the network: layer1.2"):
        load_into(network, state, "x", "resnet18")


@pytest.mark.parametrize("name", ["no_such_net", "hf-hub:owner/name", "../x", "resnet18; x"])
def test_names_of_networks_never_lead_elsewhere(tmp_path, name):
    torch.save(small(), tmp_path / "x.pth")
    with pytest.raises(CurateError, match=r"no network|plain name"):
        load_embedder(str(tmp_path / "x.pth"), architecture=name, device="cpu")


def test_a_classifier_may_have_torchvisions_names(tmp_path):
    """A ConvNeXt with a head of two classes, as its maker would fine-tune LemonFM, under a config of curate's."""
    import json

    from curate.files.digest import sha256_of

    original = torchvision_convnext_of(96, (3, 3, 9, 3))
    original.classifier[2] = nn.Linear(768, 2)
    randomise(original)
    torch.save({"state_dict": original.state_dict()}, tmp_path / "w.pth")
    config = {"name": "mine", "architecture": "convnext_tiny", "width": 64, "height": 64}
    config["weights"] = [{"file": "w.pth", "sha256": sha256_of(tmp_path / "w.pth")}]
    (tmp_path / "config.json").write_text(json.dumps(config))
    seen = pixels(64)
    with torch.inference_mode():
        expected = torch.softmax(original(normalised(seen)), 1)[:, 0].numpy()
    np.testing.assert_allclose(load_classifier(str(tmp_path), device="cpu").predict(list(seen)), expected, atol=1e-4)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/curate-was-here",)


@pytest.mark.parametrize("content", [Evil(), {"teacher": {"a": Evil()}}, {"args": Evil(), "teacher": {}}])
def test_nothing_of_a_checkpoint_is_run(tmp_path, content, monkeypatch):
    def touched(command):
        raise AssertionError(command)

    path = tmp_path / "evil.pth"
    torch.save(content, path)
    (tmp_path / "legacy.pth").write_bytes(pickle.dumps(content))
    monkeypatch.setattr(os, "system", touched)
    for name in ("evil.pth", "legacy.pth"):
        with pytest.raises(CurateError, match="not a readable checkpoint"):
            read_state(tmp_path / name)


def test_the_default_needs_no_download_and_tells_pictures_apart(tmp_path):
    embedder = load_embedder("default", device="cpu")
    (vectors,) = embedder.stream([jpeg(0), jpeg(0), jpeg(1)])
    wide = vectors.astype(float)
    assert vectors.shape == (3, 384) and np.allclose(np.linalg.norm(wide, axis=1), 1, atol=1e-3)
    assert (vectors[0] == vectors[1]).all() and wide[0] @ wide[2] < 0.98


def test_features_of_the_graph_are_those_of_the_weights():
    from curate.nets.backbone import levels_backbone
    from curate.nets.onnx_network import open_inside
    from curate.nets.torch_network import Runner
    from curate.nets.weights.registry import resolve_model

    files = resolve_model("default")
    seen = pixels(224)[:1]
    graph = open_inside(files.verified(files.config.onnx), "classifier.weight", 1)(seen)
    np.testing.assert_allclose(graph, Runner(levels_backbone(files), "cpu", 1).run(seen), atol=1e-3)


def test_features_of_a_classifier_of_ones_own(tmp_path):
    config = tiny_model(tmp_path / "tiny")
    embedder = load_embedder(str(tmp_path / "tiny"), device="cpu")
    (vectors,) = embedder.stream([jpeg(0), jpeg(1)])
    assert embedder.sha256 == config.weights[0].sha256 and vectors.shape[0] == 2
    with pytest.raises(CurateError, match="leave the architecture"):
        load_embedder(str(tmp_path / "tiny"), architecture="resnet18", device="cpu")
    with pytest.raises(CurateError, match="leave the side out"):
        load_embedder(str(tmp_path / "tiny"), side=96, device="cpu")


def test_folders_with_a_config_of_timm_or_one_file(tmp_path):
    network = randomise(timm.create_model("resnet18", num_classes=3))
    for folder in ("timm", "one", "two"):
        (tmp_path / folder).mkdir()
    torch.save(network.state_dict(), tmp_path / "timm" / "pytorch_model.bin")
    given = '{"architecture": "resnet18", "pretrained_cfg": {"input_size": [3, 96, 96]}, "num_classes": 3}'
    (tmp_path / "timm" / "config.json").write_text(given)
    torch.save(small(), tmp_path / "one" / "w.pth")
    torch.save(small(), tmp_path / "two" / "w.pth")
    torch.save(small(), tmp_path / "two" / "v.pth")
    assert load_embedder(str(tmp_path / "timm"), device="cpu").input.width == 96
    assert load_embedder(str(tmp_path / "one"), device="cpu").architecture == "resnet18"
    with pytest.raises(CurateError, match=r"v\.pth, w\.pth"):
        load_embedder(str(tmp_path / "two"), device="cpu")
    with pytest.raises(CurateError, match="curate models pull"):
        load_embedder("owner/never-pulled", device="cpu")
    with pytest.raises(CurateError, match="no backbone"):
        load_embedder("nonesuch", device="cpu")
