"""Files of neighbours for an export of a workspace: its frames, their embeddings, and the files."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from curate.corpus.nearest import Vectors
from curate.corpus.neighbours import VERSION, NeighbourOptions, SplitFrames, write_neighbours
from curate.errors import BadArtefact, CurateError
from curate.exports.formats.tables import METADATA
from curate.exports.reading.stores import open_record
from curate.files.atomic import commit, temporary_beside, write_atomic
from curate.files.bounded import parse_json, read_bounded
from curate.files.digest import digest, sha256_of
from curate.files.parquet import read_rows
from curate.records import VIDEO_ID
from curate.run.embeddings import OneModel
from curate.run.placing import corpus_folder
from curate.run.session import Session
from curate.workspace.tables.embeddings import EmbeddingModel, read_embeddings
from curate.workspace.tree import Workspace

FOLDER = "neighbours"
"""In the folder of the corpus: ``{split}.json`` for each split, and the note on what they were made of."""

NOTE = "made-of.json"
_LARGEST_NOTE = 1_000_000
_SPLIT = re.compile(r"[A-Za-z0-9_]{1,100}")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """The file of a split.

    Attributes:
        split: Its name.
        path: Of the file.
        frames: Frames in it.
        written: Whether it was written now, and not up to date.
    """

    split: str
    path: Path
    frames: int
    written: bool


@dataclass(frozen=True)
class _Video:
    """The frames of a video in a split: numbers in keys, numbers of samples, and seconds."""

    id: str
    numbers: list[int]
    samples: list[int]
    timestamps: list[float]


def make_neighbours(
    session: Session,
    export: str,
    options: NeighbourOptions,
    progress: Callable[[str, int], None] = lambda split, frames: None,
) -> list[Made]:
    """Write the file of neighbours of each split of an export, where it is not up to date.

    Args:
        session: The open workspace.
        export: Name of the export, such as ``lmdb-lemon``.
        options: How neighbours are chosen.
        progress: Told of each split's frames as they are written.

    Raises:
        CurateError: There is no such export, one of its frames has no vector, vectors are of different models, a split
            has too few frames, or another run is at work.
    """
    pipeline = session.pipeline
    with session.workspace.lock():
        pipeline.refresh()
        folder = session.workspace.exports_folder / export
        splits = _frames_of(folder)
        model, columns, sums = _embeddings(session, [video for videos in splits.values() for video in videos])
        made_of = {
            "version": VERSION,
            "export": export,
            "frames": digest({name: [asdict(video) for video in videos] for name, videos in splits.items()}),
            "vectors": digest(sums),
            "model": model.identity,
            "options": asdict(options) | {"search": {**asdict(options.search), "threads": 0}},
        }
        target = _folder(session.workspace)
        if (known := _up_to_date(target, digest(made_of))) is not None:
            return [Made(name, target / f"{name}.json", frames, False) for name, frames in known.items()]
        made = [_write(session, target, name, splits[name], columns, options, progress) for name in splits]
        for path in target.glob("*.json"):
            if path.name != NOTE and path.stem not in splits:
                path.unlink()
        files = {
            m.split: {"frames": m.frames, "sha256": sha256_of(m.path), "size": m.path.stat().st_size} for m in made
        }
        note = {"fingerprint": digest(made_of), "made_of": made_of, "model": asdict(model), "files": files}
        write_atomic(target / NOTE, (json.dumps(note, indent=1, sort_keys=True) + "\n").encode())
    return made


def _frames_of(folder: Path) -> dict[str, list[_Video]]:
    """The frames of an export by split and video.

    Raises:
        CurateError: It is no export of pictures.
    """
    open_record(folder)
    splits: dict[str, list[_Video]] = {}
    columns = ("split", "video_id", "key", "n", "timestamp")
    try:
        rows = read_rows(folder / METADATA, columns)
        for (split, video), group in groupby(rows, lambda row: (row[0], row[1])):
            if not VIDEO_ID.fullmatch(video) or not _SPLIT.fullmatch(split):
                raise CurateError(f"{folder}: {split!r} or {video!r} is not the name of a split or the id of a video")
            shown = _Video(video, [], [], [])
            for _, _, key, n, timestamp in group:
                number = key.removeprefix(f"{video}_")
                if not number.isdecimal():
                    raise CurateError(f"{folder}: {key!r} is no key of a frame of {video}")
                shown.numbers.append(int(number))
                shown.samples.append(n)
                shown.timestamps.append(timestamp)
            splits.setdefault(split, []).append(shown)
    except BadArtefact as error:
        raise CurateError(f"{folder} has no table of frames that can be read: {error}") from error
    if not splits:
        raise CurateError(f"{folder} shows no frame")
    return splits


def _embeddings(session: Session, videos: list[_Video]) -> tuple[EmbeddingModel, int, dict[str, str]]:
    """The one model of all vectors, their columns, and a digest of each video's table.

    Raises:
        CurateError: A video has no embedding, a damaged one, or one of another model.
    """
    pipeline = session.pipeline
    if "embed" not in pipeline.specs:
        raise CurateError("no embedding was made: run 'curate embed --model default' first")
    by_id = {video.id: video for video in pipeline.videos}
    one = OneModel()
    sums: dict[str, str] = {}
    lacking = []
    for shown in videos:
        video = by_id.get(shown.id)
        path = None if video is None else pipeline.made(video, "embed")
        if video is None or path is None:
            lacking.append(shown.id)
            continue
        seal = pipeline.seals(video, ["embed"]).get("embed", {}).get(path)
        if seal is not None and not seal.holds(path):
            pipeline.send_back_damaged([video])
            raise CurateError(f"{path} is damaged: run 'curate embed', which makes it again, and then this")
        one.take(shown.id, path)
        sums[shown.id] = seal.sha256 if seal is not None else sha256_of(path)
    if lacking:
        raise CurateError(
            f"{len(lacking)} videos of the export have no embedding, such as {lacking[0]}: run 'curate embed' first"
        )
    return *one.found, sums


def _write(
    session: Session,
    target: Path,
    split: str,
    videos: list[_Video],
    columns: int,
    options: NeighbourOptions,
    progress: Callable[[str, int], None],
) -> Made:
    path = target / f"{split}.json"
    rows = sum(len(video.numbers) for video in videos)
    with _mapped(target, rows, columns) as vectors:
        _fill(session, videos, vectors)
        frames = SplitFrames(
            split,
            [video.id for video in videos],
            np.repeat(np.arange(len(videos), dtype=np.int32), [len(video.numbers) for video in videos]),
            np.fromiter((n for video in videos for n in video.numbers), np.int32, rows),
            np.fromiter((t for video in videos for t in video.timestamps), np.float64, rows),
            vectors,
        )
        temporary = temporary_beside(path)
        try:
            with open(temporary, "w", encoding="ascii") as stream:
                write_neighbours(frames, options, stream, lambda count: progress(split, count))
            commit({temporary: path})
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return Made(split, path, rows, True)


@contextmanager
def _mapped(folder: Path, rows: int, columns: int) -> Iterator[Vectors]:
    """Room for vectors in a file that is mapped into memory, and gone afterwards."""
    temporary = temporary_beside(folder / "vectors")
    try:
        with open(temporary, "r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, 2 * rows * columns)
        yield np.memmap(temporary, np.float16, "r+", shape=(rows, columns))
    finally:
        temporary.unlink(missing_ok=True)


def _fill(session: Session, videos: list[_Video], vectors: Vectors) -> None:
    """Put the vectors of the frames of a split one after the other.

    Raises:
        CurateError: A frame has none.
    """
    by_id = {video.id: video for video in session.pipeline.videos}
    start = 0
    for shown in videos:
        path = session.pipeline.artefact(by_id[shown.id], "embed")
        place = {n: start + i for i, n in enumerate(shown.samples)}
        try:
            for numbers, part in read_embeddings(path):
                wanted = [(i, place.pop(n)) for i, n in enumerate(numbers.tolist()) if n in place]
                if wanted:
                    rows, places = zip(*wanted, strict=True)
                    vectors[list(places)] = part[list(rows)]
        except BadArtefact as error:
            raise CurateError(f"{error}: run 'curate embed' again") from error
        if place:
            raise CurateError(
                f"{len(place)} frames of {shown.id} in the export have no vector, such as sample {min(place)}: "
                "every frame needs one, so embed with --spacing 0"
            )
        start += len(shown.samples)


def _folder(workspace: Workspace) -> Path:
    """The folder of the files; links that stand in its place, which may lead anywhere, are taken away."""
    corpus = corpus_folder(workspace)
    for path in (corpus, corpus / FOLDER):
        if path.is_symlink():
            path.unlink()
        path.mkdir(exist_ok=True)
    return corpus / FOLDER


def _up_to_date(folder: Path, fingerprint: str) -> dict[str, int] | None:
    """Frames by split of the files that are there, if they are what would be written now."""
    try:
        note: Any = parse_json(read_bounded(folder / NOTE, _LARGEST_NOTE))
        if note["fingerprint"] != fingerprint:
            return None
        whole = all((folder / f"{name}.json").stat().st_size == file["size"] for name, file in note["files"].items())
        return {name: int(file["frames"]) for name, file in note["files"].items()} if whole else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def forget_neighbours(workspace: Workspace) -> list[Path]:
    """Remove the files of neighbours, which name the frames of every video; the next command makes them again.

    Returns:
        What was removed.
    """
    folder = corpus_folder(workspace) / FOLDER
    if folder.is_symlink():
        folder.unlink()
        return [folder]
    removed = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_symlink() or path.is_file():
            path.unlink()
            removed.append(path)
    return removed
