"""Uncertain frames laid out for a person to decide: pictures, contact sheets, and a table to fill in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import simplejpeg

from curate.errors import CurateError
from curate.files.csv_file import CsvWriter
from curate.records import UNCERTAIN
from curate.review.judged import JudgedVideo, judged_videos
from curate.run.session import Session
from curate.vision.contact_sheet import COLUMNS, Cell, contact_sheet, thumbnail
from curate.workspace.tables.frames import read_frames
from curate.workspace.tables.verdicts import read_verdicts

ROWS = 10
"""Rows of pictures on a contact sheet."""

HEADER = ("video", "n", "timestamp", "p_surgical", "picture", "label")


@dataclass(frozen=True)
class _Row:
    line: int
    video: str
    n: int
    timestamp: float
    p_surgical: float
    jpeg: bytes


def write_review(videos: Iterable[JudgedVideo], folder: Path) -> int:
    """Write every uncertain frame as a picture, on a contact sheet and as a row of ``frames.csv`` with an empty label.

    ``frames.csv`` is read by `curate.verdicts.decisions` once it is filled in. Captions on the sheets name its lines.
    Frames outside of the kept part are listed too: a decision may move where it begins.

    Args:
        videos: Videos of which verdicts exist.
        folder: Existing empty folder.

    Returns:
        How many frames were written.
    """
    count = 0
    with (folder / "frames.csv").open("w", newline="", encoding="utf-8") as stream:
        table = CsvWriter(stream, HEADER)
        rows = (row for video in videos for row in _uncertain(video))
        numbered = (_Row(line, *row) for line, row in enumerate(rows, 2))
        page = 0
        while group := list(islice(numbered, COLUMNS * ROWS)):
            page += 1
            cells = []
            for row in group:
                picture = Path(row.video) / f"{row.n:06d}.jpg"
                (folder / row.video).mkdir(exist_ok=True)
                (folder / picture).write_bytes(row.jpeg)
                table.write((row.video, row.n, repr(row.timestamp), f"{row.p_surgical:.4f}", picture.as_posix(), ""))
                caption = (f"line {row.line}, {row.p_surgical:.2f}", f"{row.video} {row.timestamp:.1f} s")
                cells.append(Cell(thumbnail(simplejpeg.decode_jpeg(row.jpeg)), caption))
            (folder / f"sheet-{page:04d}.jpg").write_bytes(contact_sheet(cells))
            count += len(cells)
    return count


def _uncertain(video: JudgedVideo) -> Iterator[tuple[str, int, float, float, bytes]]:
    """Id, number, time, probability and JPEG of each uncertain frame of a video."""
    wanted = {row.n: row.p_surgical for row in read_verdicts(video.verdicts) if row.verdict == UNCERTAIN}
    if not wanted:
        return
    for n, timestamp, jpeg in read_frames(video.frames, wanted):
        yield video.id, n, timestamp, wanted[n], jpeg


def review_uncertain(session: Session, folder: Path) -> tuple[int, int]:
    """Lay out the uncertain frames of all judged videos, dropped ones too, for a person to decide.

    Args:
        session: The open workspace.
        folder: New or empty folder.

    Returns:
        How many videos were judged, and how many frames are uncertain.

    Raises:
        CurateError: The folder is not empty or cannot be made, or no video was judged with the present options.
    """
    judged = judged_videos(session.pipeline)
    if not judged:
        raise CurateError(f"no video of {session.workspace.root} was judged yet: see 'curate status'")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CurateError(
                f"{folder} is not empty: name a new folder, so that no label of an earlier review is lost"
            )
        return len(judged), write_review(judged, folder)
    except OSError as error:
        raise CurateError(f"cannot write the review to {folder}: {error.strerror or error}") from error
