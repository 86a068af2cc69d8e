"""A classifier as timm networks in PyTorch, and the reading of untrusted checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from curate.errors import CurateError
from curate.nets.levels import LevelsNetwork
from curate.nets.torchvision_repair import import_timm
from curate.nets.weights.model_config import ModelConfig
from curate.nets.weights.registry import ModelFiles


class TorchNetwork:
    """One or several timm networks in PyTorch, their logits averaged.

    On CUDA it computes in half precision and channels-last, from pinned memory.
    """

    def __init__(self, files: ModelFiles, device: str, threads: int) -> None:
        if device == "cpu":
            torch.set_num_threads(threads)
        self._device = torch.device(device)
        members = [build_network(files.config, read_state(files.verified(part))) for part in files.config.weights]
        self._network = NormalisedEnsemble(members, files.config).eval().to(self._device)
        channels_last(self._network)

    def logits(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Answer float32 (N, classes) to uint8 RGB (N, H, W, 3)."""
        on_gpu = self._device.type == "cuda"
        batch = torch.from_numpy(pixels)
        if on_gpu:
            batch = batch.pin_memory().to(self._device, non_blocking=True)
        with torch.inference_mode(), torch.autocast("cuda", torch.float16, enabled=on_gpu):
            return self._network(batch).float().cpu().numpy()


class NormalisedEnsemble(torch.nn.Module):
    """From uint8 RGB (N, H, W, 3) to logits (N, classes): normalisation, then the mean over the members."""

    def __init__(self, members: Sequence[torch.nn.Module], config: ModelConfig) -> None:
        super().__init__()
        self.members = torch.nn.ModuleList(members)
        self.mean = torch.nn.Buffer(255 * torch.tensor(config.mean).view(3, 1, 1))
        self.std = torch.nn.Buffer(255 * torch.tensor(config.std).view(3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Answer float (N, classes) to uint8 (N, H, W, 3)."""
        x = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std
        logits = self.members[0](x)
        for member in list(self.members)[1:]:
            logits = logits + member(x)
        return logits / len(self.members)


def channels_last(network: torch.nn.Module) -> None:
    """Lay the weights of a network out with channels last, the fastest order for convolutions, in place."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def build_network(config: ModelConfig, state: dict[str, torch.Tensor] | None) -> torch.nn.Module:
    """Make the network of a config, timm's or one of levels, and load a state dict into it, if one is given.

    Raises:
        CurateError: The architecture is unknown, or the state does not fit it.
    """
    timm = import_timm()
    try:
        if config.branches:
            network: torch.nn.Module = LevelsNetwork(config.branches, len(config.classes))
        else:
            network = timm.create_model(
                config.architecture, pretrained=False, num_classes=len(config.classes), **config.arguments
            )
        if state is not None:
            network.load_state_dict(state)
    except (RuntimeError, ValueError, TypeError) as error:
        raise CurateError(
            f"the weights of {config.name} do not fit {config.architecture} with {len(config.classes)} classes: {error}"
        ) from error
    return network.eval()


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read an untrusted state dict: safetensors, or a PyTorch file with ``weights_only=True``.

    Undoes the wrappings of published checkpoints: a ``net``, ``model`` or ``state_dict`` entry, and the ``module.``
    prefix of DataParallel.

    Returns:
        float32 tensors by parameter name.

    Raises:
        CurateError: Damaged, or not a state dict.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # both readers let through whatever a damaged file sets off
        raise CurateError(f"{path} is not a readable checkpoint: {error}") from error
    for wrapping in ("net", "model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(wrapping), dict):
            content = content[wrapping]
    if not isinstance(content, dict) or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise CurateError(f"{path} holds no state dict (names to tensors)")
    return {
        name.removeprefix("module."): value.float() if value.is_floating_point() else value
        for name, value in content.items()
    }
