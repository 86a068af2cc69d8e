"""Checking an export against its own record: files, counts, keys, pictures, and the rules of its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pyarrow as pa
import simplejpeg

from curate.errors import BadArtefact, why_of
from curate.exports.cards.facts import CROISSANT
from curate.exports.check.croissant import check_croissant
from curate.exports.check.tree import check_tree
from curate.exports.check.video_files import check_video_files
from curate.exports.disk.folder import PICTURE, RECORD, inner_path
from curate.exports.disk.tar import BLOCK
from curate.exports.formats.tables import METADATA, VIDEOS, read_videos
from curate.exports.formats.video_files import VIDEO_FORMATS
from curate.exports.formats.webdataset import sample_key
from curate.exports.reading.stores import FrameStore, LmdbStore, open_record, open_store
from curate.files.bounded import parse_json
from curate.files.digest import file_sha256
from curate.files.machine import usable_cores

_COLUMNS = ("key", "video_id", "width", "height")

_INDEX = frozenset({b"__keys__", b"__len__"})
"""Entries of the format ``lmdb-generic``, which curate 0.1 wrote."""


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be.

    Attributes:
        where: File relative to the export, or key of a frame.
        what: What is wrong.
    """

    where: str
    what: str


def verify_export(
    folder: Path, *, decode: bool = True, progress: Callable[[], object] | None = None
) -> Iterator[Problem]:
    """Look for everything that is wrong with an export.

    Every file has its size and checksum, by ``croissant.json`` too, and none is missing or extra, nor is there a link
    or an empty folder; the metadata has as many frames and videos as the record, with distinct keys; every key has its
    picture and every picture its key; and, with ``decode``, every picture can be decoded and has the size that its row
    says. An LMDB that is not as it was written is named and not opened: the library would map it and die of what is
    wrong with it.

    Args:
        folder: Folder of one export, of any format.
        decode: Whether to decode the pictures; without, only files, counts and keys are checked.
        progress: Called after each picture.

    Yields:
        Problems as they are found; none for a sound export.

    Raises:
        CurateError: The folder is not an export.
    """
    record = open_record(folder)
    unsound: set[str] = set()
    for problem in _check_files(folder, record):
        unsound.add(problem.where)
        yield problem
    if CROISSANT not in unsound:
        yield from (Problem(*said) for said in check_croissant(folder, record))
    damaged = bool(unsound)
    try:
        videos = dict(read_videos(folder, "video_id", "frames"))
    except BadArtefact as error:
        yield Problem(VIDEOS, f"cannot be read: {error.why}")
        return
    found: Counter[str] = Counter()
    parts = (METADATA,) if record["format"] in VIDEO_FORMATS else record["counts"]["splits"]
    for part in parts:
        if f"{part}.lmdb/data.mdb" in unsound:
            yield Problem(f"{part}.lmdb", "is not opened, since its file is not the one that was written")
            continue
        try:
            if record["format"] in VIDEO_FORMATS:
                for said in check_video_files(folder, record, found, decode=decode, progress=progress):
                    yield Problem(*said)
            else:
                yield from _check_split(open_store(folder, part), record, found, decode=decode, progress=progress)
        except BadArtefact as error:
            yield Problem(part, f"cannot be read: {error.why}")
            damaged = True
        except FileNotFoundError:
            yield Problem(part, "is not looked at any further, since a file of it is missing")
            damaged = True
        except (OSError, pa.ArrowException, lmdb.Error, LookupError, TypeError, AttributeError, ValueError) as error:
            yield Problem(part, f"cannot be read: {why_of(error)}")
            damaged = True
    if not damaged:
        yield from _check_videos(videos, found)
        if found.total() != record["counts"]["frames"] or len(found) != record["counts"]["videos"]:
            counts = record["counts"]
            yield Problem(
                RECORD,
                f"counts {counts['frames']} frames of {counts['videos']} videos, the metadata has {found.total()} "
                f"of {len(found)}",
            )


def _check_files(folder: Path, record: Mapping[str, Any]) -> Iterator[Problem]:
    listed = record["files"]
    for name, facts in sorted(listed.items()):
        try:
            path = inner_path(folder, name)
        except ValueError as error:
            yield Problem(name, str(error))
            continue
        if not path.is_file():
            yield Problem(name, "is missing")
        elif path.stat().st_size != facts["size"]:
            yield Problem(name, f"has {path.stat().st_size} bytes, not {facts['size']}")
        elif file_sha256(path) != facts["sha256"]:
            yield Problem(name, "does not have the checksum it was written with")
    for said in check_tree(folder, record):
        yield Problem(*said)


def _check_videos(listed: Mapping[str, int], found: Mapping[str, int]) -> Iterator[Problem]:
    for video in sorted(listed.keys() | found.keys()):
        if listed.get(video, 0) != found.get(video, 0):
            yield Problem(VIDEOS, f"says {listed.get(video, 0)} frames of {video}, there are {found.get(video, 0)}")


def _check_split(
    store: FrameStore,
    record: Mapping[str, Any],
    found: Counter[str],
    *,
    decode: bool,
    progress: Callable[[], object] | None,
) -> Iterator[Problem]:
    table = store.table(_COLUMNS)
    if table.num_rows != len(store):
        yield Problem(store.split, f"has {table.num_rows} rows of metadata, {RECORD} says {len(store)} frames")
    keys = table.column("key").to_pylist()
    videos = table.column("video_id").to_pylist()
    found.update(videos)
    for key, times in Counter(keys).items():
        if times > 1:
            yield Problem(key, f"stands {times} times in the metadata")
    for key, video in zip(keys, videos, strict=True):
        if key.rpartition("_")[0] != video:
            yield Problem(key, f"is not a key of its video {video}")
    yield from _check_format(store, record["format"], keys)
    if decode:
        sizes = list(zip(*(table.column(name).to_pylist() for name in ("width", "height")), strict=True))
        yield from _check_pictures(store, keys, sizes, progress)


