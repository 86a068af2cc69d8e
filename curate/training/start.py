"""Where a training starts: a network of levels with the backbones of another model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from curate.errors import CurateError
from curate.nets.checkpoint import read_state
from curate.nets.levels import LevelsNetwork
from curate.nets.torch_network import build_network
from curate.nets.weights.model_config import LEVELS, Branch, ModelConfig
from curate.nets.weights.registry import LEMON_SUFFIXES, resolve_model
from curate.training.fit import pretrained

MOBILENET = Branch("mobilenetv2_100")
"""What a bare state dict is taken for; torchvision publishes its weights."""


@dataclasses.dataclass(frozen=True)
class Start:
    """A network to fit a head to.

    Attributes:
        network: Its head answers 0, or is another model's; it is replaced.
        config: Its config, uncalibrated.
        name: What it was made from, for the card.
        sha256: Of the weights it was made from.
    """

    network: LevelsNetwork
    config: ModelConfig
    name: str
    sha256: str


def start_from(backbone: str, name: str) -> Start:
    """Take the backbones of a model.

    Args:
        backbone: As `curate.nets.weights.registry.resolve_model` takes it, a network of levels or one network of timm's
            EfficientNet family; or a state dict (``.pt``, ``.pth``) of torchvision's or timm's MobileNetV2.
        name: Of the model to be trained.

    Raises:
        CurateError: There is no such model, or its network is of another kind.
    """
    path = Path(backbone).expanduser()
    if path.is_file() and path.suffix in LEMON_SUFFIXES:
        from curate.files.digest import sha256_of
        from curate.nets.weights.model_config import WeightsFile

        given = ModelConfig(name=name, architecture="", weights=(WeightsFile("model.safetensors", ""),))
        config = _uncalibrated(given, name, (MOBILENET,))
        return Start(pretrained([path], config), config, path.name, sha256_of(path))
    files = resolve_model(backbone)
    given = files.config
    if len(given.weights) != 1:
        raise CurateError(f"{given.name} is an ensemble of {len(given.weights)} networks: training starts from one")
    config = _uncalibrated(given, name, given.branches or (Branch(given.architecture, given.mean, given.std),))
    state = read_state(files.verified(given.weights[0]))
    network = build_network(config, None)
    assert isinstance(network, LevelsNetwork)
    try:
        if given.branches:
            network.load_state_dict(state)
        else:
            trunk = network.backbones[0].get_submodule("network")
            trunk.load_state_dict({key: value for key, value in state.items() if key in trunk.state_dict()})
    except RuntimeError as error:
        raise CurateError(f"the weights of {given.name} do not fit {given.architecture}: {error}") from error
    return Start(network, config, given.name, given.weights[0].sha256)


def _uncalibrated(given: ModelConfig, name: str, branches: tuple[Branch, ...]) -> ModelConfig:
    return ModelConfig(
        name=name,
        architecture=LEVELS,
        weights=given.weights,
        width=given.width,
        height=given.height,
        interpolation=given.interpolation,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        branches=branches,
    )
