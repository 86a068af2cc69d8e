"""V-JEPA 2's pretraining: facebookresearch/vjepa2, ``app/main.py``, with a network smaller than its smallest."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import src.models.vision_transformer as vits

from tests.exports.consumers.standing_in import cpu_for_cuda, start

vits.vit_tiny = partial(vits.VisionTransformer, embed_dim=48, depth=2, num_heads=2, mlp_ratio=4, qkv_bias=True)
cpu_for_cuda()
start(Path(sys.argv[1]), sys.argv[2:])