def _check_pictures(
    store: FrameStore, keys: list[str], sizes: list[tuple[int, int]], progress: Callable[[], object] | None
) -> Iterator[Problem]:
    """Decode every picture, a block at a time in threads."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        for block in store.blocks():
            read = [_read(store, index) for index in block if index < len(keys)]
            for index, what in zip(
                block, pool.map(_check_picture, read, sizes[block.start : block.stop]), strict=False
            ):
                if what:
                    yield Problem(keys[index], what)
                if progress:
                    progress()


def _read(store: FrameStore, index: int) -> bytes | str:
    """A stored picture, or why there is none."""
    try:
        return store.jpeg(index)
    except (KeyError, OSError, TypeError, ValueError) as error:
        return f"cannot be read: {why_of(error)}"


def _check_picture(jpeg: bytes | str, size: tuple[int, int]) -> str:
    """What is wrong with a picture; empty if nothing is."""
    if isinstance(jpeg, str):
        return jpeg
    try:
        height, width = simplejpeg.decode_jpeg(jpeg, colorspace="RGB").shape[:2]
    except ValueError as error:
        return f"cannot be decoded: {error}"
    return "" if (width, height) == size else f"is {width}x{height}, its row says {size[0]}x{size[1]}"


def _check_format(store: FrameStore, name: str, keys: list[str]) -> Iterator[Problem]:
    if isinstance(store, LmdbStore):
        yield from _check_lmdb(store, keys, _INDEX if name == "lmdb-generic" else frozenset())
    elif name in ("folders", "surgenet"):
        yield from _check_loose(store)
    elif name == "webdataset":
        yield from _check_tars(store, keys, sample_key)
        yield from _check_indexes(store)
    elif name == "dinov2":
        yield from _check_tars(store, keys)
        yield from _check_entries(store, keys)


def _check_lmdb(store: LmdbStore, keys: list[str], beside: frozenset[bytes]) -> Iterator[Problem]:
    """Each key has its row and each row its key; ``beside`` are entries that are no frames."""
    expected = {key.encode() for key in keys}
    with store.environment().begin() as transaction:
        for key in transaction.cursor().iternext(values=False):
            if key not in expected and key not in beside:
                yield Problem(key.decode(errors="replace"), "is in the environment but not in metadata.parquet")
            expected.discard(key)
    for key in sorted(expected):
        yield Problem(key.decode(), "is in metadata.parquet but not in the environment")


def _check_loose(store: FrameStore) -> Iterator[Problem]:
    table = store.table(["file", "size", "sha256"])
    expected = set()
    for name, size, checksum in zip(*(column.to_pylist() for column in table.columns), strict=True):
        expected.add(name)
        try:
            path = inner_path(store.folder, name)
        except ValueError as error:
            yield Problem(str(name), str(error))
            continue
        if not path.is_file():
            yield Problem(name, "is missing")
        elif path.stat().st_size != size or file_sha256(path) != checksum:
            yield Problem(name, "does not have the checksum it was written with")
    for path in sorted((store.folder / store.split).rglob(f"*{PICTURE}")):
        if (name := path.relative_to(store.folder).as_posix()) not in expected:
            yield Problem(name, "is not in metadata.parquet")


def _check_tars(store: FrameStore, keys: list[str], names: Callable[[str], str] = str) -> Iterator[Problem]:
    """Each picture's header stands before it and carries its key, or the name that is made of it."""
    table = store.table(["file", "offset"])
    for key, file, offset in zip(keys, *(column.to_pylist() for column in table.columns), strict=True):
        with open(inner_path(store.folder, file), "rb") as stream:
            stream.seek(offset - BLOCK)
            name = stream.read(100).rstrip(b"\0")
        if name != f"{names(key)}{PICTURE}".encode():
            yield Problem(key, f"{file} has {name!r} where it should be")


def _check_indexes(store: FrameStore) -> Iterator[Problem]:
    counts = Counter(store.table(["file"]).column(0).to_pylist())
    info = parse_json((store.folder / "_info.json").read_bytes())["splits"].get(store.split, {})
    sizes = parse_json((store.folder / "sizes.json").read_bytes())
    if dict(zip(info.get("filenames", ()), info.get("shard_lengths", ()), strict=True)) != counts:
        yield Problem("_info.json", f"does not agree with the tars of {store.split}")
    if any(sizes.get(name) != count for name, count in counts.items()):
        yield Problem("sizes.json", f"does not agree with the tars of {store.split}")


def _check_entries(store: FrameStore, keys: list[str]) -> Iterator[Problem]:
    entries = np.load(store.folder / f"{store.split}-extra" / "entries.npy", mmap_mode="r")
    offsets = store.table(["offset"]).column(0).to_numpy()
    if len(entries) != len(keys):
        yield Problem(f"{store.split}-extra/entries.npy", f"has {len(entries)} entries for {len(keys)} frames")
        return
    for key, entry, offset in zip(keys, entries, offsets, strict=True):
        if str(entry["filename"]) != f"{key}{PICTURE}" or int(entry["start_offset"]) != offset - BLOCK:
            yield Problem(key, f"{store.split}-extra/entries.npy points elsewhere")
