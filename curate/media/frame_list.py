"""SurgeNet frame lists: which frames of which videos, and the clock by which they count.

A list is a text file, one file name a line: ``{video}_frame_{n}_Sample{i}.jpg``, with or without folders before it.
``Sample{i}`` counts over all videos of a procedure in the order of a directory, so one dead video shifts it: only the
video and the frame number are read.

The number does not count seconds. SurgeNet's script (``create_SurgeNetXL.py``) keeps the frames whose index is a
multiple of ``int(fps)`` and numbers them: n is second n at 25, 30 and 60 fps, and ``n * 29 / 29.97`` s at 29.97 fps,
116 s less after an hour.
"""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from curate.errors import CurateError
from curate.files.digest import file_sha256

_NAME = re.compile(r"(?P<video>[A-Za-z0-9_-]{1,64})_frame_(?P<number>[0-9]{1,9})(?:_Sample[0-9]+)?(?:\.[A-Za-z]+)?")


@dataclass(frozen=True)
class ListedFrames:
    """A frame list, read.

    Attributes:
        numbers: Frame numbers of each video, in the order of the list.
        sha256: Hex digest of the file.
    """

    numbers: dict[str, array[int]]
    sha256: str


def listed_number(timestamp: float, fps: Fraction) -> int:
    """Number of the frame nearest to a time by the clock of frame lists.

    Args:
        timestamp: Seconds from the start of the video.
        fps: Average frame rate of the file.
    """
    return round(timestamp * fps / max(1, int(fps)))


def digest(path: Path) -> str:
    """Hex SHA-256 of a frame list.

    Raises:
        CurateError: The file cannot be read.
    """
    try:
        return file_sha256(path)
    except OSError as error:
        raise CurateError(f"cannot read the frame list {path}: {error.strerror}") from error


def read_frame_list(path: Path) -> ListedFrames:
    """Read a frame list.

    Raises:
        CurateError: The file cannot be read, or a line is not a name of a frame; says which line.
    """
    sha256 = digest(path)
    numbers: dict[str, array[int]] = defaultdict(lambda: array("q"))
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line, text in enumerate(stream, start=1):
            name = text.strip().replace("\\", "/").rpartition("/")[2]
            if not name:
                continue
            match = _NAME.fullmatch(name)
            if match is None:
                raise CurateError(
                    f"{path}: line {line}: {text.strip()[:100]!r} is not a name like video_frame_12_Sample34.jpg"
                )
            numbers[match["video"]].append(int(match["number"]))
    return ListedFrames(dict(numbers), sha256)
