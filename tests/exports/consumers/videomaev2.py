"""VideoMAEv2's reader: OpenGVLab/VideoMAEv2, ``dataset/pretrain_datasets.py``, class ``HybridVideoMAE``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from torch.utils.data import DataLoader

from tests.exports.consumers.training import train

np.int = int  # gone since numpy 1.24

from dataset.build import build_pretraining_dataset  # noqa: E402

os.chdir(Path(sys.argv[1]) / "clips")
args = argparse.Namespace(
    num_frames=4,
    sampling_rate=2,
    input_size=32,
    mask_type="tube",
    mask_ratio=0.75,
    decoder_mask_ratio=0.0,
    window_size=(2, 2, 2),
    num_sample=1,
    fname_tmpl="img_{:05}.jpg",
    data_root=".",
    data_path="videomaev2/train.txt",
)
clips = build_pretraining_dataset(args)
assert all(start == 0 and frames == -1 for _, start, frames in clips.clips)
train(
    DataLoader(clips, batch_size=2, shuffle=True),
    of=lambda batch: batch[0],
    plain=(clips[i] for i in range(len(clips))),
    per_item=args.num_frames,
)
