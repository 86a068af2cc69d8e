"""Loose JPEG files: class folders as torchvision's ``ImageFolder`` reads them, and SurgeNet's tree."""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.config import ExportOptions
from curate.corpus.classes import class_of
from curate.errors import BadArtefact
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.folder import PICTURE, is_inner, link
from curate.exports.disk.previous import Offer
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.finished import FinishedShard
from curate.exports.formats.making import Making
from curate.exports.formats.tables import (
    METADATA,
    ROWS,
    RowsFile,
    frame_row,
    made_with,
    read_batches,
    read_places,
    with_place,
    write_frame_table,
)
from curate.exports.formats.taking import take_pictures
from curate.exports.pixels.frames import ExportFrame
from curate.exports.plan.classes import CLASSES, classes_text
from curate.exports.plan.plan import BrokenVideo, Plan, PlannedVideo
from curate.exports.plan.shards import Shard, by_split
from curate.files.ahead import map_ahead
from curate.files.machine import worker_threads
from curate.media.frame_list import listed_number
from curate.workspace.tables.frames import read_source_rate

VERSION = 2
"""Raised when the bytes written for the same input change."""

PORTION = 16_000_000
"""Bytes of pictures of a shard, at most: no file is to be filled, and small shards are sooner those that stay."""

SURGENET_BATCH = 10_000
"""Indices of one ``Batch`` folder, by SurgeNet's ``create_SurgeNetXL.py``."""

_SAMPLE = "_Sample"
"""What the place of a frame follows in SurgeNet's names."""

_AHEAD = 16
"""Files in the making."""

READING = (
    "`{split}/{{procedure}}/{{video_id}}_{{n}}.jpg`. DINO: `ImageFolder` on the folder `{split}`. MAE and timm: on "
    "this folder. All metadata is in `metadata.parquet`, one row a file.\n\n"
    "The label of a frame is the line of its procedure in `classes.txt`, from 0. torchvision's `ImageFolder` numbers "
    "the folders of each split by itself, and so otherwise where a split lacks a procedure: for labels, read it as "
    "below. timm: `--class-map path/to/this/folder/classes.txt`.\n\n"
    "```python\n"
    "from pathlib import Path\n\n"
    "from torchvision.datasets import ImageFolder\n\n"
    'root = Path("path/to/this/folder")\n\n\n'
    "class Frames(ImageFolder):\n"
    "    def find_classes(self, directory):\n"
    '        names = (root / "classes.txt").read_text(encoding="utf-8").splitlines()\n'
    "        return names, {{name: label for label, name in enumerate(names)}}\n\n\n"
    'dataset = Frames(root / "{split}", allow_empty=True)\n'
    "```"
)

SURGENET_READING = (
    "SurgeNet's tree below each split: `{split}/{{procedure}}/Batch{{k}}/{{video_id}}_frame_{{n}}_Sample{{i}}.jpg`, "
    "`i` counted over the exported frames of the procedure, 10,000 of them a batch. `n` counts by the clock that "
    "`export.surgenet.clock` names below: `surgenet`, steps of `int(fps)` frames of the source video as in SurgeNet's "
    "own lists, the nearest to the frame (the same second at 25, 30 and 60 fps; at 29.97 fps number `n` lies at "
    "`n * 29 / 29.97` s); or `seconds`, samples of the source video. `n` and `timestamp` in `metadata.parquet` count "
    "samples and seconds in any case. `{split}.txt` is the list of file names. Match frames of other releases by video "
    "and `n`, since `i` shifts with every video that comes or goes. `classes.txt` names the procedures in the order of "
    "their labels."
)


def shards(plan: Plan, options: ExportOptions) -> list[Shard]:
    """Shards of some hundred pictures, with many landmarks: there is no file to be filled."""
    return by_split(plan, PORTION, book=1)


def write_folders(making: Making) -> dict[str, Any]:
    """Write ``{split}/{class}/{key}.jpg``.

    Args:
        making: What to write.

    Returns:
        Nothing to keep.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """

    def name(frame: ExportFrame, place: int) -> str:
        return f"{frame.video.split}/{class_of(frame.video)}/{frame.key}.jpg"

    return _write_files(making, name)


def write_surgenet(making: Making) -> dict[str, Any]:
    """Write ``{split}/{class}/{video}_frame_{n}_Sample{i}.jpg``; the options tell what n counts.

    Here i counts the exported frames of the video: where it is in its class is known when all shards are there. Samples
    are what n counts where a video does not tell its frame rate, as imported frames do not.

    Args:
        making: What to write.

    Returns:
        Nothing to keep.

    Raises:
        BrokenVideo: The artefacts of a video cannot be read.
    """
    by_seconds = making.job.options.surgenet.clock == "seconds"
    rates: dict[str, Fraction | None] = {}

    def number(frame: ExportFrame) -> int:
        if by_seconds:
            return frame.n
        if frame.video.id not in rates:
            rates[frame.video.id] = _source_rate(frame.video)
        rate = rates[frame.video.id]
        return frame.n if rate is None else listed_number(frame.timestamp, rate)

    def name(frame: ExportFrame, place: int) -> str:
        return f"{frame.video.split}/{class_of(frame.video)}/{frame.video.id}_frame_{number(frame)}{_SAMPLE}{place}.jpg"

    return _write_files(making, name)


