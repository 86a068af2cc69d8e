"""``corpus/duplicates.parquet``: the stretches that pairs of videos share, with what speaks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from curate.errors import BadArtefact
from curate.files.parquet import RowWriter, open_parquet, read_rows
from curate.workspace.tables.schemas import duplicate_schema


class Match(NamedTuple):
    """One stretch that two videos share; see `duplicate_schema`. Times in seconds, ends exclusive.

    Attributes:
        a: Id of a video.
        b: Id of another one, which sorts after it.
        start_a: Where the stretch begins in ``a``.
        end_a: Where it ends there.
        start_b: Where it begins in ``b``.
        end_b: Where it ends there.
        offset: What is to be added to a time of ``a`` for that of ``b``.
        matched_seconds: What the matched frames stand for.
        mirrored: Whether one shows the mirror image of the other.
        matched: Frames that were found in the other video.
        frames: Of so many informative ones.
        pictures: Matched frames that differ from one another.
        distance: Mean number of bits of 256 in which matched frames differ.
        score: 1 for the same pictures, 0 for unrelated ones.
        similarity: Mean cosine of embeddings above that of unrelated videos; ``None`` without embeddings.
        seconds_a: What all informative frames of ``a`` stand for.
        seconds_b: And those of ``b``.
        pixels_a: Area of the frames of ``a``.
        pixels_b: And of ``b``.
    """

    a: str
    b: str
    start_a: float
    end_a: float
    start_b: float
    end_b: float
    offset: float
    matched_seconds: float
    mirrored: bool
    matched: int
    frames: int
    pictures: int
    distance: float
    score: float
    similarity: float | None
    seconds_a: float
    seconds_b: float
    pixels_a: int
    pixels_b: int


def read_matches(path: Path) -> Iterator[Match]:
    """Matches in order, some thousands held at a time.

    Raises:
        BadArtefact: The table cannot be read.
    """
    return (Match(*row) for row in read_rows(path, Match._fields))


def read_fingerprint(path: Path) -> str:
    """What the table was made of and with.

    Raises:
        BadArtefact: The table cannot be read, or does not tell.
    """
    with open_parquet(path) as file:
        said = file.schema_arrow.metadata or file.metadata.metadata or {}
    try:
        return bytes(said[b"fingerprint"]).decode()
    except (KeyError, UnicodeDecodeError) as error:
        raise BadArtefact(path, "its metadata tell no fingerprint") from error


def write_matches(path: Path, matches: Iterable[Match], fingerprint: str) -> int:
    """Write matches to a temporary name, one row group held.

    Args:
        path: File to write.
        matches: In order.
        fingerprint: What they were made of and with.

    Returns:
        How many there are.
    """
    count = 0
    with RowWriter(path, duplicate_schema().with_metadata({"fingerprint": fingerprint})) as writer:
        for match in matches:
            writer.add(match._asdict())
            count += 1
    return count
