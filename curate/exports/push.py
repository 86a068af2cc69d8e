"""Copying an export to object storage and keeping the copy in step with it.

The export on disk stays the source of truth. ``export.json`` is removed from the copy before anything in it changes and
comes back last, so that a reader finds a whole export or none. While a copy is incomplete ``_push.json`` tells which of
its files are right, so that an interrupted push goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
from pyarrow import fs

from curate.errors import BadArtefact, CurateError, why_of
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.folder import RECORD, inner_path, is_inner
from curate.exports.formats.tables import METADATA
from curate.exports.reading.stores import open_record
from curate.files.bounded import parse_json
from curate.files.disk import FULL
from curate.files.parquet import read_rows
from curate.files.urls import redact, redact_url

JOURNAL = "_push.json"
"""Name of the list of files that are right in an incomplete copy."""

_CHUNK = 8 << 20
_THREADS = 8
_BATCH_FILES = 512
_BATCH_BYTES = 2 << 30
_JOURNAL_SECONDS = 30
_OBJECT_STORES = ("s3", "gcs", "abfs")
"""Types of file systems in which folders need not be made."""

_HINTS = (
    ("NO_SUCH_BUCKET", "there is no such bucket: make it first"),
    ("NETWORK_CONNECTION", "the endpoint cannot be reached: check the network and endpoint_override"),
    ("INVALID_ACCESS_KEY_ID", "the access key is not known there: check the credentials"),
    ("SIGNATURE", "the secret key is wrong: check the credentials"),
    ("ACCESS_DENIED", "access is denied: check the credentials and the rights on the bucket"),
    ("credential", "check the credentials"),
)


@dataclass(frozen=True)
class PushSummary:
    """What a push did.

    Attributes:
        files: Files of the export, ``export.json`` included.
        copied: How many of them were copied.
        copied_bytes: Their size.
        removed: Files that were removed since they are not part of the export any more.
    """

    files: int
    copied: int
    copied_bytes: int
    removed: int


def push_export(folder: Path, url: str, *, progress: Callable[[int], object] | None = None) -> PushSummary:
    """Make the place that ``url`` names an exact copy of an export, by copying only what differs.

    A file is taken as right if it has its size and the copy's own record, or the journal of an interrupted push, tells
    its checksum. What is to be copied is summed before the copy is touched, and again while it is read: a damaged
    export is refused and changes nothing. What arrived is held against its size, and in folders of this machine
    against its checksum.

    Args:
        folder: Folder of one export, of any format.
        url: ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``file:///folder`` or another that
            `pyarrow.fs.FileSystem.from_uri` knows, with its options, such as ``?endpoint_override=host:port``. The
            place must be empty or hold an earlier copy of an export in this format; it belongs to the copy as a whole.
        progress: Called with the number of bytes each time some were copied.

    Raises:
        CurateError: The export is damaged or none; the place cannot be reached or written, or holds something else.
    """
    record = open_record(folder)
    files = files_of(folder, record)
    place = _Place.open(url)
    try:
        return _Push(folder, record, files, place, progress or (lambda count: None)).run()
    except (OSError, pa.ArrowException) as error:
        raise place.trouble(error) from error


def files_of(folder: Path, record: Mapping[str, Any]) -> dict[str, FileFacts]:
    """All files of an export but its record, loose pictures included, by relative path.

    Raises:
        CurateError: The table of loose pictures cannot be read, or a name leads out of the export.
    """
    files = {name: FileFacts(facts["size"], facts["sha256"]) for name, facts in record["files"].items()}
    if "loose_bytes" in record:
        try:
            files |= _loose(inner_path(folder, METADATA))
        except (BadArtefact, ValueError) as error:
            why = error.why if isinstance(error, BadArtefact) else error
            raise CurateError(f"{folder / METADATA} cannot be read: {why}; see 'curate verify {folder}'") from error
    if outside := next((name for name in files if not is_inner(name)), None):
        raise CurateError(f"{folder} names {outside!r}, which leads out of the export: see 'curate verify {folder}'")
    return files


def _loose(table: Path | IO[bytes]) -> dict[str, FileFacts]:
    """Loose pictures that a table of frames tells of.

    Raises:
        BadArtefact: The table cannot be read.
    """
    return {name: FileFacts(size, sha256) for name, size, sha256 in read_rows(table, ("file", "size", "sha256"))}


@dataclass(frozen=True)
class _Place:
    """A folder of a file system that may be far away.

    Attributes:
        system: The file system.
        base: Path of the folder in it.
        shown: The URL without credentials and options.
    """

    system: fs.FileSystem
    base: str
    shown: str

    @classmethod
    def open(cls, url: str) -> _Place:
        shown = redact_url(url.partition("?")[0])
        if "://" not in url:
            raise CurateError(f"{shown!r} is not a URL: write s3://bucket/prefix, gs://bucket/prefix or file:///folder")
        try:
            system, base = fs.FileSystem.from_uri(url)
        except (pa.ArrowException, OSError) as error:
            why = why_of(error).replace(url, shown)
            raise CurateError(f"{shown} cannot be used: {why}; known are s3://, gs:// and file://") from error
        place = cls(system, base.rstrip("/"), shown)
        place.check_bucket()
        return place

    def check_bucket(self) -> None:
        if self.system.type_name in _OBJECT_STORES:
            bucket = self.base.partition("/")[0]
            try:
                kind = self.system.get_file_info(bucket).type
            except OSError as error:
                raise self.trouble(error) from error
            if kind == fs.FileType.NotFound:
                raise CurateError(f"{self.shown}: there is no bucket {bucket!r}, or it is hidden: make it first")

    def trouble(self, error: Exception) -> CurateError:
        """An error of the file system in the user's terms."""
        text = redact(why_of(error))
        hint = next((hint for mark, hint in _HINTS if mark in text), "check the URL, the credentials and the network")
        if isinstance(error, OSError) and error.errno in FULL:
            hint = "free space there, then push again: what is copied stays"
        return CurateError(f"{self.shown}: {hint} ({text})")

    def listing(self) -> tuple[dict[str, int], set[str]]:
        """Size of every file by relative path, and the folders."""
        found = self.system.get_file_info(fs.FileSelector(self.base, recursive=True, allow_not_found=True))
        cut = len(self.base) + 1
        files = {info.path[cut:]: info.size for info in found if info.type == fs.FileType.File}
        folders = {info.path[cut:] for info in found if info.type == fs.FileType.Directory}
        return {name: size for name, size in files.items() if name}, folders - {""}

    def read(self, name: str) -> bytes:
        with self.system.open_input_stream(f"{self.base}/{name}") as stream:
            return bytes(stream.read())

    def write(self, name: str, pieces: Iterator[bytes]) -> None:
        path = f"{self.base}/{name}"
        if self.system.type_name not in _OBJECT_STORES:
            self.system.create_dir(path.rpartition("/")[0], recursive=True)
        with self.system.open_output_stream(path) as stream:
            for piece in pieces:
                stream.write(piece)

    def holds(self, name: str, file: FileFacts) -> bool:
        """Whether a file arrived: by its size, and by its checksum where reading it again costs no transfer."""
        path = f"{self.base}/{name}"
        if self.system.get_file_info(path).size != file.size:
            return False
        if self.system.type_name != "local":
            return True
        with self.system.open_input_stream(path) as stream:
            checksum = hashlib.sha256()
            while piece := stream.read(_CHUNK):
                checksum.update(piece)
        return checksum.hexdigest() == file.sha256

    def remove(self, name: str) -> None:
        self.system.delete_file(f"{self.base}/{name}")

    def remove_folder(self, name: str) -> None:
        self.system.delete_dir(f"{self.base}/{name}")


