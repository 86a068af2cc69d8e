"""open_clip's reader: the package ``open_clip_torch``, ``open_clip_train/data.py``, ``get_wds_dataset``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import open_clip
import torch
from open_clip_train.data import get_wds_dataset
from torchvision.transforms import v2

from tests.exports.consumers.training import train

root = Path(sys.argv[1]) / "webdataset"
shards = len(list(root.glob("train-*.tar")))
args = argparse.Namespace(
    train_data=f"{root}/train-{{000000..{shards - 1:06d}}}.tar",
    train_num_samples=None,
    batch_size=4,
    train_data_upsampling_factors=None,
    dataset_resampled=False,
    seed=0,
    workers=2,
    world_size=1,
)
transform = v2.Compose([v2.PILToTensor(), v2.Resize((64, 64)), v2.ToDtype(torch.float32, scale=True)])
data = get_wds_dataset(args, transform, is_train=True, tokenizer=open_clip.SimpleTokenizer())
assert data.dataloader.num_samples >= 12
pictures, texts = next(iter(data.dataloader))
assert pictures.shape[0] == texts.shape[0] == 4 and texts.any()
args.workers = 0
plain = get_wds_dataset(args, lambda picture: torch.zeros(1), is_train=True, tokenizer=open_clip.SimpleTokenizer())
train(data.dataloader, of=lambda batch: batch[0], plain=plain.dataloader)
