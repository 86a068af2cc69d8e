"""V-JEPA 2's reader: facebookresearch/vjepa2, ``src/datasets/video_dataset.py``, ``make_videodataset``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
import yaml
from src.datasets.video_dataset import make_videodataset

from tests.exports.consumers.training import train

os.chdir(Path(sys.argv[1]) / "clips")
lists = yaml.safe_load(Path("vjepa/train.yaml").read_text())


def tensor(clip):
    return torch.from_numpy(clip).permute(3, 0, 1, 2).float() / 255


dataset, loader, sampler = make_videodataset(
    data_paths=lists["datasets"],
    datasets_weights=lists["datasets_weights"],
    batch_size=2,
    frames_per_clip=4,
    frame_step=2,
    transform=tensor,
    num_workers=0,
    persistent_workers=False,
    pin_mem=False,
)
assert len(dataset) == len(Path("videomae/train.csv").read_text().splitlines())


def plain():
    dataset.transform = None
    yield from (dataset[i] for i in range(len(dataset)))


train(loader, of=lambda batch: batch[0][0], plain=plain(), per_item=4)
