"""Features of labelled frames and of exports, and which checkpoints may be compared."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate.corpus.foreign import read_picture
from curate.errors import CurateError, why_of
from curate.evaluation.probe import Features, Floats
from curate.evaluation.probe_leaks import stores
from curate.evaluation.probe_set import ProbeFrame
from curate.nets.embedder import Embedder, load_embedder
from curate.nets.preprocess import Image, decode

Advance = Callable[[int], object]


@dataclass(frozen=True)
class BackboneOptions:
    """How backbones are loaded; see `curate.nets.embedder.load_embedder`.

    Attributes:
        architecture: timm's name of the network, where neither a config nor the weights tell it.
        side: Pixels of the input; 0 takes the model's own.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    """

    architecture: str = ""
    side: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class Checkpoint:
    """One file of weights that is probed.

    Attributes:
        arm: What it is a run of: checkpoints of one arm differ in the seed of their pretraining.
        model: As `curate.nets.weights.backbones.resolve_backbone` takes it.
        sha256: Of the weights.
        architecture: timm's name of the network.
        side: Height and width in pixels of what it sees.
    """

    arm: str
    model: str
    sha256: str
    architecture: str
    side: tuple[int, int]


def parse_backbones(given: Sequence[str]) -> list[tuple[str, str]]:
    """Arm and model of each ``NAME=MODEL`` or ``MODEL``, whose name is that of its file or folder."""
    found = []
    for text in given:
        name, sign, model = text.partition("=")
        if not sign or os.sep in name or Path(text).exists():
            name, model = (
                Path(text).stem if text.endswith((".pth", ".pt", ".bin", ".safetensors")) else Path(text).name,
                text,
            )
        found.append((name, model))
    return found


def check_backbones(given: Sequence[str], options: BackboneOptions, *, mixed: bool = False) -> list[Checkpoint]:
    """Load every backbone once, so that one that cannot be compared is known before anything is embedded.

    Args:
        given: ``NAME=MODEL`` or ``MODEL``.
        options: How they are loaded.
        mixed: Allow several architectures, whose difference then says as much of the networks as of what they learnt.

    Raises:
        CurateError: One is not there, its weights do not fill the network, it is of another architecture or input than
            the first one, or has the same weights as another.
    """
    found: list[Checkpoint] = []
    for arm, model in parse_backbones(given):
        made = _load(model, options)
        one = Checkpoint(arm, model, made.sha256, made.architecture, (made.input.height, made.input.width))
        for before in found:
            if before.sha256 == one.sha256:
                raise CurateError(f"{model} has the same weights as {before.model}: name each checkpoint once")
        if found and not mixed and (one.architecture, one.side) != (found[0].architecture, found[0].side):
            raise CurateError(
                f"{model} is a {_kind(one)}, and {found[0].model} a {_kind(found[0])}: a difference between them would "
                "be that of the networks; compare checkpoints of one architecture, or say --mixed-architectures"
            )
        found.append(one)
    return found


def _kind(one: Checkpoint) -> str:
    return f"{one.architecture} at {one.side[0]}x{one.side[1]}"


def _load(model: str, options: BackboneOptions) -> Embedder:
    return load_embedder(model, architecture=options.architecture, side=options.side, device=options.device)


def read_jpeg(frame: ProbeFrame) -> bytes:
    """The picture of a frame as a JPEG.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no picture, damaged, or too large.
    """
    return read_picture(frame.path)[0]


def embed_frames(model: str, frames: Sequence[ProbeFrame], options: BackboneOptions, advance: Advance) -> Features:
    """Features of labelled frames, in their order.

    Raises:
        CurateError: The network answers no finite numbers, or a picture cannot be read any more.
    """
    return _embed(_load(model, options), (read_jpeg(frame) for frame in frames), advance, model)


def coverage(
    model: str, export: Path, features: Features, most: int, options: BackboneOptions, advance: Advance
) -> tuple[Floats, int]:
    """How near an export comes to labelled frames: the cosine of each to the nearest of the export's.

    Args:
        model: The backbone that made the features.
        export: Folder of an export of pictures.
        features: Of the labelled frames.
        most: Pictures of the export that are looked at, evenly spaced; 0 takes all.
        options: How the backbone is loaded.
        advance: Told how many more are done.

    Returns:
        float64 (frames,), and how many pictures of the export were looked at.

    Raises:
        CurateError: The export cannot be read.
    """
    made = _load(model, options)
    best = np.full(len(features), -1.0)
    seen = 0
    try:
        for vectors in made.stream(_spaced(export, most)):
            best = np.maximum(best, (features @ vectors.astype(np.float32).T).max(axis=1))
            seen += len(vectors)
            advance(len(vectors))
    except (ValueError, OSError, KeyError) as error:
        raise CurateError(
            f"{export}: a picture cannot be embedded: {why_of(error)}; see 'curate verify {export}'"
        ) from error
    return best, seen


def _spaced(export: Path, most: int) -> Iterator[bytes | Image]:
    """Pictures of all splits of an export, evenly spaced."""
    opened = stores(export)
    total = sum(map(len, opened))
    count = min(most or total, total)
    wanted = iter((2 * i + 1) * total // (2 * count) for i in range(count))
    number, start = next(wanted, total), 0
    for store in opened:
        while number < start + len(store):
            jpeg = store.jpeg(number - start)
            yield jpeg if store.channel_order == "rgb" else np.ascontiguousarray(decode(jpeg)[..., ::-1])
            number = next(wanted, total)
        start += len(store)


def _embed(made: Embedder, jpegs: Iterator[bytes], advance: Advance, model: str) -> Features:
    parts = []
    try:
        for vectors in made.stream(jpegs):
            parts.append(vectors.astype(np.float32))
            advance(len(vectors))
    except (ValueError, OSError) as error:
        raise CurateError(f"{model}: a labelled frame cannot be embedded: {why_of(error)}") from error
    return np.concatenate(parts)
