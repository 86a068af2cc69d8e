"""The tree of artefacts on disk: where things are, how they are written, who may write.

Everything is written under a temporary name in its own folder, flushed to disk and then renamed, so that a file under
its final name is always whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from curate import config as configuration
from curate.errors import CurateError
from curate.files.atomic import clear, open_own, temporary_beside, write_atomic
from curate.files.bounded import read_bounded

WORKSPACE_VERSION = 1
"""Raised when a newer curate could not use an older workspace as it is."""


class Workspace:
    """A workspace folder.

    Attributes:
        root: Absolute path.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def open(cls, root: Path, *, create: bool = False, write: bool = True) -> Workspace:
        """Open an existing workspace, or make a new one.

        Args:
            root: The folder.
            create: Make it if it is missing or empty.
            write: Check that it can be written.

        Raises:
            CurateError: It is missing (and ``create`` is false), is not a folder, was made by an incompatible version,
                holds a link to a folder, or cannot be written.
        """
        root = Path(os.path.abspath(root))
        workspace = cls(root)
        if root.exists() and not root.is_dir():
            raise CurateError(f"workspace {root} is a file, not a folder: name another one with -w")
        if workspace.config_path.exists():
            workspace._check_version()
        elif not create:
            raise CurateError(f"{root} is not a workspace yet: make one with 'curate run SOURCE -w {root}'")
        elif root.is_dir() and any(p.name != "ledger" and not p.name.startswith(".") for p in root.iterdir()):
            raise CurateError(f"{root} is not empty and not a workspace: name a new or empty folder with -w")
        if not write:
            return workspace
        try:
            workspace._check_links()
            workspace.ledger_folder.mkdir(parents=True, exist_ok=True)
            temporary_beside(root / "write-test").unlink()
        except OSError as error:
            why = error.strerror
            raise CurateError(f"workspace {root} cannot be written: {why}; check the disk and rights") from error
        return workspace

    def _check_links(self) -> None:
        """Refuse folders that are links: whoever made the workspace would decide where curate writes and clears up."""
        for path in sorted(self.root.iterdir()) if self.root.is_dir() else ():
            if path.is_symlink() and path.is_dir():
                raise CurateError(
                    f"{path} is a link to a folder, and a workspace may come from somebody else, so curate writes "
                    "through none: put the folder itself there, mount it there, or name a workspace on that disk"
                )

    def _check_version(self) -> None:
        try:
            text = read_bounded(self.config_path, configuration.LARGEST_TOML).decode()
        except OSError as error:
            raise CurateError(f"cannot read {self.config_path}: {error.strerror}") from error
        except ValueError as error:
            raise CurateError(f"{self.config_path} cannot be read: {error}") from error
        found = re.search(r"^workspace_version\s*=\s*(\d+)\s*$", text, re.MULTILINE)
        if not found:
            raise CurateError(f"{self.config_path} names no workspace_version: it was not written by curate")
        version = int(found.group(1))
        if version != WORKSPACE_VERSION:
            raise CurateError(
                f"workspace {self.root} has version {version}, this curate writes version {WORKSPACE_VERSION}: "
                "use the curate that made it, or start a new workspace"
            )

    @property
    def config_path(self) -> Path:
        """``curate.toml``: resolved options."""
        return self.root / "curate.toml"

    @property
    def manifest_path(self) -> Path:
        """``manifest.parquet``: one row a video."""
        return self.root / "manifest.parquet"

    @property
    def ledger_folder(self) -> Path:
        """Folder of the append-only event files."""
        return self.root / "ledger"

    @property
    def purged_path(self) -> Path:
        """``purged.txt``: videos that were purged, in the format of an opt-out list."""
        return self.root / "purged.txt"

    @property
    def opt_out_path(self) -> Path:
        """``opt_out.txt``: videos that ``--opt-out`` named, in the format of an opt-out list."""
        return self.root / "opt_out.txt"

    @property
    def exports_folder(self) -> Path:
        """Folder with one folder an export."""
        return self.root / "exports"

    def folder(self, name: str) -> Path:
        """Folder for the artefacts of a stage, made if missing."""
        path = self.root / name
        path.mkdir(exist_ok=True)
        return path

    def fresh_folder(self, *names: str) -> Path:
        """An empty folder below the root, in place of whatever stood there; links on the way are taken away."""
        path = self.root
        for name in names:
            path = path / name
            if path.is_symlink():
                path.unlink()
            path.mkdir(exist_ok=True)
        clear(path)
        path.mkdir()
        return path

    def stored_options(self, *later: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Option tables of ``curate.toml`` without what is not taken from a workspace; empty for a new one.

        Args:
            later: Layers that win over them.

        Raises:
            CurateError: The file cannot be read, or an option in it is not taken from a workspace (`curate.trust`).
        """
        if not self.config_path.exists():
            return {}
        return configuration.of_workspace(configuration.load_toml(self.config_path), later, str(self.config_path))

    def store_options(self, config: configuration.Config) -> None:
        """Write ``curate.toml``, if it would change."""
        data = configuration.to_toml(config, workspace_version=WORKSPACE_VERSION).encode()
        if not self.config_path.exists() or self.config_path.read_bytes() != data:
            write_atomic(self.config_path, data)

    @contextlib.contextmanager
    def lock(self, shard: tuple[int, int] = (0, 1)) -> Iterator[Path]:
        """Hold the workspace against a second run for the length of a ``with`` block.

        Runs of different shards of the same split may overlap; anything else excludes one another. Worker processes
        hold the yielded file shared (`hold_shared`), so that a run that follows a killed one waits for its last
        workers.

        Raises:
            CurateError: Another run holds it.
        """
        index, count = shard
        with contextlib.ExitStack() as stack:
            whole = stack.enter_context(_opened(self.root / ".lock"))
            own = stack.enter_context(_opened(self.root / f".lock-{index}-of-{count}"))
            try:
                fcntl.flock(whole, fcntl.LOCK_NB | (fcntl.LOCK_EX if count == 1 else fcntl.LOCK_SH))
                fcntl.flock(own, fcntl.LOCK_NB | fcntl.LOCK_EX)
            except BlockingIOError as error:
                raise CurateError(f"another curate is at work in {self.root}: wait for it, or stop it") from error
            workers = self.root / f".workers-{index}-of-{count}"
            earlier = {workers, *self.root.glob(".workers-*")} if count == 1 else {workers}
            for held in sorted(earlier):
                _wait_until_unused(held, seconds=30)
            yield workers


def hold_shared(path: Path) -> int:
    """Take a shared lock on ``path`` for the rest of the process; returns the descriptor."""
    descriptor = open_own(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _opened(path: Path) -> BinaryIO:
    return os.fdopen(open_own(path, os.O_RDWR), "r+b")


def _wait_until_unused(path: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    with _opened(path) as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise CurateError(f"workers of an earlier run still hold {path}: stop them") from error
                time.sleep(0.1)
