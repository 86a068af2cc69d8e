"""Which frames of a trimmed video a stage looks at, and their pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from curate.errors import BadArtefact
from curate.records import NON_SURGICAL
from curate.workspace.tables.frames import read_frames
from curate.workspace.tables.verdicts import read_verdicts


def frames_to_look_at(verdicts: Path) -> frozenset[int]:
    """Numbers ``n`` of the frames that are kept and not judged non-surgical.

    Raises:
        BadArtefact: The verdicts cannot be read.
    """
    return frozenset(row.n for row in read_verdicts(verdicts) if row.kept and row.verdict != NON_SURGICAL)


def check_all_seen(frames: Path, wanted: frozenset[int], seen: int) -> None:
    """Hold the frames that were looked at against those that were to be.

    Raises:
        BadArtefact: The table of frames lacks some.
    """
    if missing := len(wanted) - seen:
        raise BadArtefact(frames, f"it lacks {missing} of {len(wanted)} kept frames")


def wanted_jpegs(frames: Path, wanted: frozenset[int]) -> Iterator[tuple[int, bytes]]:
    """The wanted frames of a ``frames`` table, in its order.

    Yields:
        ``n``, and the JPEG.

    Raises:
        BadArtefact: The table cannot be read.
    """
    return ((frame.n, frame.jpeg) for frame in read_frames(frames, wanted))
