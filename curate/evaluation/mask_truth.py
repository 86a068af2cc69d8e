"""Ground truth of overlays: which boxes are to be covered in which frames.

Three formats are read, told apart by their content:

- JSON of one video, beside it under the same stem: ``{"overlays": [{"start", "end", "kind", "xyxy"}, ...],
  "segments": [{"start", "end", "label"}, ...]}``, seconds and pixels, ends excluded. Only segments labelled
  ``surgical`` are judged; without ``segments``, the whole video.
- COCO JSON (``images``, ``annotations`` with ``bbox`` as x, y, width, height, ``categories``). Images that share a
  ``video_id`` are the frames of one video, in the order of ``frame_id``. Annotations with ``iscrowd`` are
  ignored areas.
- CSV with the columns ``file, kind, x1, y1, x2, y2`` and, for videos, ``start, end``; for frames that follow each
  other, ``sequence``. A row whose ``kind`` and box are empty says that the file is judged and holds nothing there; for
  a video with ``start`` and ``end``, such rows name the judged spans. The kind ``ignore`` marks areas that count for
  nothing; a frame of a sequence that it covers wholly is seen with its neighbours, and not judged.
"""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import CurateError, why_of
from curate.files.csv_file import unguarded
from curate.manifests.folder import VIDEO_SUFFIXES
from curate.records import SURGICAL
from curate.vision.boxes import Box

IGNORE = "ignore"
"""Kind of areas that are neither overlay nor surgery."""

FOREVER = math.inf

COLUMNS = ("file", "kind", "x1", "y1", "x2", "y2")


@dataclass(frozen=True)
class Overlay:
    """A box to be covered.

    Attributes:
        kind: Text, logo, ui and so on; free, figures are given for each.
        box: Half-open, ``(x1, y1, x2, y2)`` in pixels of the frame.
        start: Seconds of the video from which it is shown.
        end: Seconds from which it no longer is.
    """

    kind: str
    box: Box
    start: float = 0.0
    end: float = FOREVER

    def at(self, time: float) -> bool:
        """Whether it is shown at a time in seconds."""
        return self.start <= time < self.end


@dataclass(frozen=True)
class VideoTruth:
    """A video and its overlays.

    Attributes:
        path: The video.
        overlays: All of it.
        judged: Spans in seconds, ends excluded, whose frames count; they show surgery.
    """

    path: Path
    overlays: tuple[Overlay, ...]
    judged: tuple[tuple[float, float], ...] = ((0.0, FOREVER),)


@dataclass(frozen=True)
class ImagesTruth:
    """Images and their overlays: frames that followed each other, or a single image.

    Attributes:
        name: For messages.
        images: Files in order, each with what is on it.
    """

    name: str
    images: tuple[tuple[Path, tuple[Overlay, ...]], ...]


Truth = VideoTruth | ImagesTruth


def truth_files(given: Sequence[Path]) -> list[Path]:
    """Files named one by one, and the JSON and CSV files of folders, by name.

    Raises:
        CurateError: A path does not exist, or a folder holds no such file.
    """
    files: list[Path] = []
    for path in given:
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in (".json", ".csv")) if path.is_dir() else [path]
        if not found or not found[0].is_file():
            raise CurateError(f"{path}: no ground truth there; name a JSON or CSV file, or a folder of them")
        files += found
    return files


def read_truth(path: Path, media: Path | None = None) -> list[Truth]:
    """Read a file of ground truth.

    Args:
        path: JSON or CSV, as the module says.
        media: Folder that the names of images and videos are relative to; the file's own if not given.

    Raises:
        CurateError: The file cannot be read, is in none of the formats, or names files that are not there.
    """
    folder = media or path.parent
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CurateError(f"cannot read the ground truth {path}: {why_of(error)}") from error
    if path.suffix.lower() == ".csv":
        return _from_csv(path, text, folder)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise CurateError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    try:
        if isinstance(content, dict) and "annotations" in content:
            return _from_coco(path, content, folder)
        if isinstance(content, dict) and "overlays" in content:
            return [_from_video_json(path, content, folder)]
    except (KeyError, TypeError, ValueError) as error:
        raise CurateError(f"{path}: an entry lacks something or is of the wrong type: {error!r}") from error
    raise CurateError(f"{path}: neither COCO (no 'annotations') nor the truth of a video (no 'overlays')")


