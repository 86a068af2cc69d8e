"""Taking over shards from the export that is being replaced, where nothing that made them has changed.

The record of an export tells the key of each of its shards, which is a fingerprint of all that its bytes depend on, and
its files. So when videos come or go, by a purge for example, the files of shards that stay are linked into the new
export and not made again. An export may be damaged, and may come from a stranger: files are held against their
checksums, links are not followed, and a shard counts only if its rows are those of the videos that it is planned to
hold, whatever its key says. What is not as it should be is made anew.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from curate.errors import BadArtefact, why_of
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.folder import is_inner
from curate.exports.disk.previous import Offer, PreviousExport, Refused
from curate.exports.formats.making import Making
from curate.exports.formats.tables import METADATA, RowsFile, place_schema, with_place
from curate.exports.plan.shards import Span
from curate.files.atomic import clear
from curate.files.disk import FULL
from curate.files.parquet import open_parquet, read_rows

T = TypeVar("T")


def try_taking(making: Making, take: Callable[[], T | None]) -> T | None:
    """Take something over, if it is as it should be, and note in ``making`` what came of it.

    Args:
        making: The attempt.
        take: Fills its folder; ``None`` if nothing is offered.

    Returns:
        What ``take`` does; ``None``, with the folder empty, if nothing was taken over.

    Raises:
        OSError: The disk is full.
    """
    if making.job.anew:
        return None
    try:
        with refusing():
            found = take()
    except Refused as error:
        making.refused = str(error)
        clear(making.folder)
        making.folder.mkdir()
        making.summed.clear()
        return None
    making.taken = found is not None
    return found


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Whatever goes wrong in the ``with`` block but for a full disk is a reason to refuse.

    Raises:
        Refused: It went wrong.
        OSError: The disk is full.
    """
    try:
        yield
    except (BadArtefact, ValueError, pa.ArrowException) as error:
        raise Refused(str(error)) from error
    except (TypeError, KeyError, AttributeError) as error:  # a stranger's table with holes
        raise Refused(f"it makes no sense: {error}") from error
    except OSError as error:
        if error.errno in FULL:
            raise
        raise Refused(f"{error.filename}: {why_of(error)}" if error.filename else why_of(error)) from error


def take_files(making: Making, offer: Offer, name: Callable[[int], str]) -> dict[str, str]:
    """Link the files of a shard into the folder of an attempt, and hold them against their checksums.

    Args:
        making: The attempt.
        offer: The shard.
        name: Path of a file in the folder, by its number.

    Returns:
        Path in the folder by path in the export.

    Raises:
        Refused: One is not as it was written, or there is none.
    """
    source = PreviousExport(making.job.final)
    names = {path: name(number) for number, (path, _) in enumerate(offer.files)}
    if not names:
        raise Refused("the shard has no files")
    for path, facts in offer.files:
        source.take(path, facts, making.folder / names[path], making.tick)
        making.summed[names[path]] = facts
    return names


def take_rows(
    making: Making,
    offer: Offer,
    rename: Callable[[str, int], str],
    *,
    checksums: bool = False,
) -> Iterator[tuple[list[str], pa.RecordBatch]]:
    """Take the rows of a shard from the table of frames of the export.

    Args:
        making: The attempt.
        offer: The shard.
        rename: What its rows call a file, by what the table calls it, and by the place of the frame among the exported
            frames of its video.
        checksums: As for `curate.exports.formats.tables.place_schema`.

    Yields:
        What the table calls the files of some rows, and the rows as they now are in the folder of the attempt.

    Raises:
        Refused: They are not those of the videos that the shard is to hold.
    """
    if not offer.table:
        raise Refused(f"{METADATA} is not as it was written")
    expected = _Expected(making.job.shard.spans)
    schema = place_schema(checksums=checksums)
    with RowsFile(making.folder, checksums=checksums) as rows:
        for batch in _rows(making.job.final / METADATA, offer.first, offer.frames):
            if batch.schema != schema:
                raise Refused(f"{METADATA} has other columns")
            places = expected.places(METADATA, batch.column("video_id").to_pylist())
            files = batch.column("file").to_pylist()
            if not all(map(is_inner, files)):
                raise Refused(f"{METADATA} names files that lead out of the export")
            renamed = [rename(file, place) for file, place in zip(files, places, strict=True)]
            taken = with_place(batch.replace_schema_metadata(None), file=renamed)
            rows.add_batch(taken)
            yield files, taken
        expected.end(METADATA)


