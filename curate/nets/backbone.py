"""Backbones in PyTorch, without their heads: from pictures to features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from curate.errors import CurateError
from curate.nets.architectures import Recognised
from curate.nets.checkpoint import load_into, read_state
from curate.nets.levels import LevelsNetwork
from curate.nets.torchvision_repair import import_timm
from curate.nets.weights.registry import ModelFiles

_LARGEST_SIDE = 4096
"""Pixels of a side of the input, at most."""


class Backbone(nn.Module):
    """From uint8 RGB (N, H, W, 3) to features (N, columns): normalisation, then the network."""

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.mean = nn.Buffer(255 * torch.tensor(tuple(mean)).view(3, 1, 1))
        self.std = nn.Buffer(255 * torch.tensor(tuple(std)).view(3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Answer float (N, columns)."""
        features: torch.Tensor = self.network((pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std)
        return features


class _Levels(nn.Module):
    """The standardised features of a network of levels."""

    def __init__(self, network: LevelsNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Answer float (N, columns) to RGB (N, 3, H, W) in 0..1."""
        return (self.network.features(pixels).float() - self.network.shift) / self.network.scale


def make_backbone(
    known: Recognised, side: int
) -> tuple[nn.Module, tuple[float, float, float], tuple[float, float, float], int]:
    """A network of timm without a head, with random weights.

    Args:
        known: Which.
        side: Pixels of the input; 0 takes the side that is known, else timm's.

    Returns:
        The network, mean and deviation of its input, and the side of its input.

    Raises:
        CurateError: timm has no such network, or it cannot have such an input.
    """
    timm = import_timm()
    arguments: dict[str, Any] = dict(known.arguments)
    if known.relu:
        arguments |= {"mlp_act": nn.ReLU, "act1_layer": nn.ReLU}
    try:
        own = timm.get_pretrained_cfg(known.name)
        if own is None:
            raise ValueError("timm does not know it")
        side = side or known.side or int(own.input_size[-1])
        if not 8 <= side <= _LARGEST_SIDE:
            raise ValueError(f"the side of its input must be 8 to {_LARGEST_SIDE} pixels, not {side}")
        if known.name.startswith("vit_") and side != int(own.input_size[-1]):
            arguments["img_size"] = side
        network = timm.create_model(known.name, pretrained=False, num_classes=0, **arguments)
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise CurateError(f"no network {known.name} can be made: {error}") from error
    return network.eval(), tuple(own.mean), tuple(own.std), side


def levels_backbone(files: ModelFiles) -> nn.Module:
    """The features of a network of levels, with its weights.

    Raises:
        CurateError: The weights are damaged or do not fit.
    """
    config = files.config
    network = LevelsNetwork(config.branches, len(config.classes))
    load_into(network, read_state(files.verified(config.weights[0])), config.name, config.architecture)
    return Backbone(_Levels(network), config.mean, config.std)
