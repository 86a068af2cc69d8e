"""An overlay network for a lab's own interface: the packaged one, trained further on hand-drawn boxes.

Videos are left out in turn to say what the training is worth where it has not looked; then all of them are learnt from.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.config import MaskOptions
from curate.errors import CurateError, why_of
from curate.evaluation.mask_truth import ImagesTruth, Overlay
from curate.evaluation.masks import WAYS, Figures, evaluate
from curate.nets.detect import overlay
from curate.nets.detect.boxed import BoxedFrame
from curate.nets.detect.overlay import CLASSES
from curate.nets.detect.own_overlay import MODEL, seal
from curate.predict.predictor import decode_image
from curate.training.overlay_unet import UNSEEN, UNet, export, from_graph, loss_of, weights_of
from curate.vision.boxes import scale
from curate.vision.static_content import COLUMNS, ROWS, WINDOW, reduce, statistics

Advance = Callable[[int], object]
Image = npt.NDArray[np.uint8]

LEARNT_AS = {**{kind: kind for kind in CLASSES[1:]}, "other": "ui"}
"""Class of each kind of box that is learnt; what is under a box of another kind counts for nothing."""

SHIFT = 6
"""Reduced pixels by which a window is moved at most, so that the place alone is not all that is learnt."""

BATCH = 8


@dataclasses.dataclass(frozen=True)
class MaskTraining:
    """How a network is trained.

    Attributes:
        steps: Of the optimiser, eight windows each.
        rate: Highest learning rate.
        folds: Parts in which videos are left out in turn, at most; 0 tests nothing.
        seed: Of the windows.
        threads: CPU threads.
    """

    steps: int = 300
    rate: float = 1e-3
    folds: int = 3
    seed: int = 0
    threads: int = 1


@dataclasses.dataclass(frozen=True)
class MaskFigures:
    """Figures on frames of videos that were left out, each frame alone.

    Attributes:
        before: Of the packaged network.
        after: Of networks trained on the other videos.
        parts: How many parts were left out in turn.
    """

    before: Figures
    after: Figures
    parts: int


def parts_of(frames: Sequence[BoxedFrame], most: int) -> list[tuple[str, ...]]:
    """Share videos out over parts of like size, the largest first.

    Raises:
        CurateError: There is one video only.
    """
    counts: dict[str, int] = defaultdict(int)
    for frame in frames:
        counts[frame.video] += 1
    if len(counts) < 2:
        raise CurateError("all boxes are of one video, so none can be left out; add another, or use --no-evaluation")
    parts: list[list[str]] = [[] for _ in range(min(most, len(counts)))]
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        min(parts, key=lambda part: sum(counts[video] for video in part)).append(name)
    return [tuple(part) for part in parts]


def train_masks(
    frames: Sequence[BoxedFrame], settings: MaskTraining, folder: Path, scratch: Path, *, advance: Advance
) -> MaskFigures | None:
    """Test and train, and write ``model.onnx`` and ``masks.json``.

    Args:
        frames: From `curate.nets.detect.boxed.read_boxed`.
        settings: How.
        folder: Of the model.
        scratch: Existing folder for the networks that are only tested.
        advance: Told how many more of ``settings.steps`` a part, and as many for the last network, are done.

    Raises:
        CurateError: A picture cannot be decoded, or there is too little to leave some out.
    """
    import torch

    torch.set_num_threads(settings.threads)
    figures = None
    parts = parts_of(frames, settings.folds) if settings.folds else []
    videos = pictures_of(frames)
    if parts:
        figures = MaskFigures(Figures(), Figures(), len(parts))
        _score(figures.before, frames, None)
        for number, part in enumerate(parts):
            own = scratch / f"part{number}"
            own.mkdir(parents=True, exist_ok=True)
            kept = {name: shown for name, shown in videos.items() if name not in part}
            export(_trained(kept, settings, advance), own / MODEL)
            seal(own)
            _score(figures.after, [frame for frame in frames if frame.video in part], own)
    network = _trained(videos, settings, advance)
    folder.mkdir(parents=True, exist_ok=True)
    export(network, folder / MODEL)
    seal(folder)
    return figures


def _score(figures: Figures, frames: Sequence[BoxedFrame], model: Path | None) -> None:
    truths = [
        ImagesTruth(frame.path.name, ((frame.path, tuple(Overlay(kind, box) for kind, box in frame.boxes)),))
        for frame in frames
    ]
    for row in evaluate(truths, MaskOptions(overlay_model=model, device="cpu")).rows:
        if row.way == WAYS[1]:
            figures.add(row.score)


def pictures_of(frames: Sequence[BoxedFrame]) -> dict[str, list[tuple[Image, Image]]]:
    """Reduced pictures of each video, with the class of every pixel: an index into `CLASSES`, or `UNSEEN`.

    Raises:
        CurateError: A picture cannot be decoded.
    """
    videos: dict[str, list[tuple[Image, Image]]] = defaultdict(list)
    for frame in frames:
        try:
            picture = decode_image(frame.path.read_bytes())
        except (OSError, ValueError) as error:
            raise CurateError(f"line {frame.line}: cannot read the picture {frame.path}: {why_of(error)}") from error
        target = np.zeros((ROWS, COLUMNS), np.uint8)
        for kind, box in sorted(frame.boxes, key=lambda one: one[0] in LEARNT_AS):
            x1, y1, x2, y2 = scale(box, frame.size, (COLUMNS, ROWS))
            target[y1:y2, x1:x2] = CLASSES.index(LEARNT_AS[kind]) if kind in LEARNT_AS else UNSEEN
        videos[frame.video].append((reduce(picture), target))
    return dict(videos)


def _trained(videos: dict[str, list[tuple[Image, Image]]], settings: MaskTraining, advance: Advance) -> UNet:
    """The packaged network after some steps on these videos; its norms stay as they are."""
    import torch

    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    network = from_graph(overlay.packaged_model())
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=1e-2)
    names = sorted(videos)
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = (
                settings.rate
                * min(10 * (step + 1) / settings.steps, 1.0)
                * (0.5 + 0.5 * np.cos(np.pi * step / settings.steps))
            )
        drawn = [window_of(rng, videos[names[int(rng.integers(len(names)))]]) for _ in range(BATCH)]
        maps = torch.from_numpy(np.stack([statistics(shown) for shown, _ in drawn]))
        target = torch.from_numpy(np.stack([classes for _, classes in drawn]).astype(np.int64))
        weights = torch.from_numpy(np.stack([weights_of(classes) for _, classes in drawn]))
        loss = loss_of(network(maps), target, weights)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        advance(1)
    return network.eval()


def window_of(rng: np.random.Generator, shown: list[tuple[Image, Image]]) -> tuple[list[Image], Image]:
    """Some frames of a video, moved and lit alike; where their boxes differ, pixels count for nothing.

    Args:
        rng: Source of all randomness.
        shown: One video of `pictures_of`.
    """
    count = 1 if rng.random() < 0.5 else int(rng.integers(1, min(len(shown), WINDOW) + 1))
    chosen = [shown[int(i)] for i in rng.choice(len(shown), count, replace=False)]
    x, y = (int(v) for v in rng.integers(-SHIFT, SHIFT + 1, 2))
    light = float(rng.uniform(0.85, 1.15))
    target = chosen[0][1].copy()
    for _, other in chosen[1:]:
        target[target != other] = UNSEEN
    frames = [_moved(np.clip(picture * light, 0, 255).astype(np.uint8), x, y) for picture, _ in chosen]
    return frames, _moved(target, x, y)


def _moved(picture: Image, x: int, y: int) -> Image:
    """A picture moved by some pixels; what comes in from outside repeats its edge."""
    rows = np.clip(np.arange(picture.shape[0]) - y, 0, picture.shape[0] - 1)
    columns = np.clip(np.arange(picture.shape[1]) - x, 0, picture.shape[1] - 1)
    return picture[rows][:, columns]
