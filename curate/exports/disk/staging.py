"""An export in the making: it appears whole or not at all, and one that was killed goes on where it stood.

Beside the final folder ``{name}`` lies ``.{name}.tmp`` while an export is written::

    export/          what becomes the final folder, by one rename
    scratch/         what is needed on the way only
    journal.jsonl    what is finished

The first line of the journal says what the export is made from, every further one tells of a finished chunk: some
frames in a row, or all files of a video, with the sizes and checksums of the files as they were then. An export that
is started again with the same input and options reads every file of the journal, keeps all up to the first that is not
as it was written, cuts files that have grown since back, removes everything else, and goes on from there. Since
chunks are written from the same input in the same order, the result has the same bytes as an undisturbed export.

LMDB writes no chunks: its one file a split begins anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.exports.disk.checksums import Checksums, Sum
from curate.exports.disk.folder import PICTURE, RECORD, is_inner, old_of, recover, restore, staging_of
from curate.files.atomic import clear, clear_planted, sync_folder
from curate.files.bounded import lines_bounded, open_regular, parse_json
from curate.files.digest import digest
from curate.workspace.seals import DamagedArtefact

CHUNK_BYTES = 128_000_000
"""Bytes of pictures after which a chunk ends where nothing else ends it."""

_LONGEST_LINE = 64_000_000
"""Bytes of a line of the journal, at most; a chunk of small loose pictures names some thousands of them."""

_JOURNAL = "journal.jsonl"
_EXPORT = "export"
_SCRATCH = "scratch"


@dataclass(frozen=True)
class Chunk:
    """Something that is finished.

    Attributes:
        part: What it is a chunk of: a split, a class of a split, a video.
        frames: Frames in it.
        facts: Whatever its writer must know to go on, as JSON.
    """

    part: str
    frames: int
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ExportInputs:
    """What an export is made from.

    Attributes:
        fingerprint: Of the whole input, the options and the format.
        plan: Fingerprint of the plan, which says less where a video is broken.
        broken: Videos that were found to be broken on the way, with the reason.
    """

    fingerprint: str
    plan: str
    broken: Mapping[str, str]


class Staging:
    """What `staged` gives out.

    Attributes:
        folder: Becomes the export; empty unless a killed one goes on.
        scratch: Folder for what is needed on the way only.
        chunks: What is finished, in the order in which it was.
        checksums: Sums of the files.
    """

    def __init__(self, root: Path, inputs: ExportInputs, checksums: Checksums) -> None:
        self._root = root
        self.folder, self.scratch = root / _EXPORT, root / _SCRATCH
        self.checksums = checksums
        self.chunks: list[Chunk] = []
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Chunk, dict[str, Future[Sum]], dict[str, Any]]] = deque()
        self._resume(inputs)

    def of(self, part: str) -> list[Chunk]:
        """Finished chunks of a part."""
        return [chunk for chunk in self.chunks if chunk.part == part]

    def frames(self, part: str) -> int:
        """Frames of a part that are finished."""
        return sum(chunk.frames for chunk in self.of(part))

    def finished(
        self, chunk: Chunk, files: Iterable[Path], summed: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        """Note a chunk; it counts once its files are summed.

        Args:
            chunk: What is finished.
            files: All its files, which may grow by later chunks.
            summed: ``size`` and ``sha256`` of further files by path below `folder`, loose pictures for example.
        """
        sums = {path.relative_to(self._root).as_posix(): self.checksums.written(path) for path in files}
        others = {f"{_EXPORT}/{name}": dict(facts) for name, facts in (summed or {}).items()}
        with self._lock:
            self.chunks.append(chunk)
            self._waiting.append((chunk, sums, others))
        for future in sums.values():
            future.add_done_callback(lambda _: self._note())
        self._note()

    def _note(self) -> None:
        """Write the chunks whose files are summed into the journal, in order."""
        with self._lock:
            while self._waiting and all(future.done() for future in self._waiting[0][1].values()):
                chunk, sums, others = self._waiting[0]
                if any(future.cancelled() or future.exception() for future in sums.values()):
                    return
                sums_now = {name: future.result() for name, future in sums.items()}
                files = {
                    name: {"size": known.size, "sha256": known.sha256} for name, known in sums_now.items()
                } | others
                line = {"part": chunk.part, "frames": chunk.frames, "facts": chunk.facts, "files": files}
                self._append(json.dumps(line))
                self._waiting.popleft()

    def _append(self, line: str) -> None:
        with open(self._root / _JOURNAL, "a", encoding="ascii") as stream:
            stream.write(f"{line}\n")

    def _resume(self, inputs: ExportInputs) -> None:
        """Take over what is there, remove what is not to be used, and begin the journal anew.

        Links are removed first: what lies here may come from a stranger, and is written to and cut.
        """
        clear_planted(self._root)
        kept: list[str] = []
        sums: dict[str, Sum] = {}
        with contextlib.closing(_journal_lines(self._root, digest(_header(inputs)))) as lines:
            for line in lines:
                try:
                    chunk, files = _parse_chunk(line)
                except (ValueError, KeyError, TypeError, AttributeError):  # a power failure may leave anything
                    break
                if not self._is_sound(files, sums):
                    break
                kept.append(line)
                self.chunks.append(chunk)
        if not kept:
            clear(self._root)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.scratch.mkdir(exist_ok=True)
        _tidy(self._root, {name: known.size for name, known in sums.items()})
        for name, known in sums.items():
            self.checksums.known(self._root / name, known)
        fresh = self._root / f"{_JOURNAL}.new"
        fresh.write_text("".join(f"{line}\n" for line in (json.dumps(_header(inputs)), *kept)), encoding="ascii")
        os.replace(fresh, self._root / _JOURNAL)

    def _is_sound(self, files: Mapping[str, Mapping[str, Any]], sums: dict[str, Sum]) -> bool:
        """Whether all files of a chunk are as they were written; adds their sums, but not those of pictures."""
        found = {}
        for name, facts in files.items():
            try:
                with open(self._root / name, "rb") as stream:
                    found[name] = sums.get(name, Sum()).extended(stream, facts["size"])
            except OSError:
                return False
            if (found[name].size, found[name].sha256) != (facts["size"], facts["sha256"]):
                return False
        sums |= {name: known for name, known in found.items() if not name.endswith(PICTURE)}
        return True


@contextlib.contextmanager
def staged(final: Path, inputs: ExportInputs) -> Iterator[Staging]:
    """Fill a folder in a ``with`` block and put it in the place of an older one.

    Should the block raise an error, the older folder stays and what was written is removed. A kill, an interrupt or a
    damaged artefact, which will be made again, leaves the old folder or the new one, and what is finished for the next
    call with the same inputs; between the two renames the old one waits as ``.{name}.old``.

    Yields:
        Where to write, with what was finished before.

    Raises:
        CurateError: The final folder is there and was not written by an export.
    """
    restore(final)
    if final.exists() and not (final / RECORD).is_file():
        raise CurateError(f"{final} was not written by curate (it has no {RECORD}): move it away and export again")
    try:
        with Checksums() as checksums:
            staging = Staging(staging_of(final), inputs, checksums)
            yield staging
            _sync_tree(staging.folder)
    except DamagedArtefact:
        raise
    except Exception:
        with contextlib.suppress(OSError):
            clear(staging_of(final))
        raise
    if final.exists():
        os.replace(final, old_of(final))
    os.replace(staging.folder, final)
    sync_folder(final.parent)
    recover(final)


def broken_before(final: Path, fingerprint: str) -> dict[str, str]:
    """Videos that a killed export with this fingerprint found to be broken, so that it goes on without them."""
    try:
        with open_regular(staging_of(final) / _JOURNAL) as stream:
            header = parse_json(stream.readline(_LONGEST_LINE))
        broken = header["broken"] if header["fingerprint"] == fingerprint else {}
        return {str(video): str(why) for video, why in broken.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _header(inputs: ExportInputs) -> dict[str, Any]:
    return {"fingerprint": inputs.fingerprint, "plan": inputs.plan, "broken": dict(inputs.broken)}


def _journal_lines(root: Path, header: str) -> Generator[str, None, None]:
    """The whole lines of a journal after its first, one by one; none if that has another digest."""
    try:
        stream = open_regular(root / _JOURNAL)
    except (OSError, ValueError):
        return
    with stream:
        try:
            found = digest(parse_json(stream.readline(_LONGEST_LINE)))
        except ValueError:
            return
        for line in lines_bounded(stream, _LONGEST_LINE) if found == header else ():
            if line is None or not line.endswith(b"\n"):
                return
            yield line[:-1].decode("ascii", "replace")


def _parse_chunk(line: str) -> tuple[Chunk, dict[str, dict[str, Any]]]:
    """A chunk and its files.

    Raises:
        ValueError: The line is not JSON, or says something that no chunk can be.
        KeyError: Something is missing.
        TypeError: Something is of another type.
        AttributeError: Likewise.
    """
    said = parse_json(line)
    chunk, files = Chunk(said["part"], said["frames"], dict(said["facts"])), said["files"]
    if not isinstance(chunk.part, str) or type(chunk.frames) is not int or chunk.frames < 0:
        raise ValueError("no chunk")
    for name, facts in files.items():
        if not is_inner(name) or type(facts["size"]) is not int or facts["size"] < 0:
            raise ValueError(f"no file of an export: {name}")
    return chunk, files


def _tidy(root: Path, sizes: Mapping[str, int]) -> None:
    """Cut files back to these sizes, and remove all others but loose pictures, which will be written over."""
    for place, folders, names in os.walk(root, topdown=False):
        for name in names:
            path = Path(place) / name
            size = sizes.get(path.relative_to(root).as_posix())
            if size is not None:
                if path.stat().st_size > size:
                    os.truncate(path, size)
            elif path.suffix != PICTURE and name != _JOURNAL:
                path.unlink()
        for name in folders:
            path = Path(place) / name
            if path not in (root / _EXPORT, root / _SCRATCH):
                with contextlib.suppress(OSError):  # it is not empty
                    path.rmdir()


def _sync_tree(folder: Path) -> None:
    """Flush a tree to disk; one call for the whole system where loose pictures would need one each."""
    if next(folder.rglob(f"*{PICTURE}"), None):
        os.sync()
        return
    for root, _, names in os.walk(folder):
        for name in names:
            with open(Path(root) / name, "rb") as stream:
                os.fsync(stream.fileno())
        sync_folder(Path(root))
