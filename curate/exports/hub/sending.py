"""Putting an export on the Hugging Face hub, and keeping what is there in step with it.

Large files are sent first, a few at a time; the hub keeps what has arrived, and a push that was killed sends only the
rest. Then one commit shows everything at once. An export of very many files takes several: then ``export.json`` goes in
the first and comes back in the last, so that a reader finds a whole export or none.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from curate.errors import BadArtefact, CurateError, why_of
from curate.exports.cards.licences import asking
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.folder import RECORD, inner_path
from curate.exports.formats.tables import read_videos
from curate.exports.hub.place import HubPlace, RemoteFile
from curate.exports.push import JOURNAL, files_of
from curate.exports.reading.stores import open_record
from curate.files.bounded import parse_json, read_bounded

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

Gate = Literal["licences", "always", "never"]

COMMIT = 1000
"""Changes of a commit, at most."""

MOST_FILES = 100_000
"""Files of a data set that the hub takes."""

_BATCH = 32
"""Files that are sent before the progress is told."""

_KEPT = frozenset({".gitattributes"})
"""Files of the hub's own."""

_CHUNK = 8 << 20


@dataclass(frozen=True)
class HubOptions:
    """How an export is shown.

    Attributes:
        public: Whether a data set that is made now is public; one that is there stays as it is.
        gate: Whether readers must ask: where a licence does not let everybody pass the work on, always, or never.
    """

    public: bool = False
    gate: Gate = "licences"


@dataclass(frozen=True)
class HubSummary:
    """What a push did.

    Attributes:
        files: Files of the export, ``export.json`` included.
        sent: How many of them differed.
        sent_bytes: Their size.
        removed: Files that were removed since they are not part of the export any more.
        private: Whether the data set is private.
        gated: Whether readers must ask.
        asking: Licences that ask for it.
    """

    files: int
    sent: int
    sent_bytes: int
    removed: int
    private: bool
    gated: bool
    asking: tuple[str, ...]


def push_to_hub(
    folder: Path, url: str, options: HubOptions, *, progress: Callable[[int], object] | None = None
) -> HubSummary:
    """Make a data set of the hub an exact copy of an export, by sending only what differs.

    What is to be sent is summed first: a damaged export is refused and changes nothing.

    Args:
        folder: Folder of one export, of any format.
        url: ``hf://datasets/OWNER/NAME``; it is made if it is not there, private unless the options say otherwise.
        options: Who may read it.
        progress: Called with the number of bytes each time some were sent.

    Raises:
        CurateError: The export is damaged or none; the hub cannot be reached, refuses, or holds something else there.
    """
    place = HubPlace.parse(url)
    if place.revision:
        raise CurateError(f"{place.shown}: a push goes to the main branch: leave the revision out")
    record = open_record(folder)
    files = files_of(folder, record)
    if len(files) >= MOST_FILES:
        raise CurateError(
            f"{folder} has {len(files):,} files, more than the hub takes ({MOST_FILES:,}): push parquet, webdataset or "
            "another format of shards"
        )
    try:
        asked = tuple(asking(str(licence) for (licence,) in read_videos(folder, "licence")))
    except BadArtefact as error:
        raise CurateError(f"{error}; see 'curate verify {folder}'") from error
    with place.errors():
        return _Push(folder, record, files, place, options, asked, progress or (lambda count: None)).run()


