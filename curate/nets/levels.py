"""A classifier with one linear head over several depths of one or several small backbones.

Early blocks see texture, noise and colour, late ones see objects. What tells surgery from an X-ray or a rendered organ
is often in the former, so the head sees both: of every chosen block the mean and the deviation of each channel over
the picture, and the pooled features of the last layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from curate.nets.torchvision_repair import import_timm
from curate.nets.weights.model_config import Branch


class Backbone(nn.Module):
    """One branch: from RGB (N, 3, H, W) in 0..1 to features (N, width)."""

    def __init__(self, branch: Branch) -> None:
        super().__init__()
        self.network: Any = import_timm().create_model(branch.architecture, pretrained=False, num_classes=0)
        if not all(hasattr(self.network, part) for part in ("conv_stem", "bn1", "blocks", "conv_head", "bn2")):
            raise ValueError(f"{branch.architecture} is not of timm's EfficientNet family")
        if branch.blocks and max(branch.blocks) >= len(self.network.blocks):
            raise ValueError(f"{branch.architecture} has {len(self.network.blocks)} stages of blocks")
        self._blocks = branch.blocks
        self.mean = nn.Buffer(torch.tensor(branch.mean).view(3, 1, 1), persistent=False)
        self.std = nn.Buffer(torch.tensor(branch.std).view(3, 1, 1), persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Answer float32 (N, width): last features averaged, then mean and deviation of each chosen block."""
        x = self.network.bn1(self.network.conv_stem((pixels - self.mean) / self.std))
        seen = []
        for index, block in enumerate(self.network.blocks):
            x = block(x)
            if index in self._blocks:
                level = x.float()
                mean = level.mean((2, 3))
                spread = ((level - mean[:, :, None, None]) ** 2).mean((2, 3))
                seen += [mean, (spread + 1e-12).sqrt()]
        last = self.network.bn2(self.network.conv_head(x)).float().mean((2, 3))
        return torch.cat([last, *seen], dim=1)


class LevelsNetwork(nn.Module):
    """From RGB (N, 3, H, W) in 0..1 to logits (N, classes): backbones, standardised features, one linear layer."""

    def __init__(self, branches: Sequence[Branch], classes: int) -> None:
        """Build it with random backbones and a head that answers 0.

        Raises:
            ValueError: No branch, or one that cannot be built.
            RuntimeError: timm does not know an architecture.
        """
        super().__init__()
        if not branches:
            raise ValueError("a network of levels needs at least one branch")
        self.backbones = nn.ModuleList(Backbone(branch) for branch in branches)
        self.eval()
        with torch.inference_mode():
            width = self.features(torch.zeros(1, 3, 64, 64)).shape[1]
        self.shift = nn.Buffer(torch.zeros(width))
        self.scale = nn.Buffer(torch.ones(width))
        self.classifier = nn.Linear(width, classes)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Answer what the head sees before it is standardised, float32 (N, width)."""
        return torch.cat([backbone(pixels) for backbone in self.backbones], dim=1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Answer float (N, classes)."""
        return self.classifier((self.features(pixels) - self.shift) / self.scale)
