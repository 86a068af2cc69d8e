"""Labelled frames: reading them, grouping their sources into families, drawing evenly, splitting by family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from curate.csv_file import read_csv
from curate.errors import CurateError
from curate.nets.preprocess import Image, decode
from curate.nets.training import augment
from curate.records import NON_SURGICAL, SURGICAL

COLUMNS = ("file", "label", "source", "group", "licence")

UNNAMED = "labels"
"""Source of frames for which none is named."""


@dataclass(frozen=True)
class LabelledFrame:
    """One row of a labels file.

    Attributes:
        path: JPEG file.
        surgical: Its label.
        source: Data set it comes from.
        group: Frames of one group come from one video, case or scene.
        licence: As stated by the source.
        line: Where it stands in the labels file.
    """

    path: Path
    surgical: bool
    source: str
    group: str
    licence: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Families:
    """Which sources show the same cases, so that they stay on one side of any split.

    Attributes:
        members: Family by source; sources not named are their own family.
    """

    members: dict[str, str]

    def of(self, source: str) -> str:
        """Family of a source."""
        return self.members.get(source, source)


def read_labels(path: Path) -> list[LabelledFrame]:
    """Read a labels CSV: a header, then one row a frame.

    ``file`` (relative to the CSV) and ``label`` (``surgical`` or ``non-surgical``) must be there. ``source`` names the
    data set a frame comes from; without it all frames are of the source ``labels``. ``group`` names the video, case or
    scene; without it, or where it is empty, each frame is a group of its own. ``licence`` is as stated by the source.

    Raises:
        CurateError: Unreadable, a column or a file is missing, a row has too few or too many cells, a label is unknown,
            a file has two labels, a group lies in two sources, or there are frames of one label only; with the line.
    """
    frames = [_labelled(path, line, row) for line, row in read_csv(path, COLUMNS[:2], "labels")]
    for said, of in (
        ("file {!r} has another label in line {}", lambda f: (str(f.path), f.surgical)),
        ("group {!r} is of another source in line {}", lambda f: (f.group, f.source)),
    ):
        first: dict[str, tuple[object, int]] = {}
        for frame in frames:
            name, value = of(frame)
            seen, line = first.setdefault(name, (value, frame.line))
            if seen != value:
                raise CurateError(f"{path}:{frame.line}: {said.format(name, line)}")
    for label, said in ((True, SURGICAL), (False, NON_SURGICAL)):
        if not any(frame.surgical == label for frame in frames):
            raise CurateError(f"{path}: no frame is labelled {said}; both labels are needed")
    return frames


def _labelled(path: Path, line: int, row: dict[str, str]) -> LabelledFrame:
    where = f"{path}:{line}"
    if row["label"] not in (SURGICAL, NON_SURGICAL):
        raise CurateError(f"{where}: label {row['label']!r} is not {SURGICAL} or {NON_SURGICAL}")
    picture = path.parent / row["file"]
    if not row["file"] or not picture.is_file():
        raise CurateError(f"{where}: there is no file {row['file']!r} in {path.parent}")
    return LabelledFrame(
        picture,
        row["label"] == SURGICAL,
        row.get("source") or UNNAMED,
        row.get("group") or row["file"],
        row.get("licence") or "",
        line,
    )


@dataclass(frozen=True)
class Draw:
    """One picture to compose.

    Attributes:
        frame: Index of the frame that gives the label; -1 for a rendered card.
        other: Index of the frame of the other class that may be embedded or lend its colours; -1 for a card.
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

    def draws(self, count: int, seed: int, *, cards: float = 0.1) -> list[Draw]:
        """Plan ``count`` pictures, half of them surgical, ``cards`` of the others rendered cards."""
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
        return augment.title_card(rng)
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
