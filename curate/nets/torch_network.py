"""A classifier as timm networks in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from curate.errors import CurateError
from curate.nets.checkpoint import load_into, read_state
from curate.nets.levels import LevelsNetwork
from curate.nets.torchvision_repair import import_timm
from curate.nets.weights.model_config import ModelConfig
from curate.nets.weights.registry import ModelFiles


class Runner:
    """A network in PyTorch on one device.

    On CUDA it computes in half precision and channels-last, from pinned memory.
    """

    def __init__(self, network: torch.nn.Module, device: str, threads: int) -> None:
        if device == "cpu":
            torch.set_num_threads(threads)
        self._device = torch.device(device)
        self._network = network.eval().to(self._device)
        channels_last(self._network)

    def run(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Answer float32 (N, ...) to uint8 RGB (N, H, W, 3)."""
        on_gpu = self._device.type == "cuda"
        batch = torch.from_numpy(pixels)
        if on_gpu:
            batch = batch.pin_memory().to(self._device, non_blocking=True)
        with torch.inference_mode(), torch.autocast("cuda", torch.float16, enabled=on_gpu):
            return self._network(batch).float().cpu().numpy()


class TorchNetwork:
    """One or several timm networks in PyTorch, their logits averaged."""

    def __init__(self, files: ModelFiles, device: str, threads: int) -> None:
        members = [build_network(files.config, read_state(files.verified(part))) for part in files.config.weights]
        self._runner = Runner(NormalisedEnsemble(members, files.config), device, threads)

    def logits(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Answer float32 (N, classes) to uint8 RGB (N, H, W, 3)."""
        return self._runner.run(pixels)


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
    except (RuntimeError, ValueError, TypeError) as error:
        raise CurateError(f"{config.name}: no network {config.architecture} can be made: {error}") from error
    if state is not None:
        load_into(network, state, config.name, f"{config.architecture} with {len(config.classes)} classes")
    return network.eval()
