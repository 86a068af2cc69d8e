"""Fetching an export from the Hugging Face hub.

The record of the export says which files belong to it, and nothing else is fetched. Everything arrives beside the
folder and takes its place when it is whole; a pull that was ended goes on where it stopped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import CurateError, why_of
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.folder import LARGEST_RECORD, RECORD, inner_path, link, load_record
from curate.exports.formats.tables import METADATA
from curate.exports.hub.place import HubPlace, RemoteFile
from curate.exports.push import files_of

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_THREADS = 8


@dataclass(frozen=True)
class PullSummary:
    """What a pull did.

    Attributes:
        files: Files of the export, ``export.json`` included.
        fetched: How many of them were fetched now.
        fetched_bytes: Their size.
        commit: The commit that they are of.
    """

    files: int
    fetched: int
    fetched_bytes: int
    commit: str


def pull_from_hub(url: str, folder: Path, *, progress: Callable[[int], object] | None = None) -> PullSummary:
    """Make a folder an exact copy of an export on the hub, by fetching only what differs.

    Args:
        url: ``hf://datasets/OWNER/NAME`` or ``...@REVISION``.
        folder: New, empty, or an earlier copy of an export; it is replaced when all is there.
        progress: Called with the number of bytes each time a file is there.

    Raises:
        CurateError: There is no such data set or it holds no export; a file is missing, or not what its record says.
    """
    place = HubPlace.parse(url)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise CurateError(f"{folder} is no folder: name another one")
    if folder.exists() and any(folder.iterdir()) and not (folder / RECORD).is_file():
        raise CurateError(f"{folder} is not empty and holds no export: name another folder")
    staging = folder.with_name(f".{folder.name}.pull")
    if staging.is_symlink():
        raise CurateError(f"{staging} is a link: remove it")
    staging.mkdir(parents=True, exist_ok=True)
    with place.errors():
        return _Pull(place, folder, staging, progress or (lambda count: None)).run()


@dataclass
class _Pull:
    """One call of `pull_from_hub`."""

    place: HubPlace
    folder: Path
    staging: Path
    progress: Callable[[int], object]

    def run(self) -> PullSummary:
        """Fetch what differs, and exchange the folders."""
        api = self.place.api()
        commit = str(
            api.repo_info(self.place.repository, repo_type="dataset", revision=self.place.revision or None).sha
        )
        there = self.place.files(api, commit)
        if RECORD not in there:
            raise CurateError(f"{self.place.shown} holds no export of curate: it has no {RECORD}")
        if there[RECORD].size > LARGEST_RECORD:
            raise CurateError(f"{self.place.shown}: {RECORD} is too large")
        (self.staging / RECORD).unlink(missing_ok=True)
        self._fetch(api, RECORD, commit)
        try:
            record = load_record(self.staging)
        except (OSError, ValueError) as error:
            raise CurateError(f"{self.place.shown} holds no export of curate: its {RECORD} {why_of(error)}") from error
        fetched: list[int] = []
        listed = {name: FileFacts(facts["size"], facts["sha256"]) for name, facts in record["files"].items()}
        self._bring(api, listed, there, commit, fetched)
        if "loose_bytes" in record and METADATA in listed:
            every = files_of(self.staging, record)
            self._bring(api, {n: f for n, f in every.items() if n not in listed}, there, commit, fetched)
            listed = every
        self._drop_others(listed)
        self._exchange()
        return PullSummary(len(listed) + 1, len(fetched) + 1, sum(fetched), commit)

    def _bring(
        self,
        api: HfApi,
        files: Mapping[str, FileFacts],
        there: Mapping[str, RemoteFile],
        commit: str,
        fetched: list[int],
    ) -> None:
        """Fetch files, unless they are there already or in an earlier copy.

        Raises:
            CurateError: One is missing on the hub, or has another checksum than its record says.
        """
        if missing := sorted(name for name in files if name not in there):
            raise CurateError(f"{self.place.shown} lacks {missing[0]}, which its {RECORD} names: it is not whole")
        if wrong := sorted(name for name, file in files.items() if there[name].size != file.size):
            raise CurateError(f"{self.place.shown}: {wrong[0]} has another size than its {RECORD} says")

        def bring(name: str) -> int:
            file = files[name]
            target = inner_path(self.staging, name)
            if _holds(target, file):
                return 0
            target.unlink(missing_ok=True)
            old = self.folder / name
            if not old.is_symlink() and _holds(old, file):
                target.parent.mkdir(parents=True, exist_ok=True)
                link(old, target)
                return 0
            self._fetch(api, name, commit)
            if not _holds(target, file):
                target.unlink(missing_ok=True)
                raise CurateError(f"{self.place.shown}: {name} does not have the checksum that its {RECORD} says")
            self.progress(file.size)
            return file.size

        with ThreadPoolExecutor(_THREADS) as pool:
            try:
                fetched += [size for size in pool.map(bring, sorted(files)) if size]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _fetch(self, api: HfApi, name: str, commit: str) -> None:
        api.hf_hub_download(
            self.place.repository, name, repo_type="dataset", revision=commit, local_dir=str(self.staging)
        )

    def _drop_others(self, files: Mapping[str, FileFacts]) -> None:
        """Remove what an earlier, ended pull of another state has left, and the library's notes."""
        shutil.rmtree(self.staging / ".cache", ignore_errors=True)
        for place, folders, names in os.walk(self.staging, topdown=False):
            inside = Path(place).relative_to(self.staging)
            for name in names:
                relative = (inside / name).as_posix()
                if relative not in files and relative != RECORD:
                    (self.staging / relative).unlink()
            for name in folders:
                if not any((Path(place) / name).iterdir()):
                    (Path(place) / name).rmdir()

    def _exchange(self) -> None:
        if self.folder.exists():
            old = self.folder.with_name(f".{self.folder.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            self.folder.rename(old)
            self.staging.rename(self.folder)
            shutil.rmtree(old)
        else:
            self.staging.rename(self.folder)


def _holds(path: Path, file: FileFacts) -> bool:
    """Whether a file is there as it should be, and no pipe is waited for."""
    return path.is_file() and file.hold(path)