def _from_video_json(path: Path, content: dict[str, Any], folder: Path) -> VideoTruth:
    candidates = [folder / f"{path.stem}{suffix}" for suffix in sorted(VIDEO_SUFFIXES)]
    video = next((candidate for candidate in candidates if candidate.is_file()), None)
    if video is None:
        raise CurateError(f"{path}: there is no video {path.stem}.* in {folder}; name its folder with --media")
    overlays = [
        Overlay(str(o["kind"]), _corners(o["xyxy"], path), float(o["start"]), float(o["end"]))
        for o in content["overlays"]
    ]
    if "segments" not in content:
        return VideoTruth(video, tuple(overlays))
    spans = [(float(s["start"]), float(s["end"])) for s in content["segments"] if s["label"] == SURGICAL]
    return VideoTruth(video, tuple(overlays), tuple(spans))


def _from_coco(path: Path, content: dict[str, Any], folder: Path) -> list[Truth]:
    kinds = {category["id"]: str(category["name"]) for category in content["categories"]}
    overlays: dict[Any, list[Overlay]] = defaultdict(list)
    for entry in content["annotations"]:
        x, y, across, down = (float(v) for v in entry["bbox"])
        kind = IGNORE if entry.get("iscrowd") else kinds[entry["category_id"]]
        overlays[entry["image_id"]].append(Overlay(kind, _corners((x, y, x + across, y + down), path)))
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for image in content["images"]:
        key = ("video", image["video_id"]) if "video_id" in image else ("image", image["id"])
        groups[key].append(image)
    truths: list[Truth] = []
    for (kind, number), images in groups.items():
        if kind == "video":
            images.sort(key=lambda image: image["frame_id"])
        listed = [(_existing(folder / image["file_name"], path), tuple(overlays[image["id"]])) for image in images]
        truths.append(ImagesTruth(f"video {number}" if kind == "video" else listed[0][0].name, tuple(listed)))
    return truths


def _from_csv(path: Path, text: str, folder: Path) -> list[Truth]:
    reader = csv.DictReader(text.splitlines())
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise CurateError(f"{path}: the column {missing[0]!r} is missing; needed: {', '.join(COLUMNS)}")
    overlays: dict[str, list[Overlay]] = {}
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    sequences: dict[str, str] = {}
    for row in reader:
        where = f"{path}:{reader.line_num}"
        name = unguarded(row["file"])
        listed = overlays.setdefault(name, [])
        sequences.setdefault(name, row.get("sequence") or "")
        try:
            start, end = float(row.get("start") or 0), float(row.get("end") or FOREVER)
            if row["kind"]:
                corners = [float(row[column]) for column in COLUMNS[2:]]
                listed.append(Overlay(row["kind"], _corners(corners, where), start, end))
            else:
                spans[name].append((start, end))
        except ValueError as error:
            raise CurateError(f"{where}: {error}") from error
    truths: list[Truth] = []
    followed: dict[str, list[str]] = defaultdict(list)
    for name, found in overlays.items():
        file = _existing(folder / name, path)
        if file.suffix.lower() in VIDEO_SUFFIXES:
            truths.append(VideoTruth(file, tuple(found), tuple(spans[name]) or ((0.0, FOREVER),)))
        elif sequences[name]:
            followed[sequences[name]].append(name)
        else:
            truths.append(ImagesTruth(name, ((file, tuple(found)),)))
    for sequence, names in followed.items():
        images = tuple((_existing(folder / name, path), tuple(overlays[name])) for name in names)
        truths.append(ImagesTruth(sequence, images))
    return truths


def _corners(values: Sequence[float] | Iterable[float], where: object) -> tuple[int, int, int, int]:
    """A box in whole pixels, rounded to the nearest."""
    x1, y1, x2, y2 = (round(float(v)) for v in values)
    if x2 <= x1 or y2 <= y1:
        raise CurateError(f"{where}: the box {x1}, {y1}, {x2}, {y2} is empty; it must be left, top, right, bottom")
    return x1, y1, x2, y2


def _existing(file: Path, truth: Path) -> Path:
    if not file.is_file():
        raise CurateError(f"{truth} names {file}, which does not exist; name the folder of the files with --media")
    return file
