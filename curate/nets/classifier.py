"""The frame classifier: how surely a picture shows surgery.

On CPUs the network runs as an ONNX graph where the model ships one (two to four times as fast as PyTorch there), else
through timm; on CUDA through timm in half precision. Preprocessing comes from the model's config.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from curate.files.ahead import map_ahead
from curate.nets.device import available_threads, resolve_device
from curate.nets.preprocess import Image, framing, to_input
from curate.nets.weights.model_config import ModelConfig
from curate.nets.weights.registry import Kind, resolve_model
from curate.vision.blank import is_blank

Logits = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]
Seen = TypeVar("Seen")

CPU_BATCH = 32
"""Frames a pass on a CPU: larger ones were no faster and hold more memory."""

CUDA_BATCH = 256

BATCHES_AHEAD = 2
"""Batches decoded or being decoded while the network works on one."""


class Network(Protocol):
    """A loaded network."""

    def logits(self, pixels: npt.NDArray[np.uint8]) -> Logits:
        """Answer float32 (N, classes) to uint8 RGB (N, H, W, 3)."""
        ...


class Classifier:
    """Tells surgical frames from others.

    Attributes:
        config: What travels with the weights.
        batch_size: Frames per forward pass; answers do not depend on it (to float tolerance).
    """

    def __init__(self, config: ModelConfig, network: Network, batch_size: int, decoders: int = 1) -> None:
        """Put a classifier together; `load_classifier` does it from files.

        Args:
            config: What travels with the weights.
            network: Answers logits.
            batch_size: Frames per forward pass.
            decoders: Threads that decode ahead; with 1 pictures are decoded in between.
        """
        self.config = config
        self.batch_size = batch_size
        self._network = network
        self._decoders = decoders

    def prepare(self, image: bytes | Image) -> Image:
        """Decode and resize one picture to the network's input, uint8 RGB (height, width, 3).

        Raises:
            ValueError: It cannot be decoded.
        """
        return to_input(image, self.config.width, self.config.height, self.config.interpolation, framing(self.config))

    def predict(self, images: Sequence[bytes | Image]) -> Scores:
        """Probability of surgery for each picture.

        Args:
            images: JPEG files as bytes, or uint8 RGB arrays (H, W, 3) of any size; any number.

        Returns:
            float32 (N,), in 0..1.

        Raises:
            ValueError: A picture cannot be decoded.
        """
        return np.concatenate([np.empty(0, np.float32), *self.stream(images)])

    def stream(self, images: Iterable[bytes | Image]) -> Iterator[Scores]:
        """Probabilities batch by batch; the next batches are decoded while the network works on one.

        Args:
            images: As for `predict`; taken a few batches ahead, so memory does not grow with their number.

        Yields:
            float32 (n,), ``n`` the batch size but for the last.

        Raises:
            ValueError: A picture cannot be decoded; the answers before its batch have been given.
        """
        for scores, _ in self.stream_seen(images, lambda image: None):
            yield scores

    def stream_seen(
        self, images: Iterable[bytes | Image], look: Callable[[Image], Seen]
    ) -> Iterator[tuple[Scores, list[Seen]]]:
        """As `stream`, with what a function makes of each picture at the network's input size.

        Args:
            images: As for `predict`.
            look: Called in the threads that decode.

        Yields:
            Probabilities as `stream` gives them, and what ``look`` answered to the same pictures.

        Raises:
            ValueError: As `stream`.
        """

        def see(image: bytes | Image) -> tuple[Image, Seen]:
            prepared = self.prepare(image)
            return prepared, look(prepared)

        seen = map_ahead(see, images, threads=self._decoders, most=BATCHES_AHEAD * self.batch_size)
        while batch := list(islice(seen, self.batch_size)):
            yield self.predict_prepared(np.stack([image for image, _ in batch])), [what for _, what in batch]

    def predict_prepared(self, pixels: npt.NDArray[np.uint8]) -> Scores:
        """Probability of surgery, float32 (N,), for pictures already of the input size, uint8 (N, H, W, 3).

        It is 0 for pictures without content (`curate.vision.blank`): what a network says of them is chance.
        """
        scores = probability(self._network.logits(pixels), self.config)
        scores[[is_blank(picture) for picture in pixels]] = 0
        return scores


def probability(logits: Logits, config: ModelConfig) -> Scores:
    """Calibrated probability of the surgical class, float32 (N,), from logits (N, classes)."""
    scaled = logits.astype(np.float64) / config.temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    weights = np.exp(scaled)
    return (weights[:, config.surgical_index] / weights.sum(axis=1)).astype(np.float32)


def load_classifier(
    model: str, *, kind: Kind = "frame", device: str = "auto", threads: int = 0, batch_size: int = 0
) -> Classifier:
    """Load a classifier.

    Args:
        model: As `curate.nets.weights.registry.resolve_model` takes it.
        kind: As `curate.nets.weights.registry.resolve_model` takes it.
        device: ``auto`` (the first CUDA device if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads; 0 takes `curate.nets.device.available_threads`.
        batch_size: Frames per forward pass; 0 chooses by device.

    Raises:
        CurateError: The model or the device is not there, or the weights are damaged or do not fit the architecture.
    """
    files = resolve_model(model, kind)
    device = resolve_device(device)
    threads = threads or available_threads()
    network: Network
    if device == "cpu" and files.config.onnx:
        from curate.nets.onnx_network import OnnxNetwork

        network = OnnxNetwork(files.verified(files.config.onnx), threads)
    else:
        from curate.nets.torch_network import TorchNetwork

        network = TorchNetwork(files, device, threads)
    return Classifier(files.config, network, batch_size or (CPU_BATCH if device == "cpu" else CUDA_BATCH), threads)
