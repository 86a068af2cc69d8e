"""Labelled frames: reading them, and grouping their sources into families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.errors import CurateError
from curate.files.csv_file import read_csv
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


def even_weights(frames: Sequence[LabelledFrame], families: Families, evenness: float) -> npt.NDArray[np.float64]:
    """Weights, float64 (N,), by which a family counts as its size to a power, and both classes alike; they sum to 1."""
    keys = [(frame.surgical, families.of(frame.source)) for frame in frames]
    sizes = {key: keys.count(key) for key in set(keys)}
    weights = np.array([sizes[key] ** (evenness - 1) for key in keys])
    surgical = np.array([frame.surgical for frame in frames])
    for label in (True, False):
        if (surgical == label).any():
            weights[surgical == label] /= weights[surgical == label].sum()
    return weights / weights.sum()
