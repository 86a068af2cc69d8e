"""Neighbours of frames as positives, by the rules of LemonFM's reader, found without a search for each sample.

The rules are those of ``lemonfm/utils_timeSequenceAndKnn.py`` of visurg-ai/LEMON: four frames for each frame. First
come the third to the sixth entry of the file of neighbours (`curate.corpus.neighbours`), as far as they are nearer than
three times the first distance. The rest are frames of the same video, from n - 2, n - 1, n + 1, n + 2; where some of
these are missing, others of them stand twice, and the frame itself where there are none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch

from curate.corpus.neighbours import ENTRIES
from curate.errors import CurateError, why_of

FRAMES = 4
"""Frames that LemonFM takes beside each."""

_SKIPPED = ENTRIES - FRAMES
"""Entries that are left out: the nearest are often the same scene."""

_UNITS = 3
"""Neighbours are nearer than so many times the first distance."""

_STEPS = (-2, -1, 1, 2)

_FILLED = ((), (0, 0, 0, 0), (0, 1, 0, 1), (0, 1, 2, 1), (0, 1, 2, 3))
"""Which frames in time stand for four, by how many there are."""

_BLOCK = 8192

_AGAIN = "write it again for this export (curate corpus neighbours)"


@dataclass(frozen=True)
class Neighbours:
    """Which neighbours a sample has.

    Attributes:
        file: ``corpus/neighbours/{split}.json`` of the workspace, as `curate corpus neighbours` writes it.
        count: How many, 1 to `FRAMES`; fewer than that are drawn from them by torch's generator.
    """

    file: str | Path
    count: int = FRAMES

    def __post_init__(self) -> None:
        if not 1 <= self.count <= FRAMES:
            raise ValueError(f"{self.count} neighbours are not 1 to {FRAMES}")


class NeighbourTable:
    """The `FRAMES` neighbours of every frame, in memory that workers share: 16 bytes a frame.

    Args:
        neighbours: Where they are, and how many are drawn.
        keys: Keys of the frames, ``{video}_{number}``, each once.

    Raises:
        CurateError: The file cannot be read, is not one of neighbours, or lacks a frame or names one that is not there.
    """

    def __init__(self, neighbours: Neighbours, keys: pa.Array) -> None:
        self._count = neighbours.count
        alike = _read(Path(neighbours.file), keys)
        self._indices = torch.from_numpy(_fill(alike, _in_time(keys))).share_memory_()

    def draw(self, index: int) -> list[int]:
        """Indices of the neighbours of a frame."""
        found: torch.Tensor = self._indices[index]
        if self._count < FRAMES:
            found = found[torch.randperm(FRAMES)[: self._count]]
        return [int(other) for other in found.tolist()]


def _fill(alike: npt.NDArray[np.int32], near: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Frames that are alike, and behind them frames near in time: int32 (frames, FRAMES), -1 in neither."""
    taken = (alike >= 0).sum(axis=1, keepdims=True)
    places = np.arange(FRAMES)
    return np.where(places < taken, alike, np.take_along_axis(near, np.maximum(places - taken, 0), axis=1))


def _in_time(keys: pa.Array) -> npt.NDArray[np.int32]:
    """Four frames of the same video near each, int32 (frames, FRAMES)."""
    parts = pc.extract_regex(keys, r"(?s)^(?P<video>.*)_(?P<number>[0-9]{1,9})$")
    if parts.null_count:
        raise CurateError(f"{keys[int(np.argmax(parts.is_null()))].as_py()!r} is no key of a frame: it has no number")
    videos = parts.field("video").dictionary_encode().indices.to_numpy().astype(np.int64)
    places = videos << 32 | parts.field("number").cast(pa.int64()).to_numpy()
    order = np.argsort(places)
    ordered = places[order]
    found = np.full((len(places), FRAMES), -1, np.int32)
    for column, step in enumerate(_STEPS):
        at = np.minimum(np.searchsorted(ordered, places + step), len(places) - 1)
        found[:, column] = np.where(ordered[at] == places + step, order[at], -1)
    return _repeat(found)


def _repeat(found: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Let frames stand for those that are missing, which are -1."""
    there = (found >= 0).sum(axis=1)
    first = np.take_along_axis(found, np.argsort(found < 0, axis=1, kind="stable"), axis=1)
    filled = np.repeat(np.arange(len(found), dtype=np.int32)[:, None], FRAMES, axis=1)
    for number in range(1, FRAMES + 1):
        rows = there == number
        filled[rows] = first[rows][:, _FILLED[number]]
    return filled


def _read(path: Path, keys: pa.Array) -> npt.NDArray[np.int32]:
    """Frames that are alike, int32 (frames, FRAMES): nearest first, -1 behind the last."""
    found = np.full((len(keys), FRAMES), -1, np.int32)
    seen = np.zeros(len(keys), bool)
    lines: list[tuple[str, list[str]]] = []

    def place() -> None:
        rows = _indices(path, keys, [key for key, _ in lines])
        others = _indices(path, keys, [other for _, named in lines for other in named])
        ends = np.cumsum([0, *(len(named) for _, named in lines)])
        for i, row in enumerate(rows):
            found[row, : ends[i + 1] - ends[i]] = others[ends[i] : ends[i + 1]]
        seen[rows] = True
        lines.clear()

    for key, entries in _entries(path):
        lines.append((key, _alike(path, key, entries)))
        if len(lines) == _BLOCK:
            place()
    place()
    if not seen.all():
        key = keys[int(np.argmin(seen))].as_py()
        raise CurateError(f"{path} has no neighbours of {key}: {_AGAIN}")
    return found


def _entries(path: Path) -> Iterator[tuple[str, Any]]:
    """Keys and entries of a file, a line at a time as curate writes it; any other JSON is read as a whole."""
    try:
        with open(path, encoding="utf-8") as stream:
            if stream.readline() == "{\n":
                for line in stream:
                    if line.strip() and line.strip() != "}":
                        yield from json.loads("{" + line.strip().rstrip(",") + "}").items()
                return
            stream.seek(0)
            whole = json.load(stream)
    except (OSError, ValueError, RecursionError) as error:
        raise CurateError(f"cannot read the neighbours in {path}: {why_of(error)}") from error
    if not isinstance(whole, dict):
        raise CurateError(f"{path} is no file of neighbours: it is not an object of keys")
    yield from whole.items()


def _alike(path: Path, key: str, entries: Any) -> list[str]:
    """Keys of the frames that are alike."""
    try:
        unit = float(entries[0][1])
        return [str(other) for other, far in entries[_SKIPPED:ENTRIES] if far < _UNITS * unit]
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise CurateError(f"{path} is no file of neighbours: {key} has no list of keys and distances") from error


def _indices(path: Path, keys: pa.Array, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Where keys stand among all."""
    found = pc.index_in(pa.array(names, pa.string()), keys)
    if found.null_count:
        missing = names[int(np.argmax(found.is_null()))]
        raise CurateError(f"{path} names {missing}, which is not in the export: {_AGAIN}")
    return np.asarray(found.to_numpy(), np.int64)
