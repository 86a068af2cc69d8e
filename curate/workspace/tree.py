"""The tree of artefacts on disk: where things are, how they are written, who may write.

Everything is written under a temporary name in its own folder, flushed to disk and then renamed, so that a file under
its final name is always whole.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curate import config as configuration
from curate.errors import CurateError
from curate.files.atomic import clear, is_temporary, temporary_beside, write_changed
from curate.files.bounded import read_bounded
from curate.workspace.locks import Shard, hold_gate, hold_report, hold_shard

WORKSPACE_VERSION = 2
"""Raised when an older curate would misread the workspace: since 2, the ledger has attempts and seals."""

READABLE_VERSIONS = frozenset({1, 2})
"""Versions that this curate opens; the next run writes the present one into the workspace."""


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
                holds a pipe or a link to a folder, or cannot be written.
        """
        root = Path(os.path.abspath(root))
        workspace = cls(root)
        workspace.check_kinds()
        if workspace.config_path.exists():
            workspace._check_version()
        elif not create:
            raise CurateError(f"{root} is not a workspace yet: make one with 'curate run SOURCE -w {root}'")
        elif root.is_dir() and not workspace._may_become():
            raise CurateError(f"{root} is not empty and not a workspace: name a new or empty folder with -w")
        if not write:
            return workspace
        try:
            workspace._check_links()
            workspace.ledger_folder.mkdir(parents=True, exist_ok=True)
            temporary_beside(root / "write-test").unlink()
        except FileExistsError as error:
            raise CurateError(f"{workspace.ledger_folder} is a file, not a folder: move it away") from error
        except OSError as error:
            why = error.strerror
            raise CurateError(f"workspace {root} cannot be written: {why}; check the disk and rights") from error
        return workspace

    def _may_become(self) -> bool:
        """Whether a folder without ``curate.toml`` is empty, or a workspace that lost it or is just being made."""
        names = {path.name for path in self.root.iterdir() if not path.name.startswith(".")} - {"ledger"}
        lost_it = self.ledger_folder.is_dir() and self.manifest_path.is_file()
        return not names or lost_it or self.config_path.exists()

    def check_kinds(self) -> None:
        """Refuse a root that is no folder or whose path Parquet cannot take, and pipes and devices in it.

        Pipes, devices and sockets would be waited for without end.

        Raises:
            CurateError: It is such a root, or there is one of these.
        """
        if self.root.exists() and not self.root.is_dir():
            raise CurateError(f"workspace {self.root} is a file, not a folder: name another one with -w")
        try:
            str(self.root).encode()
        except UnicodeEncodeError:
            raise CurateError(f"the path of workspace {self.root} is not UTF-8: rename it, or name another") from None
        for path in sorted(self.root.iterdir()) if self.root.is_dir() else ():
            if path.exists() and not path.is_file() and not path.is_dir():
                raise CurateError(f"{path} is neither a file nor a folder: take it out of the workspace")

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
            raise CurateError(
                f"{self.config_path} names no workspace_version: it is damaged or was not written by curate; if this "
                "is your workspace, delete the file and run again with SOURCE and your options"
            )
        version = int(found.group(1))
        if version not in READABLE_VERSIONS:
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
    def manifest_copy_path(self) -> Path:
        """``manifest.copy.parquet``: the same again, in case the first is damaged."""
        return self.root / "manifest.copy.parquet"

    @property
    def ledger_folder(self) -> Path:
        """Folder of the append-only event files."""
        return self.root / "ledger"

    @property
    def decisions_folder(self) -> Path:
        """Folder of what people decided, one append-only file a reviewer (`curate.verdicts.journal`)."""
        return self.root / "decisions"

    @property
    def logs_folder(self) -> Path:
        """Folder of the logs, one file a run (`curate.workspace.run_log`)."""
        return self.root / "logs"

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
        write_changed(self.config_path, data)

    @contextlib.contextmanager
    def lock(self, shard: Shard = (0, 1)) -> Iterator[Path]:
        """Hold the videos of a shard, all of them if none is named, for the length of a ``with`` block.

        Shards that have no video in common may be worked on side by side, by processes on one machine or on several;
        anything else excludes one another (`curate.workspace.locks`).

        Yields:
            The file that worker processes hold.

        Raises:
            CurateError: Another run holds videos of this shard.
        """
        with hold_shard(self.root, shard) as workers:
            yield workers

    @contextlib.contextmanager
    def reporting(self) -> Iterator[None]:
        """Hold the report for the length of a ``with`` block; runs go on meanwhile.

        Raises:
            CurateError: Another process writes the report or purges.
        """
        with hold_report(self.root):
            yield

    @contextlib.contextmanager
    def storing(self) -> Iterator[None]:
        """Write what all processes share, one of them at a time; whoever does holds a shard as well.

        What processes that are no more left half written in the root is removed.

        Raises:
            CurateError: Another process does not let go.
        """
        with hold_gate(self.root):
            for path in self.root.glob(".*"):
                if is_temporary(path):
                    clear(path)
            yield
