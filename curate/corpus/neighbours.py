"""LemonFM's file of neighbours: for each frame of a split the six frames that are most like it.

The rules are those of its reader (``lemonfm/utils_timeSequenceAndKnn.py`` of visurg-ai/LEMON): it takes the first
distance for a unit, and of the third to the sixth entry those that are nearer than three units. So every key of the
LMDB has entries, exactly six of them, of the same LMDB, nearest first, and no distance is zero: a frame is no neighbour
of itself, nor of one with the same vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import IO

import numpy as np
import numpy.typing as npt

from curate.corpus.nearest import NearestIndex, Search, Vectors, distances
from curate.errors import CurateError

ENTRIES = 6
"""Neighbours of a frame."""

VERSION = 1
"""Raised when the same frames get other neighbours."""

_MORE = 6
"""Candidates that are asked for beyond those needed: the index knows distances only about."""

_BLOCK = 4096


@dataclass(frozen=True)
class NeighbourOptions:
    """How neighbours are chosen.

    Attributes:
        gap: Neighbours in the same video are further apart than so many seconds; 0 allows the next frame.
        search: How they are looked for.
    """

    gap: float = 0.0
    search: Search = field(default_factory=Search)


@dataclass(frozen=True)
class SplitFrames:
    """The frames of a split, in the order of its videos.

    Attributes:
        name: Of the split.
        ids: Ids of the videos.
        videos: Place of each frame's video among ``ids``, int32 (rows,).
        numbers: What follows the id in a frame's key, int32 (rows,).
        timestamps: Seconds of each frame in its video, float64 (rows,).
        vectors: float16 (rows, columns).
    """

    name: str
    ids: Sequence[str]
    videos: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.int32]
    timestamps: npt.NDArray[np.float64]
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.videos)

    def key(self, row: int) -> str:
        """Key of a frame: ``{id}_{number}``."""
        return f"{self.ids[self.videos[row]]}_{self.numbers[row]}"


Found = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]
"""Rows of neighbours and their distances, each (rows, ENTRIES)."""


def find_neighbours(frames: SplitFrames, options: NeighbourOptions) -> Iterator[Found]:
    """Neighbours of the frames of a split, a block of frames at a time, in their order.

    Raises:
        CurateError: The split has too few frames that differ.
    """
    groups, first = identical(frames.vectors)
    if len(first) <= ENTRIES:
        raise CurateError(
            f"split {frames.name!r} has {len(frames)} frames with {len(first)} different vectors: each needs {ENTRIES} "
            f"neighbours, so there must be {ENTRIES + 1}"
        )
    index = NearestIndex(frames.vectors, first, options.search)
    for start in range(0, len(frames), _BLOCK):
        yield _of_block(frames, groups, index, np.arange(start, min(start + _BLOCK, len(frames))), options)


def _of_block(
    frames: SplitFrames,
    groups: npt.NDArray[np.int64],
    index: NearestIndex,
    rows: npt.NDArray[np.int64],
    options: NeighbourOptions,
) -> Found:
    """Neighbours of some rows; more candidates are asked for those that have too few."""
    found = np.full((len(rows), ENTRIES), -1, np.int64)
    far = np.full((len(rows), ENTRIES), np.inf, np.float32)
    open_rows = np.arange(len(rows))
    count = ENTRIES + 1 + _MORE
    while len(open_rows):
        asked = rows[open_rows]
        queries = frames.vectors[asked].astype(np.float32)
        others = index.candidates(queries, count)
        apart = distances(frames.vectors, queries, others)
        apart[_excluded(frames, groups, asked, others, options.gap)] = np.inf
        order = np.argsort(apart, axis=1, kind="stable")[:, :ENTRIES]
        found[open_rows] = np.take_along_axis(others, order, 1)
        far[open_rows] = np.take_along_axis(apart, order, 1)
        lacking = open_rows[~np.isfinite(far[open_rows]).all(axis=1)]
        if len(lacking) and count >= len(index):
            key = frames.key(int(rows[lacking[0]]))
            raise CurateError(
                f"fewer than {ENTRIES} frames of split {frames.name!r} can be neighbours of {key}: "
                "allow nearer frames of the same video (--gap)"
            )
        open_rows, count = lacking, 4 * count
    return found, far


def _excluded(
    frames: SplitFrames,
    groups: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    others: npt.NDArray[np.int64],
    gap: float,
) -> npt.NDArray[np.bool_]:
    """Which candidates are no neighbours: the same vector, or too near in the same video."""
    place = np.maximum(others, 0)
    same = (others < 0) | (groups[place] == groups[rows][:, None])
    if gap:
        near = np.abs(frames.timestamps[place] - frames.timestamps[rows][:, None]) <= gap
        same |= near & (frames.videos[place] == frames.videos[rows][:, None])
    return same


def identical(vectors: Vectors) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows with the same vector: the group of each row, (rows,), and the first row of each group, (groups,)."""
    digests = np.empty(len(vectors), np.uint64)
    for start in range(0, len(vectors), _BLOCK):
        block = np.ascontiguousarray(vectors[start : start + _BLOCK]) + np.float16(0)  # -0 is 0
        digests[start : start + len(block)] = [
            int.from_bytes(blake2b(row.tobytes(), digest_size=8).digest(), "little") for row in block
        ]
    _, first, groups = np.unique(digests, return_index=True, return_inverse=True)
    return groups.reshape(-1).astype(np.int64), first.astype(np.int64)


def write_neighbours(
    frames: SplitFrames,
    options: NeighbourOptions,
    stream: IO[str],
    progress: Callable[[int], None] = lambda frames: None,
) -> None:
    """Write the file of a split: ``{key: [[key, distance], ...]}``, a line a frame; one block of frames is held.

    Args:
        frames: Of the split.
        options: How neighbours are chosen.
        stream: Open for writing text.
        progress: Told how many frames have been written so far.

    Raises:
        CurateError: As `find_neighbours`.
    """
    row = 0
    stream.write("{")
    for found, far in find_neighbours(frames, options):
        lines = []
        for others, apart in zip(found.tolist(), far.tolist(), strict=True):
            entries = ", ".join(f'["{frames.key(o)}", {d:.7g}]' for o, d in zip(others, apart, strict=True))
            lines.append(f'{"," if row else ""}\n"{frames.key(row)}": [{entries}]')
            row += 1
        stream.write("".join(lines))
        progress(row)
    stream.write("\n}\n")
