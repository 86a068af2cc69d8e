"""Models fetched from the Hugging Face hub: where they lie, what they were, and fetching them.

Nothing is fetched unless ``curate models pull`` is called. Checkpoints are untrusted: they are only ever opened with
``weights_only=True`` or as safetensors (`curate.nets.checkpoint.read_state`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curate.errors import CurateError, why_of
from curate.files.atomic import write_atomic
from curate.files.digest import sha256_of
from curate.files.disk import DISK_ERRORS

HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")
"""What a repository of the hub is called (``fullmatch``): owner and name."""

PATTERNS = ["*.pt", "*.pth", "*.safetensors", "*.onnx", "*.json", "*.md", "LICENSE*"]
"""Files that are fetched: weights, their configs and their cards."""

UNWRITABLE = DISK_ERRORS | {errno.EACCES}
"""Errors of the disk, which the command line explains."""

PIN_FILE = ".pulled.json"
"""What was fetched: repository, commit, and the SHA-256 of every file by its path."""


@dataclass(frozen=True)
class Pulled:
    """A repository on this machine.

    Attributes:
        folder: Where it lies.
        repository: Its name on the hub.
        commit: The commit that was fetched.
        sha256: Hex digest of every file as fetched, by path below the folder.
    """

    folder: Path
    repository: str
    commit: str
    sha256: Mapping[str, str]

    def changed(self) -> list[str]:
        """Paths of files that are missing or are no longer what was fetched."""
        return [
            name
            for name, expected in self.sha256.items()
            if not (self.folder / name).is_file() or sha256_of(self.folder / name) != expected
        ]


def cache_folder() -> Path:
    """Where pulled models lie: ``curate/models`` in the user's cache (``XDG_CACHE_HOME``, else ``~/.cache``)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "curate" / "models"


def repository_folder(repository: str, cache: Path | None = None) -> Path:
    """Folder of a repository in a cache folder, by default `cache_folder`."""
    return (cache or cache_folder()) / repository.replace("/", "--")


def find_pulled(repository: str, cache: Path | None = None) -> Pulled | None:
    """What was pulled of a repository; ``None`` if it was not.

    Raises:
        CurateError: The note on what was fetched cannot be read.
    """
    folder = repository_folder(repository, cache)
    path = folder / PIN_FILE
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Pulled(folder, str(data["repository"]), str(data["commit"]), dict(data["sha256"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CurateError(
            f"{path} is damaged ({why_of(error)}): delete {folder} and pull {repository} again"
        ) from error


def pull(
    repository: str,
    *,
    cache: Path | None = None,
    revision: str | None = None,
    known: Mapping[str, str] | None = None,
    update: bool = False,
) -> Pulled:
    """Fetch a repository's weights, and hold them to what is known of them.

    An interrupted fetch goes on where it stopped. What was there before stays until the new files are whole and
    accepted.

    Args:
        repository: ``owner/name``.
        cache: Folder to put it in; by default `cache_folder`.
        revision: Branch, tag or commit; the main branch if not given.
        known: SHA-256 by path that the files must have.
        update: Accept files that differ from those pulled before.

    Raises:
        CurateError: Not a name, not to be had, or other files than those known or pulled before.
    """
    if not HUB_NAME.fullmatch(repository):
        raise CurateError(f"{repository!r} is not the name of a hub repository, such as owner/name")
    before = find_pulled(repository, cache)
    folder = repository_folder(repository, cache)
    temporary = folder.with_name(f".{folder.name}.tmp")
    temporary.mkdir(parents=True, exist_ok=True)
    try:
        commit, names = _fetch(repository, temporary, revision)
    finally:
        with contextlib.suppress(OSError):
            temporary.rmdir()  # succeeds only where nothing came
    found = {name: sha256_of(temporary / name) for name in sorted(names) if (temporary / name).is_file()}
    if not found:
        shutil.rmtree(temporary, ignore_errors=True)
        raise CurateError(f"{repository} holds no weights: nothing in it is called {', '.join(PATTERNS[:4])}")
    expected = {**(before.sha256 if before and not update else {}), **(known or {})}
    if wrong := sorted(name for name in expected if found.get(name) != expected[name]):
        shutil.rmtree(temporary)
        whose = "its digests in models/registry.toml" if known else "those pulled before; --update accepts them"
        raise CurateError(f"{repository} has other files than {whose}: {', '.join(wrong)}")
    shutil.rmtree(temporary / ".cache", ignore_errors=True)
    note = {"repository": repository, "commit": commit, "sha256": found}
    write_atomic(temporary / PIN_FILE, (json.dumps(note, indent=2) + "\n").encode())
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        temporary.rename(folder)
        shutil.rmtree(old)
    else:
        temporary.rename(folder)
    return Pulled(folder, repository, commit, found)


def _fetch(repository: str, folder: Path, revision: str | None) -> tuple[str, list[str]]:
    """Download into a folder; returns the commit, and the paths of all files of the repository."""
    import huggingface_hub
    from huggingface_hub import errors

    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        api = huggingface_hub.HfApi(endpoint=endpoint)
        info = api.model_info(repository, revision=revision)
        commit, names = info.sha or "", [file.rfilename for file in info.siblings or []]
        if bad := [name for name in names if not _is_plain(name)]:
            raise CurateError(f"{repository} has a file whose path leads elsewhere: {bad[0]!r}; nothing was fetched")
        # The commit, not the branch: files of one moment, whatever is pushed meanwhile.
        huggingface_hub.snapshot_download(
            repository, revision=commit or revision, local_dir=folder, allow_patterns=PATTERNS, endpoint=endpoint
        )
    except errors.GatedRepoError as error:
        raise CurateError(
            f"{repository} is open only to those its owner lets in: ask on its page, then set HF_TOKEN"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise CurateError(f"the hub has no model repository {repository}, or it is private: set HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise CurateError(f"{repository} has no revision {revision}") from error
    except CurateError:
        raise
    except Exception as error:  # the library changes its transport, and with it the errors, from version to version
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            raise
        said = " ".join(why_of(error).split())[:200]
        raise CurateError(f"cannot fetch {repository}: {said}; what came so far is kept, try again") from error
    return commit, names


def _is_plain(name: str) -> bool:
    """Whether a path stays below its folder."""
    return not name.startswith("/") and "\\" not in name and ".." not in name.split("/")
