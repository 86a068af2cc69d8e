"""The embedder: a vector for each picture, from any backbone of timm or from the shipped frame classifier.

Vectors have unit length, so that their inner product is the cosine of the angle between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from curate.errors import CurateError
from curate.files.ahead import map_ahead
from curate.nets.device import available_threads, resolve_device
from curate.nets.preprocess import WHOLE, Framing, Image, framing, to_input
from curate.nets.weights.backbones import BackboneFile, resolve_backbone
from curate.nets.weights.model_config import LEVELS, Interpolation
from curate.nets.weights.registry import ModelFiles

Vectors = npt.NDArray[np.float16]
"""(N, columns), each row of unit length but for rounding."""

REDUCED = 384
"""Columns to which the features of a network of levels, some thousands, are reduced."""

CPU_BATCH = 32
CUDA_BATCH = 128
BATCHES_AHEAD = 2


@dataclass(frozen=True)
class Input:
    """What a backbone sees of a picture.

    Attributes:
        width: Pixels.
        height: Pixels.
        interpolation: How pictures are resized; see `curate.nets.preprocess.to_input`.
        framing: Which part is seen.
    """

    width: int
    height: int
    interpolation: Interpolation = "area"
    framing: Framing = WHOLE


class Embedder:
    """Makes vectors of pictures.

    Attributes:
        name: Of the model, for people.
        sha256: Of its weights.
        architecture: timm's name of the network, or ``levels``.
        input: What it sees of a picture.
        batch_size: Pictures per forward pass.
    """

    def __init__(
        self,
        name: str,
        sha256: str,
        architecture: str,
        input: Input,
        run: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]],
        batch_size: int,
        decoders: int = 1,
    ) -> None:
        """Put an embedder together; `load_embedder` does it from files.

        Args:
            name: Of the model.
            sha256: Of its weights.
            architecture: Of its network.
            input: What it sees of a picture.
            run: Answers features, float32 (N, columns), to uint8 RGB (N, height, width, 3).
            batch_size: Pictures per forward pass.
            decoders: Threads that decode ahead; with 1 pictures are decoded in between.
        """
        self.name, self.sha256, self.architecture, self.input = name, sha256, architecture, input
        self.batch_size = batch_size
        self._run, self._decoders = run, decoders

    def prepare(self, image: bytes | Image) -> Image:
        """Decode and resize one picture to the network's input, uint8 RGB (height, width, 3).

        Raises:
            ValueError: It cannot be decoded.
        """
        seen = self.input
        return to_input(image, seen.width, seen.height, seen.interpolation, seen.framing)

    def stream(self, images: Iterable[bytes | Image]) -> Iterator[Vectors]:
        """Vectors batch by batch; the next batches are decoded while the network works on one.

        Args:
            images: JPEG files as bytes, or uint8 RGB arrays (H, W, 3); taken a few batches ahead.

        Yields:
            float16 (n, columns), ``n`` the batch size but for the last.

        Raises:
            ValueError: A picture cannot be decoded, or the network answers no finite numbers to it.
        """
        ready = map_ahead(self.prepare, images, threads=self._decoders, most=BATCHES_AHEAD * self.batch_size)
        while batch := list(islice(ready, self.batch_size)):
            yield unit(self._run(np.stack(batch)))


def unit(features: npt.NDArray[np.float32]) -> Vectors:
    """Rows brought to unit length.

    Raises:
        ValueError: Some are not finite, or zero.
    """
    wide = features.astype(np.float64)
    lengths = np.sqrt((wide**2).sum(axis=1, keepdims=True))
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise ValueError("the network answers no finite numbers, or nothing at all")
    return (wide / lengths).astype(np.float16)


def load_embedder(
    model: str, *, architecture: str = "", side: int = 0, device: str = "auto", threads: int = 0, batch_size: int = 0
) -> Embedder:
    """Load an embedder.

    Args:
        model: As `curate.nets.weights.backbones.resolve_backbone` takes it.
        architecture: timm's name of the network, where neither a config nor the weights tell it.
        side: Pixels of the input; 0 takes the model's own.
        device: ``auto`` (the first CUDA device if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads; 0 takes `curate.nets.device.available_threads`.
        batch_size: Pictures per forward pass; 0 chooses by device.

    Raises:
        CurateError: The model or the device is not there, or the weights are damaged, of no known network, or do not
            fill the whole backbone.
    """
    files = resolve_backbone(model, architecture)
    device = resolve_device(device)
    threads = threads or available_threads()
    batch_size = batch_size or (CPU_BATCH if device == "cpu" else CUDA_BATCH)
    if isinstance(files, BackboneFile):
        run, name, seen = _timm_backbone(files, side, device, threads)
        return Embedder(files.name, files.sha256, name, seen, run, batch_size, threads)
    config = files.config
    if side:
        raise CurateError(f"{config.name} has its own input of {config.width}x{config.height}: leave the side out")
    seen = Input(config.width, config.height, config.interpolation, framing(config))
    run = _levels(files, device, threads) if config.architecture == LEVELS else _headless(files, device, threads)
    sha256 = " ".join(part.sha256 for part in config.weights)
    return Embedder(config.name, sha256, config.architecture, seen, run, batch_size, threads)


Run = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


def _timm_backbone(files: BackboneFile, side: int, device: str, threads: int) -> tuple[Run, str, Input]:
    """Features of a backbone whose weights stand in one file, its architecture, and what it sees."""
    from curate.nets.architectures import PUBLISHED, Recognised, recognise
    from curate.nets.backbone import Backbone, make_backbone
    from curate.nets.checkpoint import load_into, read_state
    from curate.nets.torch_network import Runner

    state = read_state(files.verified())
    if files.architecture:
        known = Recognised(files.architecture, files.side, arguments=files.arguments)
    elif (found := recognise(state)) is not None:
        known = found
    else:
        raise CurateError(
            f"{files.path}: its tensors are of no network that is known by their names ({PUBLISHED}); "
            "give timm's name of the network as the architecture"
        )
    network, mean, std, side = make_backbone(known, side)
    load_into(network, state, str(files.path), f"timm's {known.name}")
    return Runner(Backbone(network, mean, std), device, threads).run, known.name, Input(side, side)


def _headless(files: ModelFiles, device: str, threads: int) -> Run:
    """Features of a classifier of timm: what its last layer sees."""
    from curate.nets.architectures import Recognised
    from curate.nets.backbone import Backbone, make_backbone
    from curate.nets.checkpoint import load_into, read_state
    from curate.nets.torch_network import Runner

    config = files.config
    if len(config.weights) != 1:
        raise CurateError(f"{config.name} is an ensemble of {len(config.weights)} networks: an embedding needs one")
    network, *_ = make_backbone(Recognised(config.architecture, arguments=config.arguments), 0)
    load_into(network, read_state(files.verified(config.weights[0])), config.name, f"timm's {config.architecture}")
    return Runner(Backbone(network, config.mean, config.std), device, threads).run


def _levels(files: ModelFiles, device: str, threads: int) -> Run:
    """What the head of a network of levels sees, standardised, by a fixed random projection to `REDUCED` columns.

    A projection keeps distances (Johnson and Lindenstrauss): with 384 columns to about one part in ten.
    """
    if device == "cpu" and files.config.onnx:
        from curate.nets.onnx_network import open_inside

        full = open_inside(files.verified(files.config.onnx), "classifier.weight", threads)
    else:
        from curate.nets.backbone import levels_backbone
        from curate.nets.torch_network import Runner

        full = Runner(levels_backbone(files), device, threads).run
    made: list[npt.NDArray[np.float32]] = []

    def run(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        features = full(pixels)
        if not made:
            made.append(projection(features.shape[1], REDUCED))
        return features @ made[0]

    return run


def projection(rows: int, columns: int) -> npt.NDArray[np.float32]:
    """A random matrix, float32 (rows, columns), the same everywhere: numpy keeps the stream of this generator."""
    drawn = np.random.RandomState(0).standard_normal((rows, columns))
    return (drawn / np.sqrt(columns)).astype(np.float32)
