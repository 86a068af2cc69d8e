"""Labelled frames: reading them, grouping their sources into families, drawing evenly, splitting by family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from curate.evaluation.labels import Families, LabelledFrame
from curate.nets.preprocess import Image, decode
from curate.training import augment


@dataclass(frozen=True)
class Draw:
    """One picture to compose.

    Attributes:
        frame: Index of the frame that gives the label; -1 for a picture drawn without one.
        other: Index of the frame of the other class that may be embedded or lend its colours; -1 for none.
        surgical: The label.
        seed: Of the composition.
    """

    frame: int
    other: int
    surgical: bool
    seed: int


class Sampler:
    """Draws frames with sources, and groups inside them, weighted evenly instead of by size.

    A family is drawn in proportion to the number of its groups to the power ``evenness`` (0 draws all families
    alike, 1 by size), times its emphasis; then a group of it evenly, then a frame of that evenly.
    """

    def __init__(
        self,
        frames: Sequence[LabelledFrame],
        families: Families,
        *,
        evenness: float = 0.35,
        emphasis: dict[str, float] | None = None,
    ) -> None:
        self._groups: dict[bool, dict[str, list[list[int]]]] = {}
        self._weights: dict[bool, np.ndarray] = {}
        for label in (True, False):
            grouped: dict[str, dict[tuple[str, str], list[int]]] = defaultdict(lambda: defaultdict(list))
            for index, frame in enumerate(frames):
                if frame.surgical == label:
                    grouped[families.of(frame.source)][frame.source, frame.group].append(index)
            self._groups[label] = {family: list(groups.values()) for family, groups in sorted(grouped.items())}
            weights = np.array(
                [len(g) ** evenness * (emphasis or {}).get(f, 1.0) for f, g in self._groups[label].items()]
            )
            self._weights[label] = weights / weights.sum()

    def frame(self, surgical: bool, rng: np.random.Generator) -> int:
        """Index of a frame of a class."""
        families = list(self._groups[surgical].values())
        groups = families[rng.choice(len(families), p=self._weights[surgical])]
        group = groups[rng.integers(len(groups))]
        return group[rng.integers(len(group))]

    def draws(self, count: int, seed: int, *, cards: float = 0.22) -> list[Draw]:
        """Plan ``count`` pictures, half of them surgical, ``cards`` of the others drawn without a frame."""
        rng = np.random.default_rng(seed)
        plan = []
        for index in range(count):
            label = index % 2 == 0
            card = not label and rng.random() < cards
            frame, other = self.frame(label, rng), self.frame(not label, rng)
            plan.append(Draw(-1 if card else frame, -1 if card else other, label, int(rng.integers(2**63))))
        return plan


def compose(draw: Draw, frames: Sequence[LabelledFrame]) -> Image:
    """Make the picture of a draw, uint8 RGB."""
    rng = np.random.default_rng(draw.seed)
    if draw.frame < 0:
        return augment.stand_in(rng)
    image = decode(frames[draw.frame].path.read_bytes())
    other = decode(frames[draw.other].path.read_bytes())
    return augment.surgical(image, other, rng) if draw.surgical else augment.non_surgical(image, other, rng)


def without(
    draws: Sequence[Draw], frames: Sequence[LabelledFrame], families: Families, held_out: Collection[str]
) -> list[int]:
    """Indices of the draws that show nothing of the held-out families, not even as an inset."""
    return [
        index
        for index, draw in enumerate(draws)
        if not any(i >= 0 and families.of(frames[i].source) in held_out for i in (draw.frame, draw.other))
    ]
