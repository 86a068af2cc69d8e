"""LemonFM's loader: visurg-ai/LEMON, ``lemonfm/utils_timeSequenceAndKnn.py``, class ``Dataset``."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path

import pyarrow.parquet as pq
from torch.utils.data import DataLoader
from torchvision.transforms.functional import pil_to_tensor, resize

from tests.exports.consumers.training import train

if importlib.util.find_spec("h5py") is None:  # imported, and not used for LMDB
    sys.modules["h5py"] = types.ModuleType("h5py")
from utils_timeSequenceAndKnn import Dataset


def tensor(picture, others):
    return resize(pil_to_tensor(picture), [64, 64]) / 255


root = Path(sys.argv[1]) / "lmdb-lemon"
metadata = pq.read_table(root / "metadata.parquet", columns=["key", "split"])
keys = [row["key"] for row in metadata.to_pylist() if row["split"] == "train"]
neighbours = Path(sys.argv[2]) / "neighbours.json"
entries = {key: [[keys[(i + k) % len(keys)], 1.0] for k in range(6)] for i, key in enumerate(keys)}
neighbours.write_text(json.dumps(entries))
frames = Dataset(str(root / "train.lmdb"), str(neighbours), tensor)


def plain():
    frames.transform = None
    yield from (frames[i] for i in range(len(frames)))


train(DataLoader(frames, batch_size=4, shuffle=True), plain=plain())
