"""Loose JPEG files: class folders as torchvision's ``ImageFolder`` reads them, and SurgeNet's tree."""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from curate.exports.disk.staging import CHUNK_BYTES
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.tables import METADATA, FrameTable, frame_row, made_with, read_places
from curate.exports.pixels.frames import ExportFrame
from curate.exports.plan.classes import class_of
from curate.files.ahead import map_ahead
from curate.files.machine import usable_cores

VERSION = 1
"""Raised when the bytes written for the same input change."""

SURGENET_BATCH = 10_000
"""Indices of one ``Batch`` folder, by SurgeNet's ``create_SurgeNetXL.py``."""

_AHEAD = 16
"""Files in the making."""

READING = (
    "`{split}/{{procedure}}/{{video_id}}_{{n}}.jpg`. DINO: `ImageFolder` on the folder `{split}`. MAE and timm: on "
    "this folder. All metadata is in `metadata.parquet`, one row a file.\n\n"
    "```python\n"
    "from torchvision.datasets import ImageFolder\n\n"
    'dataset = ImageFolder("path/to/this/folder/{split}")\n'
    "```"
)

SURGENET_READING = (
    "SurgeNet's tree below each split: `{split}/{{procedure}}/Batch{{k}}/{{video_id}}_frame_{{n}}_Sample{{i}}.jpg`, "
    "`n` counted from the start of the source video, `i` over the exported frames of the procedure, 10,000 of them a "
    "batch. `{split}.txt` is the list of file names. Match frames of other releases by video and `n`, since `i` shifts "
    "with every video that comes or goes."
)


def write_folders(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write ``{split}/{class}/{key}.jpg``.

    Args:
        dataset: What to write.
        folder: Existing folder of the export.

    Returns:
        How many bytes the loose files have, for ``export.json``.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """

    def name(frame: ExportFrame, position: int) -> str:
        return f"{frame.video.split}/{class_of(frame.video)}/{frame.key}.jpg"

    return _write_files(dataset, folder, name)


def write_surgenet(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write ``{split}/{class}/Batch{k}/{video}_frame_{n}_Sample{i}.jpg`` and the frame list of each split.

    Args:
        dataset: What to write.
        folder: Existing folder of the export.

    Returns:
        How many bytes the loose files have, for ``export.json``.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """
    shifts = _shifts(dataset)

    def name(frame: ExportFrame, position: int) -> str:
        i = position + shifts[frame.video.id]
        file = f"{frame.video.id}_frame_{frame.n}_Sample{i}.jpg"
        return f"{frame.video.split}/{class_of(frame.video)}/Batch{i // SURGENET_BATCH}/{file}"

    facts = _write_files(dataset, folder, name)
    rows = read_places(folder / METADATA, ("split", "file"))
    for split, lines in itertools.groupby(rows, key=lambda row: str(row[0])):
        with open(folder / f"{split}.txt", "w", encoding="ascii") as stream:
            stream.writelines(f"{file.rpartition('/')[2]}\n" for _, file in lines)
    return facts


def _shifts(dataset: Dataset) -> dict[str, int]:
    """What to add to the place of a video's frames in their split to get their place in their procedure."""
    shifts = {}
    for videos in dataset.plan.splits().values():
        in_class: dict[str, int] = defaultdict(int)
        in_split = 0
        for video in videos:
            shifts[video.id] = in_class[class_of(video)] - in_split
            in_class[class_of(video)] += video.frames
            in_split += video.frames
    return shifts


def _write_files(dataset: Dataset, folder: Path, name_of: Callable[[ExportFrame, int], str]) -> dict[str, Any]:
    """Write every frame to a file of its own, and the table that tells where it is and what its checksum is.

    Args:
        dataset: What to write.
        folder: Of the export.
        name_of: Path of a frame below the folder, by the frame and its place in the split.
    """
    path = folder / METADATA
    with FrameTable(path, made_with(dataset), dataset.staging, checksums=True) as table:
        for split, videos in dataset.plan.splits().items():
            skip = dataset.staging.frames(split)
            named = (
                (frame, name_of(frame, position), jpeg)
                for position, (frame, jpeg) in enumerate(dataset.pictures(videos, skip=skip), start=skip)
            )
            chunk: dict[str, dict[str, Any]] = {}
            size = 0
            for frame, name, facts in _stored(named, folder):
                table.add(frame_row(frame, dataset.renderer), file=name, offset=0, **facts)
                chunk[name] = facts
                size += facts["size"]
                if size >= CHUNK_BYTES:
                    table.chunk(split, (), chunk)
                    chunk, size = {}, 0
            table.chunk(split, (), chunk)
    return {"loose_bytes": sum(size for (size,) in read_places(path, ("size",)))}


def _stored(
    named: Iterable[tuple[ExportFrame, str, bytes]], folder: Path
) -> Iterator[tuple[ExportFrame, str, dict[str, Any]]]:
    """Write pictures in threads, and give them out in order when they are there, with size and checksum."""
    made: set[Path] = set()

    def placed() -> Iterator[tuple[ExportFrame, str, bytes]]:
        for frame, name, jpeg in named:
            parent = (folder / name).parent
            if parent not in made:
                parent.mkdir(parents=True, exist_ok=True)
                made.add(parent)
            yield frame, name, jpeg

    def store(picture: tuple[ExportFrame, str, bytes]) -> tuple[ExportFrame, str, dict[str, Any]]:
        frame, name, jpeg = picture
        return frame, name, _store(folder / name, jpeg)

    return map_ahead(store, placed(), threads=usable_cores(), most=_AHEAD)


def _store(path: Path, jpeg: bytes) -> dict[str, Any]:
    with open(path, "wb", buffering=0) as stream:
        rest = memoryview(jpeg)
        while rest:
            rest = rest[stream.write(rest) :]
    return {"size": len(jpeg), "sha256": hashlib.sha256(jpeg).hexdigest()}
