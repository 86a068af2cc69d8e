"""Pictures with hand-drawn boxes: what a lab's own interface is learnt from, and templates of one that never moves.

A CSV with the columns of ``curate evaluate masks``: ``file, kind, x1, y1, x2, y2``, a row a box; a row without a kind
says that there is nothing on the picture. ``video`` names what pictures come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import CurateError, why_of
from curate.files.csv_file import read_csv
from curate.records import REGION_KINDS, Region
from curate.vision.boxes import Box, Size, contains

COLUMNS = ("file", "kind", "x1", "y1", "x2", "y2")

IGNORE = "ignore"
"""Kind of areas that count for nothing."""

KINDS = (*REGION_KINDS, IGNORE)

TEMPLATE = "template"
"""By which regions name a template."""


@dataclass(frozen=True)
class BoxedFrame:
    """A picture and the boxes on it.

    Attributes:
        path: The picture.
        line: Where it first stands in the file.
        video: What it comes from; by itself if nothing is said.
        size: Width and height in pixels.
        boxes: Kind, one of `KINDS`, and half-open box of each.
    """

    path: Path
    line: int
    video: str
    size: Size
    boxes: tuple[tuple[str, Box], ...]


def read_boxed(path: Path, media: Path | None = None) -> list[BoxedFrame]:
    """Read hand-drawn boxes.

    Args:
        path: The CSV.
        media: Folder that the names of pictures are relative to; the file's own if not given.

    Returns:
        Pictures in the order of the file.

    Raises:
        CurateError: Unreadable or empty; a picture is missing or is none, a kind is unknown, a box is empty or reaches
            beyond its picture, a picture is of two videos; with the line.
    """
    folder = media or path.parent
    found: dict[str, BoxedFrame] = {}
    for line, row in read_csv(path, COLUMNS, "boxes"):
        where, name = f"{path}:{line}", row["file"]
        frame = found.get(name)
        video = row.get("video") or name
        if frame is None:
            frame = BoxedFrame(folder / name, line, video, _size_of(folder, name, where), ())
        if frame.video != video:
            raise CurateError(f"{where}: {name!r} is of another video in line {frame.line}")
        boxes = frame.boxes
        if row["kind"]:
            boxes += ((_kind(row["kind"], where), _box(row, frame.size, where)),)
        elif any(row[column] for column in COLUMNS[2:]):
            raise CurateError(f"{where}: the box has no kind; known: {', '.join(KINDS)}")
        found[name] = BoxedFrame(frame.path, frame.line, video, frame.size, boxes)
    if not found:
        raise CurateError(f"{path}: it holds no picture; write one row for each box")
    return list(found.values())


class Template:
    """Regions of an interface that never moves, by the size of the frame.

    Args:
        path: CSV of one boxed frame, or of one for each size of frame.

    Raises:
        CurateError: As `read_boxed`, or two of its pictures are of one size.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._regions: dict[Size, list[Region]] = {}
        for frame in read_boxed(path):
            if frame.size in self._regions:
                size = "{}x{}".format(*frame.size)
                raise CurateError(f"{path}:{frame.line}: a second picture of {size} pixels; a template has one a size")
            boxes = [(kind, box) for kind, box in frame.boxes if kind != IGNORE]
            self._regions[frame.size] = [Region(*box, kind, 1.0, TEMPLATE) for kind, box in boxes]

    def fingerprint(self) -> list[Any]:
        """What determines the regions: sizes, kinds and boxes."""
        return [[*size, [[region.kind, *region.box] for region in found]] for size, found in self._regions.items()]

    def regions(self, size: Size) -> list[Region]:
        """The regions of a frame of a size.

        Raises:
            OtherSize: The template has no picture of that size.
        """
        if size not in self._regions:
            known = ", ".join(f"{width}x{height}" for width, height in sorted(self._regions))
            raise OtherSize(
                f"{self._path}: the template is for frames of {known} pixels, and this one has {size[0]}x{size[1]}; "
                "add the boxes of a frame of that size"
            )
        return list(self._regions[size])


class OtherSize(CurateError):
    """A template says nothing of frames of this size."""


def _size_of(folder: Path, name: str, where: str) -> Size:
    import PIL.Image

    picture = folder / name
    if not name or not picture.is_file():
        raise CurateError(f"{where}: there is no picture {name!r} in {folder}; name its folder with --media")
    try:
        with PIL.Image.open(picture) as header:
            return header.size
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise CurateError(f"{where}: cannot read the picture {picture}: {why_of(error)}") from error


def _kind(kind: str, where: str) -> str:
    if kind not in KINDS:
        raise CurateError(f"{where}: kind {kind!r} is not one of {', '.join(KINDS)}")
    return kind


def _box(row: dict[str, str], size: Size, where: str) -> Box:
    try:
        x1, y1, x2, y2 = (round(float(row[column])) for column in COLUMNS[2:])
    except (ValueError, OverflowError) as error:
        raise CurateError(f"{where}: a corner of the box is no number: {error}") from error
    if x2 <= x1 or y2 <= y1:
        raise CurateError(f"{where}: the box {x1}, {y1}, {x2}, {y2} is empty; it must be left, top, right, bottom")
    if not contains((0, 0, *size), (x1, y1, x2, y2)):
        raise CurateError(
            f"{where}: the box {x1}, {y1}, {x2}, {y2} reaches beyond the picture of {size[0]}x{size[1]} pixels"
        )
    return x1, y1, x2, y2