@dataclass
class _Push:
    """One call of `push_to_hub`."""

    folder: Path
    record: Mapping[str, Any]
    files: Mapping[str, FileFacts]
    place: HubPlace
    options: HubOptions
    asked: tuple[str, ...]
    progress: Callable[[int], object]

    def run(self) -> HubSummary:
        """Bring the data set in step."""
        api = self.place.api()
        there = self._there(api)
        local = {**self.files, RECORD: FileFacts.of(self.folder / RECORD)}
        wrong = [name for name in local if not self._is_right(name, local[name], there.get(name))]
        surplus = sorted(there.keys() - local.keys() - _KEPT)
        for name in wrong:
            self._check(name, local[name])
        info = self._open(api)
        if wrong or surplus:
            self._send(api, wrong, surplus, in_place=RECORD in there)
        size = sum(local[name].size for name in wrong)
        return HubSummary(len(local), len(wrong), size, len(surplus), info.private, info.gated, self.asked)

    def _there(self, api: HfApi) -> dict[str, RemoteFile]:
        """What the data set holds; nothing where there is none.

        Raises:
            CurateError: It holds something that no push put there, or another format.
        """
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

        try:
            info = api.repo_info(self.place.repository, repo_type="dataset")
            there = self.place.files(api, str(info.sha)) if info.sha else {}
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            return {}
        if not there.keys() - _KEPT:
            return there
        source = next((name for name in (RECORD, JOURNAL) if name in there), None)
        kind = self._format(api, source, str(info.sha)) if source else None
        if kind is None:
            raise CurateError(f"{self.place.shown} is not empty and holds no export: name another data set")
        if kind != self.record["format"]:
            raise CurateError(f"{self.place.shown} holds an export in the format {kind!r}: name another data set")
        return there

    def _format(self, api: HfApi, name: str, commit: str) -> str | None:
        """The format that a record on the hub tells."""
        with tempfile.TemporaryDirectory() as folder:
            repository = self.place.repository
            api.hf_hub_download(repository, name, repo_type="dataset", revision=commit, local_dir=folder)
            try:
                return str(parse_json(read_bounded(Path(folder) / name, 64_000_000))["format"])
            except (OSError, ValueError, KeyError, TypeError):
                return None

    def _is_right(self, name: str, file: FileFacts, there: RemoteFile | None) -> bool:
        if there is None or there.size != file.size:
            return False
        if there.sha256:
            return there.sha256 == file.sha256
        return there.blob == _blob(inner_path(self.folder, name))

    def _check(self, name: str, file: FileFacts) -> None:
        """Sum a file that is to be sent.

        Raises:
            CurateError: It is not as it was written.
        """
        try:
            found = FileFacts.of(inner_path(self.folder, name))
        except (OSError, ValueError) as error:
            why = why_of(error)
            raise CurateError(f"{self.folder / name} {why}: see 'curate verify {self.folder}'") from error
        if found != file:
            raise CurateError(
                f"{self.folder / name} does not have the checksum it was written with, so nothing is sent: "
                f"see 'curate verify {self.folder}', and export again"
            )

    def _open(self, api: HfApi) -> _Access:
        """Make the data set if it is not there, and gate it before anything is in it."""
        repository = self.place.repository
        api.create_repo(repository, repo_type="dataset", private=not self.options.public, exist_ok=True)
        info = api.repo_info(repository, repo_type="dataset")
        gated = bool(info.gated)
        if not gated and (self.options.gate == "always" or (self.options.gate == "licences" and self.asked)):
            api.update_repo_settings(repository, repo_type="dataset", gated="manual")
            gated = True
        return _Access(bool(info.private), gated)

    def _send(self, api: HfApi, wrong: Sequence[str], surplus: Sequence[str], *, in_place: bool) -> None:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        repository = self.place.repository
        adding = [CommitOperationAdd(name, str(inner_path(self.folder, name))) for name in wrong if name != RECORD]
        firsts: dict[str, CommitOperationAdd] = {}
        again = []
        for one in adding:
            if firsts.setdefault(self.files[one.path_in_repo].sha256, one) is not one:
                again.append(one)
        for these in (list(firsts.values()), again):  # the hub has the content of the latter
            for start in range(0, len(these), _BATCH):
                batch = these[start : start + _BATCH]
                api.preupload_lfs_files(repository, batch, repo_type="dataset", free_memory=False)
                self.progress(sum(one.upload_info.size for one in batch))
        record = CommitOperationAdd(RECORD, str(self.folder / RECORD))
        deleting = [CommitOperationDelete(name, is_folder=False) for name in surplus if name != JOURNAL]
        changes: list[CommitOperationAdd | CommitOperationDelete] = [*adding, *deleting]
        last: list[CommitOperationAdd | CommitOperationDelete] = [record]
        if JOURNAL in surplus:
            last.append(CommitOperationDelete(JOURNAL, is_folder=False))
        if len(changes) <= COMMIT:
            self._commit(api, [*changes, *last])
            return
        if JOURNAL not in surplus:
            first: list[CommitOperationAdd | CommitOperationDelete] = [
                CommitOperationAdd(JOURNAL, f'{{"format": "{self.record["format"]}"}}\n'.encode())
            ]
            first += [CommitOperationDelete(RECORD, is_folder=False)] if in_place else []
            self._commit(api, first)
            last.append(CommitOperationDelete(JOURNAL, is_folder=False))
        for start in range(0, len(changes), COMMIT):
            self._commit(api, changes[start : start + COMMIT])
        self._commit(api, last)

    def _commit(self, api: HfApi, changes: Sequence[CommitOperationAdd | CommitOperationDelete]) -> None:
        message = f"curate push: {self.record['format']}, {self.record['counts']['frames']} frames"
        api.create_commit(self.place.repository, list(changes), commit_message=message, repo_type="dataset")


@dataclass(frozen=True)
class _Access:
    private: bool
    gated: bool


def _blob(path: Path) -> str:
    """Object id that git gives to a file."""
    checksum = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with open(path, "rb") as stream:
        while piece := stream.read(_CHUNK):
            checksum.update(piece)
    return checksum.hexdigest()
