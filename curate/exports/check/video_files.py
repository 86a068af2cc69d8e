"""Checking the formats of video files: each file decodes to what is said of it, and lists name all and no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av

from curate.errors import why_of
from curate.exports.disk.folder import inner_path
from curate.exports.formats.clips import WHOLE
from curate.exports.formats.tables import METADATA
from curate.exports.formats.video import frame_key
from curate.exports.formats.video_files import SUFFIX, read_video_files
from curate.exports.plan.classes import CLASSES
from curate.files.bounded import parse_json
from curate.files.machine import usable_cores
from curate.files.parquet import read_rows
from curate.media.probe import MediaError, open_video
from curate.records import NON_SURGICAL, SURGICAL

_COLUMNS = ("key", "video_id", "file", "label", "frames", "width", "height", "procedures", "split")

Row = Mapping[str, Any]
Said = tuple[str, str]
"""Where something is wrong, and what."""


def check_video_files(
    folder: Path,
    record: Mapping[str, Any],
    found: Counter[str],
    *,
    decode: bool,
    progress: Callable[[], object] | None,
) -> Iterator[Said]:
    """Look for what is wrong with an export of video files, beyond sizes and checksums.

    Args:
        folder: Of the export.
        record: Its ``export.json``.
        found: Counts the frames of each video by the table.
        decode: Whether to decode the videos.
        progress: Called for each frame.

    Raises:
        OSError: A file of the export cannot be read.
        BadArtefact: Nor its tables.
        ValueError: A list is no list.
    """
    tick = progress or (lambda: None)
    rows = read_video_files(folder, _COLUMNS)
    for row in rows:
        found[row["video_id"]] += row["frames"]
        if row["key"] != row["video_id"] and row["key"].rpartition("_")[0] != row["video_id"]:
            yield row["key"], f"is not a key of its video {row['video_id']}"
    for key, times in Counter(row["key"] for row in rows).items():
        if times > 1:
            yield key, f"stands {times} times in the metadata"
    for split, counts in record["counts"]["splits"].items():
        frames = sum(row["frames"] for row in rows if row["split"] == split)
        if frames != counts["frames"]:
            yield split, f"has {frames} frames by the metadata, the record says {counts['frames']}"
    listed = {row["file"] for row in rows}
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        if (name := path.relative_to(folder).as_posix()) not in listed:
            yield name, f"is not in {METADATA}"
    for row in rows:
        try:
            inner_path(folder, row["file"])
        except ValueError as error:
            yield str(row["file"]), str(error)
    rows = [row for row in rows if _is_there(folder, row["file"])]
    if record["format"] == "clips":
        yield from _check_lists(folder, rows, list(record["counts"]["splits"]), record["files"])
    else:
        for row in rows:
            yield from _check_words(folder, row)
    if decode:
        with ThreadPoolExecutor(usable_cores()) as pool:
            for row, what in zip(rows, pool.map(lambda row: _check_video_file(folder, row), rows), strict=True):
                if what:
                    yield row["file"], what
                for _ in range(row["frames"]):
                    tick()


def _is_there(folder: Path, name: object) -> bool:
    try:
        return inner_path(folder, name).is_file()
    except ValueError:
        return False


def _check_video_file(folder: Path, row: Row) -> str:
    """What is wrong with a video file; empty if nothing is."""
    try:
        with open_video(folder / row["file"]) as (container, stream, _):
            kinds = [stream.type for stream in container.streams]
            if kinds != ["video"]:
                return f"holds {', '.join(kinds) or 'nothing'}, not a video alone"
            context = stream.codec_context
            size = (context.width, context.height)
            if context.name != "h264" or context.pix_fmt != "yuv420p":
                return f"is {context.name} in {context.pix_fmt}, not h264 in yuv420p"
            if size != (row["width"], row["height"]):
                return f"is {size[0]}x{size[1]}, its row says {row['width']}x{row['height']}"
            frames = sum(1 for frame in container.decode(stream) if not frame.is_corrupt)
    except (MediaError, av.FFmpegError, ValueError) as error:
        return f"cannot be decoded: {why_of(error)}"
    return "" if frames == row["frames"] else f"has {frames} whole frames, its row says {row['frames']}"


def _check_words(folder: Path, row: Row) -> Iterator[Said]:
    """LEMON's JSON and the table of frames beside a curated video."""
    path = Path(row["file"])
    name = path.with_suffix(".json").as_posix()
    words = parse_json((folder / name).read_bytes())
    if list(words) != [frame_key(row["video_id"], number) for number in range(row["frames"])]:
        yield name, f"does not have the entries of {row['frames']} frames in their order"
    for key, said in words.items():
        if (what := _check_entry(said, row)) != "":
            yield name, f"{key} {what}"
    table = path.with_suffix(".parquet").as_posix()
    frames = list(read_rows(folder / table, ("key", "shown")))
    said_shown = [said.get("class") == SURGICAL for said in words.values()]
    if frames != list(zip(words, said_shown, strict=True)):
        yield table, f"does not agree with {name}"


def _check_entry(said: Mapping[str, Any], row: Row) -> str:
    if set(said) != {"class", "boxes"} or said["class"] not in (SURGICAL, NON_SURGICAL):
        return "is not an entry of LEMON's"
    for x1, y1, x2, y2 in said["boxes"] or ():
        if not (0 <= x1 < x2 <= row["width"] and 0 <= y1 < y2 <= row["height"]):
            return "has a box outside the picture"
    return ""


def _check_lists(folder: Path, rows: Sequence[Row], splits: Sequence[str], listed: Collection[str]) -> Iterator[Said]:
    """Each clip stands once in VideoMAE's list and once in V-JEPA's of its split, with its label; no other does."""
    classes = (folder / CLASSES).read_text(encoding="utf-8").splitlines()
    for row in rows:
        if not 0 <= row["label"] < len(classes) or classes[row["label"]] != Path(row["file"]).parent.name:
            yield row["key"], f"has the label {row['label']}, which {CLASSES} gives to another folder"
    for split in splits:
        expected = Counter(f"{row['file']} {row['label']}" for row in rows if row["split"] == split)
        first = f"videomae/{split}.csv"
        if first not in listed:
            first = f"videomae/{split}.txt"  # of curate 0.1
        yield from _compare(first, (folder / first).read_text(encoding="utf-8").splitlines(), expected)
        if (second := f"videomaev2/{split}.txt") in listed:
            whole = Counter(f"{row['file']} {WHOLE}" for row in rows if row["split"] == split)
            yield from _compare(second, (folder / second).read_text(encoding="utf-8").splitlines(), whole)
        csvs = sorted((folder / "vjepa" / split).glob("*.csv"))
        lines = [line for path in csvs for line in path.read_text(encoding="utf-8").splitlines()]
        yield from _compare(f"vjepa/{split}", lines, expected)
        said = (folder / "vjepa" / f"{split}.yaml").read_text(encoding="utf-8")
        names = [line[2:] for line in said.partition("datasets_weights:")[0].splitlines() if line.startswith("- ")]
        if sorted(names) != [path.relative_to(folder).as_posix() for path in csvs]:
            yield f"vjepa/{split}.yaml", "does not name the lists of its split"


def _compare(name: str, lines: Sequence[str], expected: Counter[str]) -> Iterator[Said]:
    given = Counter(lines)
    for line in sorted((given - expected).keys()):
        yield name, f"names {line!r}, which is not a clip of this split"
    for line in sorted((expected - given).keys()):
        yield name, f"lacks {line!r}"
