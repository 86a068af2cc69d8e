"""All that a card tells of an export, read from its folder: the record, the tables, and the names of the files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from curate.corpus.balance import ProcedureRow
from curate.errors import BadArtefact
from curate.exports.cards.layout import LAYOUTS, NO_PICTURES, Layout
from curate.exports.disk.folder import inner_path
from curate.exports.formats.tables import DECISIONS, METADATA, read_videos
from curate.exports.plan.plan import split_order
from curate.files.bounded import parse_json
from curate.files.csv_file import read_csv
from curate.files.digest import digest
from curate.files.parquet import open_parquet, require_columns

README = "README.md"
CROISSANT = "croissant.json"

CARDS = frozenset({README, CROISSANT})
"""Files that tell of the others."""


class VideoFacts(NamedTuple):
    """A row of the table of videos."""

    video_id: str
    licence: str
    split: str
    frames: int
    seconds: float
    procedures: list[str]
    corpus: str


@dataclass(frozen=True)
class SplitFacts:
    """A split.

    Attributes:
        name: Its name, which ``datasets`` takes as it is.
        videos: Videos in it.
        frames: Frames in it.
        seconds: What they stand for.
        files: Files that hold its pictures or videos.
        size: Their bytes.
        examples: What a reader finds in them: pictures, or files of videos.
    """

    name: str
    videos: int
    frames: int
    seconds: float
    files: int
    size: int
    examples: int


@dataclass(frozen=True)
class Facts:
    """What an export is.

    Attributes:
        folder: Where it is.
        record: Its record, as ``export.json`` has it, or will have it but for the cards.
        layout: Where its files are.
        videos: Rows of its table of videos.
        procedures: Rows of its table of procedures.
        splits: Its splits in order.
        classes: Names of the labels that ``datasets`` gives, in their order; empty where it gives none.
        schema: Columns of its table of frames, where there is one.
        reviewed: Whether people's decisions are in it.
    """

    folder: Path
    record: Mapping[str, Any]
    layout: Layout
    videos: tuple[VideoFacts, ...]
    procedures: tuple[ProcedureRow, ...]
    splits: tuple[SplitFacts, ...]
    classes: tuple[str, ...]
    schema: pa.Schema | None
    reviewed: bool

    @property
    def format(self) -> str:
        """Name of the format."""
        return str(self.record["format"])

    @property
    def frames(self) -> int:
        """Frames in all."""
        return sum(split.frames for split in self.splits)

    @property
    def hours(self) -> float:
        """What they stand for."""
        return sum(split.seconds for split in self.splits) / 3600

    @property
    def options(self) -> Mapping[str, Any]:
        """Options that it was made with."""
        options: Mapping[str, Any] = self.record.get("options", {})
        return options

    @property
    def made_with(self) -> Mapping[str, str]:
        """Names and checksums of the weights that it was made with."""
        made_with: Mapping[str, str] = self.record.get("made_with", {})
        return made_with

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """Size and checksum of its files, without the cards; loose pictures are not among them."""
        return {name: facts for name, facts in self.record["files"].items() if name not in CARDS}

    @cached_property
    def content(self) -> str:
        """Fingerprint of every byte of it, but for the cards."""
        return digest({name: facts["sha256"] for name, facts in self.files.items()})

    def licences(self) -> dict[str, tuple[int, int]]:
        """Videos and frames under each licence, as stated; by name, the empty one first."""
        videos: dict[str, int] = defaultdict(int)
        frames: dict[str, int] = defaultdict(int)
        for video in self.videos:
            videos[video.licence] += 1
            frames[video.licence] += video.frames
        return {name: (videos[name], frames[name]) for name in sorted(videos)}


def read_facts(folder: Path, record: Mapping[str, Any]) -> Facts:
    """Read what a card tells of an export; pictures are not looked at.

    Args:
        folder: Of the export.
        record: Its ``export.json``.

    Raises:
        BadArtefact: A table cannot be read, or the format is none that has cards.
        CurateError: The table of procedures cannot be read.
    """
    layout = LAYOUTS.get(record["format"])
    if layout is None:
        raise BadArtefact(folder, f"its format {record['format']!r} has no card in this curate")
    videos = tuple(VideoFacts(*row) for row in read_videos(folder, *VideoFacts._fields))
    columns = [column.name for column in fields(ProcedureRow)]
    rows = read_csv(folder / "procedures.csv", columns, "table of procedures")
    procedures = tuple(_procedure(folder, row) for _, row in rows)
    return Facts(
        folder=folder,
        record=record,
        layout=layout,
        videos=videos,
        procedures=procedures,
        splits=_splits(folder, record, layout, videos),
        classes=_classes(folder, record, layout),
        schema=_schema(folder),
        reviewed=(folder / DECISIONS).is_file(),
    )


def _procedure(folder: Path, row: Mapping[str, str]) -> ProcedureRow:
    try:
        numbers = (float(row["frames"]), float(row["hours"]), float(row["weight"]))
        return ProcedureRow(row["split"], row["procedure"], int(row["videos"]), *numbers)
    except ValueError as error:
        raise BadArtefact(folder / "procedures.csv", str(error)) from error


def _splits(
    folder: Path, record: Mapping[str, Any], layout: Layout, videos: tuple[VideoFacts, ...]
) -> tuple[SplitFacts, ...]:
    counts: Mapping[str, Mapping[str, int]] = record["counts"]["splits"]
    names = sorted(counts, key=split_order)
    loose = _loose(folder) if layout.media == "image/jpeg" else {}
    seconds: dict[str, float] = defaultdict(float)
    for video in videos:
        seconds[video.split] += video.seconds
    found = []
    for name in names:
        files = layout.of(name, record["files"])
        size = sum(record["files"][file]["size"] for file in files)
        number, size = loose.get(name, (len(files), size))
        examples = number if layout.builder == "videofolder" else counts[name]["frames"]
        told = (counts[name]["videos"], counts[name]["frames"], seconds[name], number, size, examples)
        found.append(SplitFacts(name, *told))
    return tuple(found)


def _loose(folder: Path) -> dict[str, tuple[int, int]]:
    """Number and bytes of the loose pictures of each split, by the table of frames."""
    number: dict[str, int] = defaultdict(int)
    size: dict[str, int] = defaultdict(int)
    path = folder / METADATA
    with open_parquet(path) as file:
        require_columns(path, file, ("split", "size"))
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=["split", "size"], use_threads=False)
            for row in rows.group_by("split").aggregate([("size", "count"), ("size", "sum")]).to_pylist():
                number[row["split"]] += row["size_count"]
                size[row["split"]] += row["size_sum"] or 0
    return {split: (number[split], size[split]) for split in number}


def _classes(folder: Path, record: Mapping[str, Any], layout: Layout) -> tuple[str, ...]:
    """Names of the labels that ``datasets`` gives: those that a shard states, else folders of the splits by name."""
    if layout.builder == "parquet":
        return _stated_classes(folder, record, layout)
    if not layout.labels:
        return ()
    found: set[str] = set()
    for split in record["counts"]["splits"]:
        inner = folder / split
        found.update(path.name for path in inner.iterdir() if path.is_dir()) if inner.is_dir() else None
    return tuple(sorted(found))


def _stated_classes(folder: Path, record: Mapping[str, Any], layout: Layout) -> tuple[str, ...]:
    shards = [name for split in record["counts"]["splits"] for name in layout.of(split, record["files"])]
    if not shards:
        return ()
    with open_parquet(inner_path(folder, shards[0])) as file:
        told = parse_json(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    return tuple(map(str, told["label"]["names"])) if "label" in told else ()


def _schema(folder: Path) -> pa.Schema | None:
    path = folder / METADATA
    if not path.is_file():
        return None
    with open_parquet(path) as file:
        return file.schema_arrow


def hub_splits(facts: Facts) -> list[tuple[str, str]]:
    """Splits that ``datasets`` finds, each with the glob of its files."""
    if not facts.layout.builder:
        return [(NO_PICTURES, METADATA)]
    return [(split.name, facts.layout.files(split.name)) for split in facts.splits]