@dataclass
class _Push:
    """One call of `push_export`."""

    folder: Path
    record: Mapping[str, Any]
    files: Mapping[str, FileFacts]
    place: _Place
    progress: Callable[[int], object]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> PushSummary:
        """Bring the copy in step."""
        local = (self.folder / RECORD).read_bytes()
        there, folders = self.place.listing()
        known = self._known(there)
        right = {name for name, file in self.files.items() if known.get(name) == file and there.get(name) == file.size}
        wrong = [name for name in self.files if name not in right]
        surplus = sorted(there.keys() - self.files.keys() - {RECORD, JOURNAL})
        stale = _topmost(folders - _folders(self.files))
        same = RECORD in there and self.place.read(RECORD) == local
        if same and not (wrong or surplus or stale):
            if JOURNAL in there:
                self.place.remove(JOURNAL)
            return PushSummary(len(self.files) + 1, 0, 0, 0)
        self._check(wrong)
        self._write_journal(right)
        if RECORD in there:
            self.place.remove(RECORD)
        self._copy(wrong, right)
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(self.place.remove, surplus))
        if surplus or stale:
            for folder in _topmost(self.place.listing()[1] - _folders(self.files)):
                self.place.remove_folder(folder)
        self.place.write(RECORD, iter([local]))
        self.place.remove(JOURNAL)
        size = sum(self.files[name].size for name in wrong) + len(local)
        return PushSummary(len(self.files) + 1, len(wrong) + 1, size, len(surplus))

    def _check(self, names: Sequence[str]) -> None:
        """Sum the files that are to be copied.

        Raises:
            CurateError: One is not as it was written.
        """
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(lambda name: deque(self._read(name), maxlen=0), names):
                pass

    def _known(self, there: Mapping[str, int]) -> dict[str, FileFacts]:
        """Files of which the copy itself tells the checksum.

        Raises:
            CurateError: The place holds something that no push put there, or another format.
        """
        if not there:
            return {}
        source = next((name for name in (RECORD, JOURNAL) if name in there), None)
        try:
            told: dict[str, Any] = parse_json(self.place.read(source)) if source else {}
            kind, listed = told["format"], told["files"]
            known = {name: FileFacts(facts["size"], facts["sha256"]) for name, facts in listed.items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise CurateError(
                f"{self.place.shown} is not empty and holds no copy of an export: name an empty place"
            ) from None
        if kind != self.record["format"]:
            raise CurateError(f"{self.place.shown} holds an export in the format {kind}: name another place")
        if source == RECORD and "loose_bytes" in told and METADATA in there:
            if known.get(METADATA) == self.files[METADATA]:
                loose = self.files.keys() - self.record["files"].keys()
                return known | {name: self.files[name] for name in loose}
            try:
                known |= _loose(io.BytesIO(self.place.read(METADATA)))
            except BadArtefact:
                return known  # a damaged table tells of no picture
        return known

    def _copy(self, names: Sequence[str], right: set[str]) -> None:
        """Copy files, and note from time to time which are right."""
        noted = time.monotonic()
        with ThreadPoolExecutor(_THREADS) as pool:
            try:
                for batch in self._batches(names):
                    list(pool.map(self._upload, batch))
                    right.update(batch)
                    if time.monotonic() - noted > _JOURNAL_SECONDS:
                        self._write_journal(right)
                        noted = time.monotonic()
            except BaseException:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                self._note_what_is_done(right)
                raise

    def _note_what_is_done(self, right: set[str]) -> None:
        try:
            self._write_journal(right)
        except (OSError, pa.ArrowException):
            return  # the older journal stands, and claims less

    def _batches(self, names: Sequence[str]) -> Iterator[list[str]]:
        batch: list[str] = []
        size = 0
        for name in names:
            batch.append(name)
            size += self.files[name].size
            if len(batch) == _BATCH_FILES or size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _upload(self, name: str) -> None:
        if self._stopped.is_set():
            return
        try:
            self.place.write(name, self._pieces(name))
        except CurateError:
            self.place.remove(name)  # it changed while it was read
            raise
        if not self._stopped.is_set() and not self.place.holds(name, self.files[name]):
            raise CurateError(f"{self.place.shown}/{name} did not arrive as it was sent: push again")

    def _pieces(self, name: str) -> Iterator[bytes]:
        """As `_read`, and tell of the progress."""
        for piece in self._read(name):
            yield piece
            with self._lock:
                self.progress(len(piece))

    def _read(self, name: str) -> Iterator[bytes]:
        """A local file piece by piece, its checksum taken on the way.

        Raises:
            CurateError: It cannot be read, or is not as it was written.
        """
        path, checksum = self.folder / name, hashlib.sha256()
        try:
            with open(inner_path(self.folder, name), "rb") as stream:
                while not self._stopped.is_set() and (piece := stream.read(_CHUNK)):
                    checksum.update(piece)
                    yield piece
        except OSError as error:
            raise CurateError(f"{path} cannot be read: {error.strerror}; see 'curate verify {self.folder}'") from error
        except ValueError as error:
            raise CurateError(f"{path} {error}, so it is not copied: see 'curate verify {self.folder}'") from error
        if not self._stopped.is_set() and checksum.hexdigest() != self.files[name].sha256:
            raise CurateError(
                f"{path} does not have the checksum it was written with, so nothing more is copied: "
                f"see 'curate verify {self.folder}', and export again"
            )

    def _write_journal(self, right: set[str]) -> None:
        files = {name: {"size": self.files[name].size, "sha256": self.files[name].sha256} for name in sorted(right)}
        data = json.dumps({"format": self.record["format"], "files": files}).encode()
        self.place.write(JOURNAL, iter([data]))


def _folders(files: Mapping[str, FileFacts]) -> set[str]:
    """Folders in which files stand, with those above them."""
    direct = {name.rpartition("/")[0] for name in files}
    return {"/".join(parts[:n]) for parts in (name.split("/") for name in direct) for n in range(1, len(parts) + 1)}


def _topmost(folders: set[str]) -> list[str]:
    """Those folders that are in none of the others."""
    return sorted(name for name in folders if not any(above in folders for above in _above(name)))


def _above(name: str) -> Iterator[str]:
    parts = name.split("/")
    return ("/".join(parts[:n]) for n in range(1, len(parts)))