def _source_rate(video: PlannedVideo) -> Fraction | None:
    try:
        return read_source_rate(video.entry.frames)
    except BadArtefact as error:
        raise BrokenVideo.by(video.id, error) from error


def take_folders(making: Making, offer: Offer) -> None:
    """Take over the pictures of a shard.

    Raises:
        Refused: They are not as they were written, or not what is wanted.
        BadArtefact: The table of frames cannot be read.
    """
    take_pictures(making, offer, lambda file, place: file)


def take_surgenet(making: Making, offer: Offer) -> None:
    """As `take_folders`; in the shard, a name tells the place of the frame in its video, as `write_surgenet` has it.

    Raises:
        Refused: They are not as they were written, or not what is wanted.
        BadArtefact: The table of frames cannot be read.
    """

    def name(file: str, place: int) -> str:
        folder, _, picture = file.rpartition("/")
        return f"{folder.rpartition('/')[0]}/{picture.rpartition(_SAMPLE)[0]}{_SAMPLE}{place}{PICTURE}"

    take_pictures(making, offer, name)


def holds(finished: FinishedShard) -> bool:
    """Whether a shard that is staged is one that this module would write, and every picture is as it was written."""
    if not finished.has_files(ROWS) or not finished.has_rows(checksums=True):
        return False
    for batch in read_batches(finished.folder):
        for name, size, sha256 in zip(*(batch.column(c).to_pylist() for c in ("file", "size", "sha256")), strict=True):
            if not is_inner(name) or not FileFacts(size, sha256).hold(finished.folder / name, finished.tick):
                return False
    return True


def assemble(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Put the pictures of all shards into one tree, and write the table that tells where each is.

    Args:
        dataset: With its shards.
        folder: Of the export.

    Returns:
        How many bytes the loose files have, for ``export.json``.
    """
    return _assemble(dataset, folder, lambda name: name)


def assemble_surgenet(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """As `assemble`, with the place of each frame in its class, and write the frame list of each split."""
    counts: dict[str, int] = defaultdict(int)

    def placed(name: str) -> str:
        kind, _, file = name.rpartition("/")
        position = counts[kind]
        counts[kind] += 1
        return f"{kind}/Batch{position // SURGENET_BATCH}/{file.rpartition(_SAMPLE)[0]}{_SAMPLE}{position}{PICTURE}"

    facts = _assemble(dataset, folder, placed)
    rows = read_places(folder / METADATA, ("split", "file"))
    for split, lines in itertools.groupby(rows, key=lambda row: str(row[0])):
        with open(folder / f"{split}.txt", "w", encoding="ascii") as stream:
            stream.writelines(f"{file.rpartition('/')[2]}\n" for _, file in lines)
    return facts


def _assemble(dataset: Dataset, folder: Path, place: Callable[[str], str]) -> dict[str, Any]:
    """As `assemble`; ``place`` tells the path of a picture in the export by its path in the shard, in order."""
    made: set[Path] = set()
    size = 0

    def rows() -> Iterator[pa.RecordBatch]:
        nonlocal size
        for shard in dataset.shards:
            for batch in read_batches(shard.folder):
                names = batch.column("file").to_pylist()
                finals = [place(name) for name in names]
                for name, final in zip(names, finals, strict=True):
                    parent = (folder / final).parent
                    if parent not in made:
                        parent.mkdir(parents=True, exist_ok=True)
                        made.add(parent)
                    link(shard.folder / name, folder / final)
                size += sum(batch.column("size").to_pylist())
                yield with_place(batch, file=finals)

    write_frame_table(folder / METADATA, rows(), made_with(dataset.context), checksums=True)
    (folder / CLASSES).write_text(classes_text(dataset.labels), encoding="utf-8")
    return {"loose_bytes": size}


def _write_files(making: Making, name_of: Callable[[ExportFrame, int], str]) -> dict[str, Any]:
    """Write every frame to a file of its own, and the rows that tell where it is and what its checksum is.

    Args:
        making: What to write.
        name_of: Path of a frame, by the frame and its place among the exported frames of its video.
    """
    places = itertools.chain.from_iterable(range(span.start, span.stop) for span in making.job.shard.spans)
    named = (
        (frame, name_of(frame, place), jpeg) for place, (frame, jpeg) in zip(places, making.pictures(), strict=True)
    )
    with RowsFile(making.folder, checksums=True) as rows:
        for frame, name, facts in _stored(named, making.folder):
            rows.add(frame_row(frame, making.renderer), file=name, offset=0, **facts)
    return {}


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

    return map_ahead(store, placed(), threads=worker_threads(), most=_AHEAD)


def _store(path: Path, jpeg: bytes) -> dict[str, Any]:
    with open(path, "wb", buffering=0) as stream:
        rest = memoryview(jpeg)
        while rest:
            rest = rest[stream.write(rest) :]
    return {"size": len(jpeg), "sha256": hashlib.sha256(jpeg).hexdigest()}
