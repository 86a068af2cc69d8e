"""PL-Stitch's loaders: visurg-ai/PL-Stitch, ``pl_stitch/loader.py``, classes ``Dataset_puzzle`` and ``Dataset``.

Its trainer opens the same LMDB twice in a process, which lmdb refuses since 2.0. Here the second one is opened after
the first is closed; with lmdb 1 both are open.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

import lmdb
from torch.utils.data import DataLoader
from torchvision.transforms.functional import pil_to_tensor, resize

from tests.exports.consumers.training import train

sys.modules.setdefault("utils", types.ModuleType("utils"))  # the trainer's, not used by the loaders
import loader  # noqa: E402

root = str(Path(sys.argv[1]) / "lmdb-lemon" / "train.lmdb")


def tensor(picture, *others):
    return resize(pil_to_tensor(picture), [64, 64]) / 255


puzzle = loader.Dataset_puzzle(root)
past, future = puzzle.get_time_sequence_frame(puzzle.data[2].decode())[:2]
assert past is not None or future is not None
if int(lmdb.__version__.partition(".")[0]) >= 2:
    try:
        loader.Dataset(root)
    except lmdb.Error:
        puzzle.env.close()
    else:
        raise AssertionError("lmdb opens an environment twice again: the page of PL-Stitch says otherwise")
frames = loader.Dataset(root, transform=tensor)


def plain():
    frames.transform = None
    yield from (frames[i] for i in range(len(frames)))


train(DataLoader(frames, batch_size=4, shuffle=True), plain=plain())
