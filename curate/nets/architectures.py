"""Which of timm's networks a checkpoint is of, told from the names and shapes of its tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PUBLISHED = "SurgeNet's CAFormer, ConvNeXtV2 and PVTv2, SurgeNetDINO's ViTs, LemonFM's ConvNeXt, and ResNets"

_CONVNEXT = {(96, 9): "tiny", (96, 27): "small", (128, 27): "base", (192, 27): "large", (256, 27): "xlarge"}
_CONVNEXT_V2 = {
    (40, 6): "atto", (48, 6): "femto", (64, 6): "pico", (80, 8): "nano", (96, 9): "tiny", (128, 27): "base",
    (192, 27): "large", (352, 27): "huge",
}  # fmt: skip
_CAFORMER = {(64, 9): "s18", (64, 18): "s36", (96, 18): "m36", (128, 18): "b36"}
_PVT = {(32, 2): "b0", (64, 2): "b1", (64, 6): "b2", (64, 18): "b3", (64, 27): "b4", (64, 40): "b5"}
_VIT = {192: "tiny", 384: "small", 768: "base", 1024: "large"}
_RESNET = {(2, False): "resnet18", (6, False): "resnet34", (6, True): "resnet50", (23, True): "resnet101"}
_DINOV3_SIDE = 336
"""Side in pixels at which SurgeNetDINO's networks of DINOv3 saw pictures; their file does not tell."""


@dataclass(frozen=True)
class Recognised:
    """A network of timm.

    Attributes:
        name: timm's name of it.
        side: Of its input in pixels; 0 for timm's own.
        relu: Whether a MetaFormer has ReLU in place of StarReLU.
        arguments: Further arguments of timm's network.
    """

    name: str
    side: int = 0
    relu: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


def recognise(state: Mapping[str, torch.Tensor]) -> Recognised | None:
    """The network that a state dict is of; ``None`` if it is none of those known (`PUBLISHED`)."""
    for family in (_convnext, _caformer, _pvt, _vit, _resnet):
        if (found := family(state)) is not None:
            return found
    return None


def _blocks(state: Mapping[str, torch.Tensor], form: str) -> int:
    """How many blocks have names of a form, whose group is the block's number."""
    pattern = re.compile(form)
    numbers = {int(found[1]) for name in state if (found := pattern.match(name))}
    return len(numbers)


def _width(state: Mapping[str, torch.Tensor], *names: str) -> int:
    return next((int(state[name].shape[0]) for name in names if name in state), 0)


def _convnext(state: Mapping[str, torch.Tensor]) -> Recognised | None:
    if not any(re.search(r"\.(?:conv_dw|dwconv|layer_scale)(?:\.weight)?$", name) for name in state):
        return None
    width = _width(state, "features.0.0.weight", "downsample_layers.0.0.weight", "stem.0.weight")
    depth = _blocks(state, r"(?:features\.5|stages\.2(?:\.blocks)?)\.(\d+)\.")
    second = any(".grn." in name for name in state)
    size = (_CONVNEXT_V2 if second else _CONVNEXT).get((width, depth))
    return Recognised(f"convnext{'v2' if second else ''}_{size}") if size else None


def _caformer(state: Mapping[str, torch.Tensor]) -> Recognised | None:
    if not any(re.match(r"stages\.2\.(?:blocks\.)?0\.token_mixer\.qkv\.weight", name) for name in state):
        return None
    width = _width(state, "downsample_layers.0.conv.weight", "stem.conv.weight")
    size = _CAFORMER.get((width, _blocks(state, r"stages\.2\.(?:blocks\.)?(\d+)\.")))
    relu = not any(name.endswith((".mlp.act.scale", ".act1.scale")) for name in state)
    return Recognised(f"caformer_{size}", relu=relu) if size else None


def _pvt(state: Mapping[str, torch.Tensor]) -> Recognised | None:
    if not any(re.search(r"\.mlp\.dwconv\.", name) for name in state):
        return None
    width = _width(state, "patch_embed1.proj.weight", "patch_embed.proj.weight")
    size = _PVT.get((width, _blocks(state, r"(?:block3|stages\.2\.blocks)\.(\d+)\.")))
    return Recognised(f"pvt_v2_{size}") if size else None


def _vit(state: Mapping[str, torch.Tensor]) -> Recognised | None:
    patches = state.get("patch_embed.proj.weight")
    if patches is None or "cls_token" not in state or patches.ndim != 4 or int(patches.shape[0]) not in _VIT:
        return None
    size, patch = _VIT[int(patches.shape[0])], int(patches.shape[-1])
    scaled = any(re.search(r"blocks\.\d+\.(?:ls1\.gamma|gamma_1)$", name) for name in state)
    positions = state.get("pos_embed")
    registers = "reg_token" in state or "storage_tokens" in state or "register_tokens" in state
    if positions is None:
        return Recognised(f"vit_{size}_patch{patch}_dinov3", _DINOV3_SIDE) if registers else None
    own = 0 if "register_tokens" in state or "reg_token" in state else 1
    tokens = int(positions.shape[1])
    side = next((patch * root for less in (own, 1, 0) if (root := math.isqrt(tokens - less)) ** 2 == tokens - less), 0)
    if scaled:
        return Recognised(f"vit_{size}_patch{patch}{'_reg4' if registers else ''}_dinov2", side)
    return Recognised(f"vit_{size}_patch{patch}_224.dino", side)


def _resnet(state: Mapping[str, torch.Tensor]) -> Recognised | None:
    if "layer1.0.conv1.weight" not in state:
        return None
    name = _RESNET.get((_blocks(state, r"layer3\.(\d+)\."), "layer1.0.conv3.weight" in state))
    return Recognised(name) if name else None
