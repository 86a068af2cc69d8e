"""open_clip's trainer: the package ``open_clip_torch``, ``open_clip_train.main``, with a network of its own size."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import open_clip
import open_clip_train.main
import torch

model = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
folder = Path("networks")
folder.mkdir()
(folder / "tiny.json").write_text(json.dumps(model))
open_clip.add_model_config(folder)
torch.set_num_threads(1)
open_clip_train.main.main(sys.argv[1:])
