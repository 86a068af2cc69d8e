"""Labelled frames that backbones are probed with: from a table, or from a folder a class."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.corpus.foreign import ENDINGS
from curate.corpus.names import source_of
from curate.errors import CurateError
from curate.files.csv_file import read_csv

COLUMNS = ("file", "label")
"""Columns that a table must have; ``source``, ``group`` and ``split`` may be there too."""

TRAIN, VAL, TEST = "train", "val", "test"
SPLITS = {TRAIN: TRAIN, "training": TRAIN, VAL: TRAIN, "valid": TRAIN, "validation": TRAIN, TEST: TEST, "testing": TEST}
"""Words for a split, and what becomes of its frames: what a set keeps for validation is learnt from."""

_UNNAMED = "frames"
"""Source of frames for which none is named."""


@dataclass(frozen=True)
class ProbeFrame:
    """One labelled frame.

    Attributes:
        path: Its picture.
        label: Its class.
        unit: What is never split: its source and its video, case or scene.
        split: ``train``, ``test``, or empty where nothing is said.
        where: ``file:line`` of the table, or the path below the folder.
    """

    path: Path
    label: str
    unit: str
    split: str
    where: str


@dataclass(frozen=True)
class ProbeSet:
    """Labelled frames.

    Attributes:
        name: For people.
        frames: In the order of the table or of the paths.
        alone: How many of them tell no video, so that each counts as one of its own.
    """

    name: str
    frames: tuple[ProbeFrame, ...]
    alone: int

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels, sorted."""
        return tuple(sorted({frame.label for frame in self.frames}))

    @property
    def stated(self) -> bool:
        """Whether the set states its own splits."""
        return bool(self.frames[0].split)


def read_probe_set(path: Path) -> ProbeSet:
    """Read a table (CSV) or a folder of classes.

    A table has ``file`` (relative to it) and ``label``, and may have ``source`` (the data set), ``group`` (the video,
    case or scene; a frame without one is alone) and ``split`` (``train``, ``val`` or ``test``, for all frames or for
    none). A folder has a folder a class, or ``train`` and ``test`` with those inside; a folder inside that of a class
    is a video, and without one the names of the pictures tell it (`curate.corpus.names`).

    Raises:
        CurateError: It cannot be read or holds no two classes; a file is missing or twice there; a group lies in two
            splits; only some frames have a split; or a class is of one video only.
    """
    name, frames, alone = _from_folder(path) if path.is_dir() else _from_table(path)
    _check(path, frames)
    return ProbeSet(name, tuple(frames), alone)


def without(probe_set: ProbeSet, path: Path, frames: Collection[ProbeFrame], units: Collection[str]) -> ProbeSet:
    """A set without some frames and some videos.

    Args:
        probe_set: The set.
        path: Where it was read from, for the error.
        frames: That are left out.
        units: That are left out.

    Raises:
        CurateError: What is left cannot be probed with.
    """
    if not frames and not units:
        return probe_set
    kept = tuple(frame for frame in probe_set.frames if frame not in frames and frame.unit not in units)
    try:
        _check(path, kept)
    except CurateError as error:
        raise CurateError(f"after what was left out, {error}") from error
    return ProbeSet(probe_set.name, kept, probe_set.alone)


def _from_table(path: Path) -> tuple[str, list[ProbeFrame], int]:
    frames, alone = [], 0
    for line, row in read_csv(path, COLUMNS, "labels"):
        where = f"{path}:{line}"
        picture = path.parent / row["file"]
        if not row["file"] or not picture.is_file():
            raise CurateError(f"{where}: there is no file {row['file']!r} in {path.parent}")
        if not row["label"].strip():
            raise CurateError(f"{where}: the label is empty")
        split = (row.get("split") or "").strip().lower()
        if split and split not in SPLITS:
            raise CurateError(f"{where}: split {split!r} is none of {', '.join(SPLITS)}")
        group = (row.get("group") or "").strip()
        alone += not group
        unit = f"{(row.get('source') or '').strip() or _UNNAMED}: {group or row['file']}"
        frames.append(ProbeFrame(picture, row["label"].strip(), unit, SPLITS.get(split, ""), where))
    return path.stem, frames, alone


def _from_folder(folder: Path) -> tuple[str, list[ProbeFrame], int]:
    inner = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    stated = bool(inner) and all(name.lower() in SPLITS for name in inner)
    frames, alone = [], 0
    for name in _pictures(folder):
        parts = Path(name).parts
        split = SPLITS[parts[0].lower()] if stated else ""
        place = parts[1:] if stated else parts
        if len(place) < 2:
            raise CurateError(f"{folder / name} stands in no folder of a class")
        label, inside = place[0], place[1:-1]
        video = "/".join(inside) or source_of(place[-1])
        alone += not video
        frames.append(ProbeFrame(folder / name, label, f"{_UNNAMED}: {video or name}", split, name))
    return folder.name, frames, alone


def _pictures(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(place).relative_to(folder)
        yield from (
            (inside / name).as_posix()
            for name in sorted(files)
            if name.lower().endswith(ENDINGS) and not name.startswith(".")
        )


def _check(path: Path, frames: Sequence[ProbeFrame]) -> None:
    if not frames:
        raise CurateError(f"{path} holds no labelled frame")
    first: dict[Path, ProbeFrame] = {}
    for frame in frames:
        if (before := first.setdefault(frame.path, frame)) is not frame:
            raise CurateError(f"{frame.where}: {frame.path.name} stands in {before.where} too")
    if any(frame.split for frame in frames):
        _check_splits(path, frames)
        return
    units: dict[str, set[str]] = defaultdict(set)
    for frame in frames:
        units[frame.label].add(frame.unit)
    if len(units) < 2:
        raise CurateError(f"{path}: all frames are labelled {frames[0].label!r}; a probe needs two classes")
    if few := [label for label, found in sorted(units.items()) if len(found) < 2]:
        raise CurateError(
            f"{path}: all frames of the class {few[0]!r} are of one video, which cannot be split: leave it out"
        )


def _check_splits(path: Path, frames: Sequence[ProbeFrame]) -> None:
    splits: dict[str, ProbeFrame] = {}
    for frame in frames:
        if not frame.split:
            raise CurateError(f"{frame.where}: no split, though others have one: state it for all frames or for none")
        before = splits.setdefault(frame.unit, frame)
        if before.split != frame.split:
            raise CurateError(
                f"{frame.where}: {frame.unit} is in {frame.split}, and in {before.split} in {before.where}: a video "
                "must not be split"
            )
    classes = {split: {frame.label for frame in frames if frame.split == split} for split in (TRAIN, TEST)}
    counts = Counter(frame.split for frame in frames)
    if missing := [split for split in (TRAIN, TEST) if not counts[split]]:
        raise CurateError(f"{path}: no frame is in the split {missing[0]}")
    if len(classes[TRAIN]) < 2:
        raise CurateError(f"{path}: all frames to learn from have one label; a probe needs two classes")
    if unknown := sorted(classes[TEST] - classes[TRAIN]):
        raise CurateError(f"{path}: the class {unknown[0]!r} is in test and not in train")
