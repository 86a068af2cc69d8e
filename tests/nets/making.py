"""Small classifiers and frames for tests, made on the spot."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import simplejpeg
import torch

from curate.nets.preprocess import Image
from curate.nets.torchvision_repair import import_timm
from curate.nets.weights.model_config import ModelConfig, WeightsFile
from curate.training.save import save_model

TINY = ModelConfig(
    name="tiny",
    architecture="mobilenetv3_small_050",
    weights=(WeightsFile("model.safetensors", ""),),
    width=64,
    height=64,
    temperature=1.5,
    threshold=0.6,
    uncertain=(0.55, 0.65),
)


def picture(seed: int, height: int = 120, width: int = 200) -> Image:
    """A smooth random picture, uint8 RGB."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 40
    waves = [np.sin(rng.uniform(0.2, 2) * x + rng.uniform(0.2, 2) * y + rng.uniform(0, 6)) for _ in range(3)]
    return (127 + 110 * np.stack(waves, axis=2)).astype(np.uint8)


def jpeg(seed: int, height: int = 120, width: int = 200) -> bytes:
    """A JPEG of `picture`."""
    return simplejpeg.encode_jpeg(picture(seed, height, width), 90, "RGB", "420")


def tiny_model(folder: Path, seed: int = 0, **values: object) -> ModelConfig:
    """Save a small untrained classifier whose answers differ from picture to picture."""
    torch.manual_seed(seed)
    network = import_timm().create_model(TINY.architecture, num_classes=2)
    network.eval()
    for name, parameter in network.named_parameters():
        if name.startswith("classifier"):
            torch.nn.init.normal_(parameter, std=2.0)
    return save_model(network, dataclasses.replace(TINY, **values), folder)