def take_shard(making: Making, offer: Offer, name: Callable[[int], str]) -> None:
    """Take over a shard whose rows stand in the table of frames.

    Args:
        making: The attempt.
        offer: The shard.
        name: As for `take_files`; the rows call a file so too.

    Raises:
        Refused: It is not as it was written, or not what is wanted.
    """
    names = take_files(making, offer, name)
    _drain(making, take_rows(making, offer, lambda file, place: _known(names, file)))


def take_joined(making: Making, offer: Offer, path: str, name: str) -> None:
    """Take over the one file of a part, whose rows stand in the table of frames as they are in the shard.

    Args:
        making: The attempt.
        offer: The part.
        path: Of the file in the export.
        name: Its path in the folder.

    Raises:
        Refused: It is not as it was written, or not what is wanted.
    """
    if [file for file, _ in offer.files] != [path]:
        raise Refused(f"{path} is not the file of its part")
    take_files(making, offer, lambda number: name)
    _drain(making, take_rows(making, offer, lambda file, place: file))


def take_pictures(making: Making, offer: Offer, rename: Callable[[str, int], str]) -> None:
    """Take over a shard of loose pictures, whose checksums stand in the table of frames.

    Args:
        making: The attempt.
        offer: The shard.
        rename: As for `take_rows`.

    Raises:
        Refused: It is not as it was written, or not what is wanted.
    """
    source = PreviousExport(making.job.final)
    for files, batch in take_rows(making, offer, rename, checksums=True):
        columns = (batch.column(name).to_pylist() for name in ("file", "size", "sha256"))
        for path, file, size, sha256 in zip(files, *columns, strict=True):
            if not is_inner(file):
                raise Refused(f"{METADATA} names files that lead out of the shard")
            source.take(path, FileFacts(size, sha256), making.folder / file)
            making.tick()


def check_videos(making: Making, names: Mapping[str, str]) -> None:
    """Hold the column ``video_id`` of some Parquet files, one after the other, against the frames of a shard.

    Args:
        making: The attempt.
        names: What `take_files` gave: at least one.

    Raises:
        Refused: They are other videos.
        BadArtefact: A file cannot be read.
    """
    expected = _Expected(making.job.shard.spans)
    for path, name in names.items():
        for (video,) in read_rows(making.folder / name, ("video_id",)):
            expected.places(path, [video])
    expected.end(next(iter(names)))


class _Expected:
    """The frames that a shard is planned to hold, in order."""

    def __init__(self, spans: tuple[Span, ...]) -> None:
        self._frames = ((span.video.id, place) for span in spans for place in range(span.start, span.stop))

    def places(self, file: str, videos: list[str]) -> list[int]:
        """Places of the next frames among those of their videos, which these of a file must be."""
        frames = list(itertools.islice(self._frames, len(videos)))
        if [video for video, _ in frames] != videos:
            raise Refused(f"{file} holds other videos than its shard")
        return [place for _, place in frames]

    def end(self, file: str) -> None:
        """There must be no more of them behind the last file."""
        if next(self._frames, None) is not None:
            raise Refused(f"{file} ends before its shard")


def _rows(table: Path, first: int, count: int) -> Iterator[pa.RecordBatch]:
    """Some rows of a table; one row group is held."""
    with open_parquet(table) as file:
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            low, high = max(first, start), min(first + count, stop)
            if low < high:
                rows = file.read_row_group(group, use_threads=False)
                yield from rows.slice(low - start, high - low).to_batches()
            start = stop


def _known(names: Mapping[str, str], file: str) -> str:
    try:
        return names[file]
    except KeyError:
        raise Refused(f"{file} is no file of the shard") from None


def _drain(making: Making, rows: Iterator[tuple[list[str], pa.RecordBatch]]) -> None:
    for _ in rows:
        making.tick()
