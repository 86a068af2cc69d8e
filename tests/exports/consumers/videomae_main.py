"""VideoMAE's pretraining: MCG-NJU/VideoMAE, ``run_mae_pretraining.py``, which wants timm 0.4.12 and PyTorch 1.8.

Given the names of optimisers that timm has dropped and that are not used here, and a network smaller than its smallest.
"""

from __future__ import annotations

import sys
import types
from functools import partial
from pathlib import Path
from typing import Any

import timm.optim.nadam
import timm.optim.radam
import torch

from tests.exports.consumers.standing_in import cpu_for_cuda, names_that_are_gone, start

gone = types.ModuleType("timm.optim.novograd")
sys.modules["timm.optim.novograd"] = gone
timm.optim.nadam.Nadam = timm.optim.radam.RAdam = gone.NovoGrad = None
names_that_are_gone()
cpu_for_cuda()
torch.cuda.amp.GradScaler = partial(torch.amp.GradScaler, "cpu")  # the trainer logs its scale

import modeling_pretrain  # noqa: E402
from timm.models import register_model  # noqa: E402


@register_model
def pretrain_videomae_tiny_patch8_32(pretrained: bool = False, **options: Any) -> torch.nn.Module:
    return modeling_pretrain.PretrainVisionTransformer(
        img_size=32,
        patch_size=8,
        encoder_embed_dim=48,
        encoder_depth=2,
        encoder_num_heads=2,
        encoder_num_classes=0,
        decoder_embed_dim=32,
        decoder_num_heads=2,
        decoder_num_classes=2 * 8 * 8 * 3,
        qkv_bias=True,
        **{name: value for name, value in options.items() if "pretrained" not in name and "cache" not in name},
    )


start(Path(sys.argv[1]), sys.argv[2:])
