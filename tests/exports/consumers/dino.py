"""DINOv2's and DINOv3's reader: facebookresearch/dinov2 and dinov3, ``data/datasets/image_net_22k.py``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from tests.exports.consumers.training import train

package = sys.argv[3]
ImageNet22k = importlib.import_module(f"{package}.data.datasets.image_net_22k").ImageNet22k
root = Path(sys.argv[1]) / "dinov2"
transform = v2.Compose([v2.PILToTensor(), v2.Resize((64, 64)), v2.ToDtype(torch.float32, scale=True)])
where = {"root": str(root / "train"), "extra": str(root / "train-extra")}
frames = ImageNet22k(**where, transform=transform)
plain = ImageNet22k(**where)
train(
    DataLoader(frames, batch_size=4, shuffle=True),
    of=lambda batch: batch[0],
    plain=(plain[i] for i in range(len(plain))),
)
