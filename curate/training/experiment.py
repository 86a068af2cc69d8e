"""Training with some sources left out: the features of all pictures, and heads fitted to parts of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.evaluation.labels import Families, LabelledFrame, even_weights
from curate.nets.levels import LevelsNetwork
from curate.nets.weights.model_config import ModelConfig
from curate.training.data import Draw, Sampler, without
from curate.training.fit import FeatureMaker, Features, Head, Recipe, cached_features, fit

COMPOSITIONS = 4
"""Raised when `curate.training.augment` makes other pictures of the same draws, so that no cache is stale."""


@dataclass(frozen=True)
class Fold:
    """What a head that had not seen some families answered about them.

    Attributes:
        families: What was left out.
        head: Fitted to the rest.
        tested: Indices of the left-out frames.
        margins: float32, log-odds of surgery of those frames as they are.
        composed: Indices of the draws made from them.
        composed_margins: float32, of those.
    """

    families: tuple[str, ...]
    head: Head
    tested: npt.NDArray[np.int64]
    margins: npt.NDArray[np.float32]
    composed: npt.NDArray[np.int64]
    composed_margins: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Experiment:
    """Labelled frames, pictures composed from them, and the frozen backbones' features of both.

    Attributes:
        frames: As read.
        families: Which sources stay together.
        draws: Plan of the composed pictures.
        plain: Features of the frames as they are, in their order.
        composed: Features of the composed pictures, in the order of ``draws``.
    """

    frames: Sequence[LabelledFrame]
    families: Families
    draws: Sequence[Draw]
    plain: Features
    composed: Features

    def head(self, recipe: Recipe, held_out: Collection[str] = ()) -> Head:
        """Fit a head to everything that shows nothing of the held-out families, not even as an inset."""
        kept = [i for i, frame in enumerate(self.frames) if self.families.of(frame.source) not in held_out]
        drawn = without(self.draws, self.frames, self.families, held_out)
        surgical = np.array([self.frames[i].surgical for i in kept] + [self.draws[i].surgical for i in drawn])
        weights = np.concatenate(
            [
                (1 - recipe.composed) * even_weights([self.frames[i] for i in kept], self.families, recipe.evenness),
                np.full(len(drawn), recipe.composed / max(1, len(drawn))),
            ]
        )
        return fit(np.concatenate([self.plain[kept], self.composed[drawn]]), surgical, weights, recipe)

    def leave_out(self, folds: Sequence[Sequence[str]], recipe: Recipe) -> Iterator[Fold]:
        """Leave out the families of each fold in turn, fit to the rest, and answer about them."""
        family = np.array([self.families.of(frame.source) for frame in self.frames])
        shown = np.array([family[d.frame] if d.frame >= 0 else "" for d in self.draws])
        for held_out in folds:
            head = self.head(recipe, held_out)
            tested = np.flatnonzero(np.isin(family, list(held_out)))
            drawn = np.flatnonzero(np.isin(shown, list(held_out)))
            yield Fold(
                tuple(held_out),
                head,
                tested,
                head.margins(self.plain[tested]),
                drawn,
                head.margins(self.composed[drawn]),
            )


def prepare(
    frames: Sequence[LabelledFrame],
    families: Families,
    network: LevelsNetwork,
    config: ModelConfig,
    *,
    draws: int,
    cache: Path,
    backbones: str,
    emphasis: Mapping[str, float] | None = None,
    seed: int = 0,
    threads: int = 1,
    advance: Callable[[int], object] | None = None,
) -> Experiment:
    """Compose pictures and compute the features of all.

    Args:
        frames: Labelled frames of both classes.
        families: Which sources stay together.
        network: Its backbones are used, its head is not.
        config: Of the network.
        draws: Number of pictures to compose.
        cache: Folder that keeps the features of composed pictures; made if missing.
        backbones: Says which weights the backbones hold; part of the cache's key.
        emphasis: Families to draw more often, by factor.
        seed: Of the compositions.
        threads: CPU threads of the backbones.
        advance: Told how many more of ``draws + len(frames)`` pictures are done.
    """
    cache.mkdir(parents=True, exist_ok=True)
    plan = Sampler(frames, families, emphasis=dict(emphasis or {})).draws(draws, seed)
    maker = FeatureMaker(network, config, cache, threads)
    key = {"compositions": COMPOSITIONS, "backbones": backbones, "branches": repr(config.branches)}
    key |= {"size": f"{config.width}x{config.height} {config.interpolation}"}
    composed = cached_features(maker, plan, frames, dict(key), cache, advance)
    plain = maker.of((frame.path.read_bytes() for frame in frames), len(frames), advance)
    return Experiment(frames, families, plan, plain, composed)
