"""The overlay network as it is trained, and the way from a packaged graph back to it."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from curate.errors import CurateError
from curate.nets.detect.overlay import CLASSES
from curate.vision.static_content import CHANNELS, COLUMNS, ROWS

UNSEEN = 255
"""Class of pixels that count for nothing."""

CLASS_WEIGHTS = (1.0, 1.5, 2.0, 1.5, 1.5)
"""Weight of each of `CLASSES` in the loss."""

LIKE = 2000
"""Area in reduced pixels of an overlay whose pixels weigh as much as others; those of smaller ones weigh more, with the
root of the area, `MOST` at most, for a small logo is as much an error as a large bar."""

MOST = 4.0


def double(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions, each with a batch norm and a rectifier."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """U-Net on half-resolution cells: pixels are folded into channels first and unfolded last.

    Takes (batch, channels, rows, columns), gives logits (batch, classes, rows, columns).
    """

    def __init__(
        self,
        channels: int = CHANNELS,
        classes: int = len(CLASSES),
        widths: tuple[int, ...] = (24, 32, 48, 64, 96),
    ) -> None:
        super().__init__()
        self.stem = double(channels * 4, widths[0])
        self.down = nn.ModuleList(double(a, b) for a, b in itertools.pairwise(widths))
        self.up = nn.ModuleList(double(a + b, a) for a, b in itertools.pairwise(widths))
        self.head = nn.Conv2d(widths[0], classes * 4, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Logits of every pixel."""
        x = self.stem(functional.pixel_unshuffle(maps, 2))
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(functional.max_pool2d(x, 2))
        for block, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = block(torch.cat([skip, functional.interpolate(x, scale_factor=2.0, mode="nearest")], 1))
        return functional.pixel_shuffle(self.head(x), 2)


def loss_of(logits: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean weighted cross entropy.

    Args:
        logits: (batch, classes, rows, columns).
        target: int64 (batch, rows, columns), indices into `CLASSES`, or `UNSEEN`.
        weights: float32 (batch, rows, columns), of every pixel.
    """
    classes = torch.tensor(CLASS_WEIGHTS)
    each = functional.cross_entropy(logits.float(), target, weight=classes, ignore_index=UNSEEN, reduction="none")
    return (each * weights).mean()


def weights_of(target: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Weight of every pixel by the size of the overlay that it belongs to: float32, 1 where there is none."""
    import cv2

    weights = np.ones(target.shape, np.float32)
    for kind in range(1, len(CLASSES)):
        count, labels, stats, _ = cv2.connectedComponentsWithStats((target == kind).astype(np.uint8))
        for label in range(1, count):
            weights[labels == label] = min(max((LIKE / stats[label][cv2.CC_STAT_AREA]) ** 0.5, 1.0), MOST)
    return weights


def from_graph(path: Path) -> UNet:
    """The network of an ONNX graph that `export` wrote, to be trained further.

    The graph holds convolutions with their batch norms folded in; here those norms do nothing but shift.

    Raises:
        CurateError: The graph is of another network.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    values = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    net = UNet()
    state = net.state_dict()
    blocks = ["stem", *(f"down.{i}" for i in range(len(net.down))), *(f"up.{i}" for i in reversed(range(len(net.up))))]
    places = [(f"{block}.{i}.weight", f"{block}.{i + 1}.bias") for block in blocks for i in (0, 3)]
    places.append(("head.weight", "head.bias"))
    found = [tuple(values.get(name) for name in node.input[1:]) for node in convolutions]
    wanted = [tuple(state[name].shape for name in place) for place in places]
    if [tuple(one.shape if one is not None else None for one in pair) for pair in found] != wanted:
        raise CurateError(f"{path}: not a graph of the overlay network")
    for place, pair in zip(places, found, strict=True):
        state |= dict(zip(place, pair, strict=True))
    norms = {name: module.eps for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)}
    state |= {
        f"{name}.running_var": torch.full_like(state[f"{name}.running_var"], 1 - eps) for name, eps in norms.items()
    }
    net.load_state_dict(state)
    return net.eval()


def export(net: nn.Module, path: Path) -> None:
    """Write a network as an ONNX graph that gives probabilities."""
    net.eval()
    torch.onnx.export(
        nn.Sequential(net, nn.Softmax(dim=1)),
        (torch.zeros(1, CHANNELS, ROWS, COLUMNS),),
        str(path),
        input_names=["maps"],
        output_names=["probabilities"],
        dynamic_axes={"maps": {0: "batch"}, "probabilities": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
