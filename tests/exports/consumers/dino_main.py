"""DINO's and LemonFM's trainers: facebookresearch/dino ``main_dino.py``, visurg-ai/LEMON ``lemonfm/lemonfm.py``.

Their smallest network is made smaller. Both ask GitHub for the names of other networks before they start.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import torch
import vision_transformer as vits

from tests.exports.consumers.standing_in import cpu_for_cuda, start

vits.vit_tiny = partial(vits.VisionTransformer, embed_dim=48, depth=2, num_heads=2, qkv_bias=True)
torch.hub.list = lambda repository: []
cpu_for_cuda()
start(Path(sys.argv[1]), sys.argv[2:])
