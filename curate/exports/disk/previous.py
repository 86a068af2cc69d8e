"""The export that is being replaced: which finished shards it offers, and taking its files.

It may be damaged, and it may come from a stranger: what is taken is held against its checksum, and no link is followed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.folder import inner_path, link, read_record

SHARDS = "shards"
"""Where the record of an export tells of its shards, in their order."""


class Refused(Exception):
    """What is offered is not as it was written, or not what is wanted."""


@dataclass(frozen=True)
class Offer:
    """A shard of the export that is being replaced.

    Attributes:
        files: Its files in order: path in the export, and what it is known by. Loose pictures are not among them.
        table: Whether the export has a table of frames that is as it was written.
        first: Row of its first frame there.
        frames: Frames in it.
    """

    files: tuple[tuple[str, FileFacts], ...]
    table: bool
    first: int
    frames: int


def told(key: str, frames: int, files: list[str]) -> dict[str, Any]:
    """What the record of an export tells of a shard.

    Args:
        key: Fingerprint of all that its bytes depend on.
        frames: Frames in it.
        files: Paths of its files in the export, in order; loose pictures stand in the table of frames.
    """
    return {"key": key, "frames": frames, "files": files}


def offers(folder: Path, name: str, table: str) -> dict[str, Offer]:
    """The shards of an export by their keys; none if there is no export, or its record does not tell of them all.

    Args:
        folder: Of the export.
        name: Of its format.
        table: Name of the table of frames.
    """
    record = read_record(folder)
    if record is None or record["format"] != name or not record.get(SHARDS):
        return {}
    if sum(shard["frames"] for shard in record[SHARDS]) != record["counts"]["frames"]:
        return {}
    known = {path: FileFacts(facts["size"], facts["sha256"]) for path, facts in record["files"].items()}
    try:
        has_table = table in known and known[table].hold(PreviousExport(folder).path(table))
    except (Refused, ValueError):
        has_table = False
    found: dict[str, Offer] = {}
    first = 0
    for shard in record[SHARDS]:
        if known.keys() >= set(shard["files"]):
            files = tuple((path, known[path]) for path in shard["files"])
            found[shard["key"]] = Offer(files, has_table, first, shard["frames"])
        first += shard["frames"]
    return found


class PreviousExport:
    """The files of an export; none of its names leads out of it.

    Args:
        folder: Of the export.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inner: set[Path] = set()

    def path(self, name: str) -> Path:
        """A plain file.

        Raises:
            ValueError: The name, or a link on the way, leads out of the export.
            Refused: There is none, or it is a link.
        """
        path = self._folder / name
        if path.parent not in self._inner:
            inner_path(self._folder, name)
            self._inner.add(path.parent)
        if path.is_symlink() or not path.is_file():
            raise Refused(f"{name} is not a file")
        return path

    def take(self, name: str, facts: FileFacts, new: Path, tick: Callable[[], None] = lambda: None) -> None:
        """Link a file, or copy it where links are refused, and hold it against its checksum.

        Args:
            name: Of the file.
            facts: What it is known by.
            new: Its other name.
            tick: Called for each piece that is read.

        Raises:
            ValueError: The name, or a link on the way, leads out of the export.
            Refused: It is not as it was written.
            OSError: It cannot be linked or copied.
        """
        path = self.path(name)
        new.parent.mkdir(parents=True, exist_ok=True)
        link(path, new)
        if new.is_symlink() or not facts.hold(new, tick):
            raise Refused(f"{name} is not as it was written")
