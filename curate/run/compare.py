"""What the videos of a corpus share across its sources: hashes of each, and the table of matches.

Videos of workspaces that have a signature are taken with it; those of others, and foreign frames, are hashed here in
the same way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from curate.config import DedupOptions, SignatureOptions
from curate.corpus.matching import Signed as HashedVideo
from curate.corpus.matching import find_matches
from curate.errors import BadArtefact, CurateError
from curate.exports.plan.plan import ExportEntry
from curate.files.ahead import map_ahead
from curate.files.atomic import commit, temporary_beside, write_atomic
from curate.files.bounded import parse_json, read_bounded
from curate.files.digest import digest
from curate.files.machine import usable_cores
from curate.records import Done, Video
from curate.run.pipeline import Pipeline
from curate.stage import Files
from curate.stages.signature import SignatureStage
from curate.workspace.seals import Seal
from curate.workspace.tables.duplicates import read_fingerprint, write_matches

VERSION = 1
"""Raised when the table changes for unchanged signatures and options."""


class Signed(NamedTuple):
    """A table of hashes, and its hex SHA-256."""

    path: Path
    sha256: str


class Compared(NamedTuple):
    """A video to be compared: its artefacts under its id in the corpus, and its hashes if its workspace has them."""

    entry: ExportEntry
    signature: Signed | None


def signed(pipeline: Pipeline, video: Video) -> Signed | None:
    """The hashes that a workspace has of a video; ``None`` where the stage is off or they are not as it left them."""
    path = pipeline.made(video, SignatureStage.name)
    seal = pipeline.seals(video, [SignatureStage.name]).get(SignatureStage.name, {}).get(path) if path else None
    return Signed(path, seal.sha256) if path is not None and seal is not None and seal.holds(path) else None


def hash_videos(videos: Sequence[Compared], out: Path) -> tuple[dict[str, Signed], dict[str, str]]:
    """The hashes of videos by their ids; those that have none are hashed into ``signatures/`` of the corpus.

    Returns:
        Hashes by id; and ids of videos whose artefacts cannot be read, with why.
    """
    folder = out / "signatures"
    folder.mkdir(exist_ok=True)
    threads = usable_cores()
    hashed = map_ahead(lambda one: one.signature or _hash(one.entry, folder), videos, threads=threads, most=2 * threads)
    signatures: dict[str, Signed] = {}
    failures: dict[str, str] = {}
    for one, found in zip(videos, hashed, strict=True):
        if isinstance(found, Signed):
            signatures[one.entry.video.id] = found
        else:
            failures[one.entry.video.id] = found
    return signatures, failures


def make_matches(
    signatures: Mapping[str, Signed],
    options: DedupOptions,
    out: Path,
    progress: Callable[[int], None] = lambda videos: None,
) -> None:
    """Compare videos with one another, unless that was done: ``corpus/duplicates.parquet`` of the corpus.

    Args:
        signatures: Hashes by id.
        options: By which pictures are looked up.
        out: Folder of the corpus.
        progress: Called with the number of videos compared so far.

    Raises:
        CurateError: A table of hashes cannot be read.
    """
    hashes = sorted((name, found.sha256) for name, found in signatures.items())
    lookup = {name: getattr(options, name) for name in ("distance", "quality")}
    path, fingerprint = out / "corpus" / "duplicates.parquet", digest([VERSION, lookup, hashes])
    if _is_current(path, fingerprint):
        return
    path.parent.mkdir(exist_ok=True)
    temporary = temporary_beside(path)
    try:
        matches = find_matches([HashedVideo(name, one.path) for name, one in signatures.items()], options, progress)
        write_matches(temporary, matches, fingerprint)
        commit({temporary: path})
    except BadArtefact as error:
        raise CurateError(f"{error}: delete it, and build again") from error
    finally:
        temporary.unlink(missing_ok=True)


def _is_current(path: Path, fingerprint: str) -> bool:
    try:
        return path.exists() and read_fingerprint(path) == fingerprint
    except BadArtefact:
        return False


def _hash(entry: ExportEntry, folder: Path) -> Signed | str:
    """The hashes of a video, made unless they are there and of the same artefacts; else why they cannot be made."""
    inputs = {"sample": entry.frames, "trim": entry.verdicts}
    inputs |= {"mask": entry.regions} if entry.regions is not None else {}
    inputs |= {"field": entry.fields} if entry.fields is not None else {}
    seals = {name: entry.sealed.seal(path) or Seal.of(path) for name, path in inputs.items()}
    made_from = digest([SignatureStage.version, {name: seal.sha256 for name, seal in seals.items()}])
    path, note = folder / f"{entry.video.id}.parquet", folder / f"{entry.video.id}.json"
    if (known := _known(note, made_from)) is not None and known.holds(path):
        return Signed(path, known.sha256)
    files = Files(inputs, folder, entry.video.id)
    outcome = SignatureStage(SignatureOptions(method="hashes")).process(entry.video, files)
    if not isinstance(outcome, Done) or outcome.artefact is None:
        return f"cannot be hashed: {getattr(outcome, 'detail', '')}"
    commit({outcome.artefact: path})
    seal = Seal.of(path)
    told = {"made_from": made_from, "size": seal.size, "sha256": seal.sha256}
    write_atomic(note, json.dumps(told, sort_keys=True).encode())
    return Signed(path, seal.sha256)


def _known(note: Path, made_from: str) -> Seal | None:
    try:
        told = parse_json(read_bounded(note, 10_000))
        return Seal(int(told["size"]), str(told["sha256"])) if told["made_from"] == made_from else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
