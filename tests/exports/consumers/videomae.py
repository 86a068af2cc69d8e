"""VideoMAE's readers: MCG-NJU/VideoMAE and SurgRec, ``datasets.py``: ``VideoMAE`` and ``VideoClsDataset``.

``numpy.lib.function_base``, from which VideoMAE imports a name that it does not use, is gone since numpy 2.
"""

from __future__ import annotations

import argparse
import os
import sys
import types
from pathlib import Path

import numpy as np
from torch.utils.data import DataLoader

from tests.exports.consumers.training import train

gone = types.ModuleType("numpy.lib.function_base")
gone.disp = print
sys.modules.setdefault("numpy.lib.function_base", gone)
np.int = int  # used by the masks; gone since numpy 1.24

os.chdir(Path(sys.argv[1]) / "clips")
shared = {"num_frames": 4, "sampling_rate": 2, "input_size": 32, "short_side_size": 32, "mask_type": "tube"}
shared |= {"mask_ratio": 0.75, "window_size": (2, 2, 2), "data_set": "Kinetics-400", "data_path": "videomae"}
shared |= {"reprob": 0.0, "num_sample": 1, "aa": "rand-m1-n1-mstd0.5-inc1", "train_interpolation": "bicubic"}
shared |= {"test_num_segment": 2, "test_num_crop": 2, "remode": "pixel", "recount": 1, "nb_classes": 400}
args = argparse.Namespace(**shared)
if sys.argv[3] == "videomae":
    import datasets

    pretraining = datasets.build_pretraining_dataset(argparse.Namespace(**shared | {"data_path": "videomae/train.csv"}))
else:
    from surgrec_video.data import datasets
training, _ = datasets.build_dataset(True, False, args)
validation, _ = datasets.build_dataset(False, False, args)
testing, _ = datasets.build_dataset(False, True, args)
labels = [line.split(" ") for line in Path("videomae/val.csv").read_text().splitlines()]
assert [validation[i][1] for i in range(len(validation))] == [int(label) for _, label in labels]
assert testing[0][0].shape[0] == 3
chosen = pretraining if sys.argv[3] == "videomae" else training
train(
    DataLoader(chosen, batch_size=2, shuffle=True),
    of=lambda batch: batch[0],
    plain=(chosen[i] for i in range(len(chosen))),
    per_item=shared["num_frames"],
)
