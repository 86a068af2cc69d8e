"""MAE's pretraining: facebookresearch/mae, ``main_pretrain.py``, which wants timm 0.3.2 and PyTorch 1.8.

Given what timm has renamed since, and a network smaller than its smallest.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import timm
import timm.models.vision_transformer
import timm.optim.optim_factory
from timm.optim import param_groups_weight_decay
from torch import nn

from tests.exports.consumers.standing_in import cpu_for_cuda, names_that_are_gone, start


class Block(timm.models.vision_transformer.Block):
    """timm's, which took a ``qk_scale``."""

    def __init__(self, *arguments: Any, qk_scale: None, **options: Any) -> None:
        super().__init__(*arguments, **options)


names_that_are_gone()
cpu_for_cuda()
timm.__version__ = "0.3.2"
timm.models.vision_transformer.Block = Block
timm.optim.optim_factory.add_weight_decay = param_groups_weight_decay

import models_mae  # noqa: E402

models_mae.mae_vit_tiny_patch8 = partial(
    models_mae.MaskedAutoencoderViT,
    img_size=32,
    patch_size=8,
    embed_dim=48,
    depth=2,
    num_heads=2,
    decoder_embed_dim=32,
    decoder_depth=1,
    decoder_num_heads=2,
    norm_layer=partial(nn.LayerNorm, eps=1e-6),
)
start(Path(sys.argv[1]), sys.argv[2:])
