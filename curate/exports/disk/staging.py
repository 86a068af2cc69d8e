"""An export in the making: it appears whole or not at all, and what is finished of it is not made twice.

Beside the final folder ``{name}`` lies ``.{name}.tmp`` while an export is written::

    shards/{key}/     a finished shard: its files, and ``shard.json`` with their sizes and checksums
    scratch/{token}/  what one attempt at a shard is writing
    export/           what becomes the final folder, by one rename
    broken.json       videos that were found to be broken on the way

The key of a shard is a fingerprint of all that its bytes depend on, so an export that goes on takes over whatever
shards it would make itself, and nothing else: neither the order in which they were made matters nor how many processes
made them. An attempt writes where nobody else does; its folder gets its final name by one rename, in the process that
runs the export. Nothing here is removed because of an error. What is staged goes when the export is there, when shards
are not wanted any more, or when another format is written.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.folder import (
    LARGEST_RECORD,
    PICTURE,
    RECORD,
    is_inner,
    old_of,
    recover,
    restore,
    staging_of,
)
from curate.files.atomic import clear, clear_planted, sync_folder, write_atomic
from curate.files.bounded import parse_json, read_bounded

SHARD = "shard.json"
"""Name of the record of a finished shard."""

BROKEN = "broken.json"


@dataclass(frozen=True)
class ShardRecord:
    """What is known of a finished shard.

    Attributes:
        frames: Frames in it.
        files: Its files by name, without loose pictures, whose checksums are in the file of rows.
        facts: Whatever is needed to put the export together, as JSON.
    """

    frames: int
    files: Mapping[str, FileFacts] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write it beside the files."""
        files = {name: facts._asdict() for name, facts in self.files.items()}
        text = json.dumps({"frames": self.frames, "files": files, "facts": self.facts})
        with open(folder / SHARD, "w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())

    @classmethod
    def read(cls, folder: Path, tick: Callable[[], None]) -> ShardRecord | None:
        """Read it, and hold every file against its checksum; ``None`` if anything is not as it was written.

        Args:
            folder: Of the shard.
            tick: Called for each piece that is read.
        """
        try:
            said = parse_json(read_bounded(folder / SHARD, LARGEST_RECORD))
            frames, facts = said["frames"], dict(said["facts"])
            files = {name: FileFacts(told["size"], told["sha256"]) for name, told in said["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        if type(frames) is not int or frames < 0 or not all(map(is_inner, files)):
            return None
        if not all(known.hold(folder / name, tick) for name, known in files.items()):
            return None
        return cls(frames, files, facts)


class Staging:
    """The place of one export in the making.

    Args:
        final: Folder of the export.

    Attributes:
        root: Of all that is staged.
        folder: Becomes the export.
    """

    def __init__(self, final: Path) -> None:
        self._final = final
        self.root = staging_of(final)
        self.folder = self.root / "export"
        self._shards, self._scratch = self.root / "shards", self.root / "scratch"

    def shard(self, key: str) -> Path:
        """Folder of a finished shard."""
        return self._shards / key

    def attempt(self, token: str) -> Path:
        """Folder of one attempt."""
        return self._scratch / token

    def is_there(self, key: str) -> bool:
        """Whether a shard seems to be finished."""
        return (self.shard(key) / SHARD).is_file()

    def open(self, wanted: Collection[str]) -> None:
        """Take over what is there, and remove what is not wanted.

        Links are removed first: what lies here may come from a stranger, and is written to.

        Raises:
            CurateError: The final folder is there and was not written by an export.
        """
        if self._final.exists() and not (self._final / RECORD).is_file():
            raise CurateError(
                f"{self._final} was not written by curate (it has no {RECORD}): move it away and export again"
            )
        clear_planted(self.root)
        for path in self.root.iterdir() if self.root.is_dir() else ():
            if path.name not in ("shards", BROKEN):
                clear(path)
        for path in self._shards.iterdir() if self._shards.is_dir() else ():
            if path.name not in wanted:
                clear(path)
        self._shards.mkdir(parents=True, exist_ok=True)
        self._scratch.mkdir()

    def commit(self, token: str, key: str) -> None:
        """Give an attempt that counts the name of its shard."""
        clear(self.shard(key))
        os.replace(self.attempt(token), self.shard(key))

    def broken(self) -> dict[str, tuple[str, str]]:
        """Videos that were found to be broken: a fingerprint of what they were then, and why, by id."""
        try:
            said = parse_json(read_bounded(self.root / BROKEN, LARGEST_RECORD))
            return {str(video): (str(known), str(why)) for video, (known, why) in said.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def note_broken(self, broken: Mapping[str, tuple[str, str]]) -> None:
        """Keep what `broken` gives to the next export."""
        write_atomic(self.root / BROKEN, json.dumps(broken).encode())

    def begin(self) -> Path:
        """Make the folder of the export, empty."""
        clear(self.folder)
        self.folder.mkdir()
        return self.folder

    def publish(self) -> None:
        """Make the export durable, put it in the place of an older one, and remove all that is staged.

        A kill leaves the old folder or the new one; between the two renames the old one waits as ``.{name}.old``.
        """
        _sync_tree(self.folder)
        restore(self._final)
        if self._final.exists():
            os.replace(self._final, old_of(self._final))
        os.replace(self.folder, self._final)
        sync_folder(self._final.parent)
        recover(self._final)


def drop_attempt(folder: Path) -> None:
    """Remove what an attempt wrote that came to nothing."""
    with contextlib.suppress(OSError):
        clear(folder)


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
