"""Pictures of others as artefacts of curate: a downloaded data set of frames becomes videos that exports can read.

A folder holds the frames of videos, in a folder each or by names that tell the video. The frames of a video go into a
table of `frame_schema`, with verdicts that take all of them, since whoever made the set has chosen them. JPEGs are
copied without what they tell beside the picture; other pictures are encoded once. A picture that cannot be read costs
itself only, and is named.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate import records
from curate.corpus.names import PATTERNS, source_of, stem_of
from curate.errors import CurateError, why_of
from curate.files.atomic import commit, temporary_beside, write_atomic
from curate.files.bounded import parse_json, read_bounded
from curate.files.digest import digest
from curate.media.jpeg import encode_jpeg
from curate.media.jpeg_metadata import without_metadata
from curate.workspace.seals import Seal
from curate.workspace.tables.frames import FrameWriter
from curate.workspace.tables.verdicts import write_verdicts

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

LARGEST_FILE = 64_000_000
"""Bytes of a picture, at most."""

MOST_PIXELS = 64_000_000

VERSION = 1
"""Raised when the same pictures give other tables."""

_QUALITY = 95
"""Of pictures that are not copied."""

_ORIENTATION = 0x0112
"""EXIF tag: how the picture is turned; 1 is upright."""


@dataclass(frozen=True)
class ForeignVideo:
    """The frames of one video in a folder of pictures.

    Attributes:
        id: For the corpus: the name of the source, a hyphen, and the video.
        name: Of the video, as the folder tells.
        frames: Number and path, relative to the folder, of each picture, in order.
    """

    id: str
    name: str
    frames: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class ImportedVideo:
    """A foreign video as artefacts.

    Attributes:
        frames: Table of frames.
        verdicts: Table of verdicts.
        seals: What both are known by.
        count: Frames in them.
        width: Of the first frame, in pixels.
        height: Likewise.
        unreadable: Pictures that could not be read, with why.
    """

    frames: Path
    verdicts: Path
    seals: Mapping[Path, Seal]
    count: int
    width: int
    height: int
    unreadable: Mapping[str, str]


def scan(folder: Path, source: str, pattern: str = "") -> list[ForeignVideo]:
    """Find the videos in a folder of pictures, by name; no picture is read.

    Args:
        folder: Searched at any depth; linked folders are not followed.
        source: Name of the source.
        pattern: Regular expression on the path below the folder whose group 1 is the video; by the names if empty.

    Raises:
        CurateError: No such folder, no pictures, a wrong pattern, or two pictures are the same frame of one video.
    """
    if not folder.is_dir():
        raise CurateError(f"{folder}: there is no such folder")
    try:
        given = re.compile(pattern) if pattern else None
    except re.error as error:
        raise CurateError(f"pattern {pattern!r} is not a regular expression: {error}") from error
    if given is not None and not given.groups:
        raise CurateError(f"pattern {pattern!r} has no group: put what is the video in parentheses")
    found: dict[str, list[str]] = defaultdict(list)
    for name in _pictures(folder):
        video = _video(name, given)
        if not video:
            raise CurateError(f"{folder / name}: no video can be told from the name: give a pattern")
        found[video].append(name)
    if not found:
        raise CurateError(f"{folder}: no pictures ({', '.join(ENDINGS)}) in it")
    return [
        ForeignVideo(foreign_id(source, video), video, _numbered(folder, video, names))
        for video, names in sorted(found.items())
    ]


def foreign_id(source: str, video: str) -> str:
    """Id of a foreign video, which no video of another source has: letters, digits, ``_`` and ``-``, at most 64."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", video)
    found = f"{source}-{plain}"
    if plain == video and len(found) <= 64:
        return found
    mark = hashlib.sha256(video.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{found[:55]}-{mark}"


def _pictures(folder: Path) -> Iterator[str]:
    """Paths of pictures below a folder, in order."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        inside = Path(place).relative_to(folder)
        for name in sorted(files):
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                yield (inside / name).as_posix()


def _video(name: str, pattern: re.Pattern[str] | None) -> str:
    if pattern is not None:
        found = pattern.search(name)
        return (found[1] or "") if found else ""
    return source_of(name, PATTERNS) or Path(name).parent.name


def _numbered(folder: Path, video: str, names: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """Pictures with the numbers that their names end in; with their places where not all end in one of their own.

    Raises:
        CurateError: Pictures of several folders have one number, so that they may be of several videos.
    """
    by_number: dict[int, str] = {}
    for name in names:
        number = _number(name)
        if number is None:
            return tuple(enumerate(names))
        before = by_number.setdefault(number, name)
        if before != name and Path(before).parent != Path(name).parent:
            both = f"{folder / before} and {folder / name}"
            raise CurateError(f"{both} are both frame {number} of {video}: give a pattern")
    return tuple(sorted(by_number.items())) if len(by_number) == len(names) else tuple(enumerate(names))


def _number(name: str) -> int | None:
    """The number that the name of a picture ends in."""
    found = re.search(r"\d+$", stem_of(name))
    return int(found[0][-18:]) if found else None


def listing(folder: Path, video: ForeignVideo) -> str:
    """Fingerprint of the files of a video: their names, sizes and times of change."""
    facts = []
    for number, name in video.frames:
        try:
            status = (folder / name).stat()
            facts.append([number, name, status.st_size, status.st_mtime_ns])
        except OSError as error:
            facts.append([number, name, str(error.strerror)])
    return digest([VERSION, facts])


def import_video(folder: Path, video: ForeignVideo, rate: float, target: Path) -> ImportedVideo:
    """Write the tables of a foreign video, unless they are there and made from the same files.

    Args:
        folder: With the pictures.
        video: Of `scan`.
        rate: How many numbers of the names are a second.
        target: Folder for the tables.

    Raises:
        OSError: They cannot be written.
    """
    made_from = digest([listing(folder, video), rate])
    names = {kind: target / f"{video.id}.{kind}.parquet" for kind in ("frames", "verdicts")}
    note = target / f"{video.id}.json"
    if (known := _known(note, made_from, names)) is not None:
        return known
    target.mkdir(parents=True, exist_ok=True)
    temporary = {kind: temporary_beside(path) for kind, path in names.items()}
    try:
        times, unreadable, size = _write_frames(folder, video, rate, temporary["frames"])
        _write_verdicts(times, temporary["verdicts"])
        commit({temporary[kind]: path for kind, path in names.items()})
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
    seals = {path: Seal.of(path) for path in names.values()}
    told = {
        "made_from": made_from,
        "count": len(times),
        "size": size,
        "unreadable": unreadable,
        "seals": {kind: [seals[path].size, seals[path].sha256] for kind, path in names.items()},
    }
    write_atomic(note, json.dumps(told, indent=1, sort_keys=True).encode("utf-8", "surrogatepass"))
    return ImportedVideo(names["frames"], names["verdicts"], seals, len(times), *size, unreadable)


def _known(note: Path, made_from: str, names: Mapping[str, Path]) -> ImportedVideo | None:
    """What was imported before from the same files, if its tables are whole."""
    try:
        told = parse_json(read_bounded(note, 1 << 30))
        seals = {names[kind]: Seal(int(size), str(sha256)) for kind, (size, sha256) in told["seals"].items()}
        if told["made_from"] != made_from or len(seals) != len(names):
            return None
        if not all(seal.holds(path) for path, seal in seals.items()):
            return None
        width, height = told["size"]
        return ImportedVideo(
            names["frames"], names["verdicts"], seals, int(told["count"]), width, height, dict(told["unreadable"])
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write_frames(
    folder: Path, video: ForeignVideo, rate: float, path: Path
) -> tuple[list[float], dict[str, str], tuple[int, int]]:
    """Write the frames that can be read: their times in seconds, what could not be read, and the first one's size."""
    times: list[float] = []
    unreadable: dict[str, str] = {}
    size = (0, 0)
    first = video.frames[0][0]
    with FrameWriter(path) as writer:
        for number, name in video.frames:
            try:
                jpeg, width, height = read_picture(folder / name)
            except (OSError, ValueError) as error:
                unreadable[name] = why_of(error)
                continue
            size = size if times else (width, height)
            time = (number - first) / rate
            writer.add(
                {
                    "n": len(times),
                    "timestamp": time,
                    "source_index": number,
                    "key_frame": None,
                    "width": width,
                    "height": height,
                    "image": jpeg,
                }
            )
            times.append(time)
        writer.add_metadata({"made_by": "curate corpus build", "rate": repr(rate)})
    return times, unreadable, size


def _write_verdicts(times: Sequence[float], path: Path) -> None:
    count = len(times)
    write_verdicts(
        path,
        np.arange(count, dtype=np.int32),
        np.asarray(times, np.float64),
        np.ones(count, np.float32),
        np.full(count, records.SURGICAL),
        np.ones(count, np.bool_),
        np.full(count, ""),
        {"threshold": "0.5", "made_by": "curate corpus build"},
    )


def read_picture(path: Path) -> tuple[bytes, int, int]:
    """A picture as a JPEG in colour without metadata, with its width and height.

    An upright JPEG in the usual colours is copied, and any other picture encoded at quality 95.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, damaged, cut, or no picture.
    """
    import cv2
    import PIL.Image
    import simplejpeg

    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise ValueError("is not a file")
    data = read_bounded(path, LARGEST_FILE)
    try:
        with PIL.Image.open(io.BytesIO(data)) as header:
            width, height = header.size
            upright = header.getexif().get(_ORIENTATION, 1) == 1
            copied = header.format == "JPEG" and header.mode == "RGB" and upright
    except Exception as error:  # whatever a header of a stranger makes of the library
        raise ValueError(f"is no picture that can be read: {error}") from error
    if width * height > MOST_PIXELS:
        raise ValueError(f"has {width}x{height} pixels, more than {MOST_PIXELS / 1e6:g} million")
    if copied:
        jpeg = without_metadata(data)
        simplejpeg.decode_jpeg(jpeg, colorspace="RGB")
        return jpeg, width, height
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("is damaged")
    pixels = np.ascontiguousarray(image[..., ::-1])
    return encode_jpeg(pixels, quality=_QUALITY), pixels.shape[1], pixels.shape[0]
