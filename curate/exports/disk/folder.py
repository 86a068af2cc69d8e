"""The folder of an export, its neighbours while it is exchanged, and the record of what is in it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from curate.files.atomic import clear
from curate.files.bounded import parse_json, read_bounded

RECORD = "export.json"
"""Name of the record in every export."""

LARGEST_RECORD = 64_000_000
"""Bytes of a record, at most."""

LONGEST_NAME = 1000
"""Characters of a path in an export, at most."""

PICTURE = ".jpg"
"""Suffix of loose pictures."""


def staging_of(final: Path) -> Path:
    """Where an export is built; see `curate.exports.disk.staging`."""
    return final.with_name(f".{final.name}.tmp")


def old_of(final: Path) -> Path:
    """Where an export waits while another one takes its place."""
    return final.with_name(f".{final.name}.old")


def restore(final: Path) -> None:
    """Settle an exchange of folders that was killed: the old one comes back unless the new one is there."""
    old = old_of(final)
    if old.is_symlink() or (old.exists() and final.exists()):
        clear(old)
    elif old.exists():
        os.replace(old, final)


def recover(final: Path) -> None:
    """Clear up all that a killed export may have left beside ``final``; touches nothing if there is nothing."""
    restore(final)
    clear(staging_of(final))


def link(path: Path, new: Path) -> None:
    """Give a file a second name, or copy it where the disk knows no such thing."""
    try:
        os.link(path, new)
    except OSError:
        shutil.copyfile(path, new)


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write ``export.json``."""
    (folder / RECORD).write_bytes(record_text(record))


def record_text(record: dict[str, Any]) -> bytes:
    """What stands in ``export.json``."""
    return (json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read ``export.json``; ``None`` where there is none or it is not one of ours."""
    try:
        return load_record(folder)
    except (OSError, ValueError):
        return None


def load_record(folder: Path) -> dict[str, Any]:
    """Read ``export.json``, which may come from a stranger: all that is read out of it later is of the right type.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not one of ours; the message reads on after its name.
    """
    record = parse_json(read_bounded(folder / RECORD, LARGEST_RECORD))
    if not isinstance(record, dict):
        raise ValueError("is not a record of an export")
    for name, check in _CHECKS.items():
        if name not in record and name in _REQUIRED:
            raise ValueError(f"lacks {name!r}")
        if name in record and not check(record[name]):
            raise ValueError(f"has something under {name!r} that curate does not write there")
    return record


def is_inner(name: object) -> bool:
    """Whether a name out of a record or a table is a path that stays in the folder of the export."""
    if not isinstance(name, str) or not name.isprintable() or "\\" in name or len(name) > LONGEST_NAME:
        return False
    return not {"", ".", ".."} & set(name.split("/"))


def inner_path(folder: Path, name: object) -> Path:
    """The path of a file of an export.

    Raises:
        ValueError: The name, or a link on the way, leads out of the export.
    """
    if not is_inner(name):
        raise ValueError("leads out of the export")
    path = folder / str(name)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError("is or lies behind a link that leads out of the export")
    return path


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _are_files(value: Any) -> bool:
    return isinstance(value, dict) and all(
        is_inner(name)
        and isinstance(facts, dict)
        and _is_count(facts.get("size"))
        and isinstance(facts.get("sha256"), str)
        for name, facts in value.items()
    )


def _are_counts(value: Any) -> bool:
    return (
        _is_tally(value)
        and isinstance(value.get("splits"), dict)
        and all(
            is_inner(split) and not set("/*?[") & set(split) and _is_tally(tally)
            for split, tally in value["splits"].items()
        )
    )


def _is_tally(value: Any) -> bool:
    return isinstance(value, dict) and _is_count(value.get("videos")) and _is_count(value.get("frames"))


def _are_shards(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(shard, dict)
        and isinstance(shard.get("key"), str)
        and _is_count(shard.get("frames"))
        and isinstance(shard.get("files"), list)
        and all(map(is_inner, shard["files"]))
        for shard in value
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _are_named_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "format": _is_text,
    "fingerprint": _is_text,
    "files": _are_files,
    "counts": _are_counts,
    "left_out": _are_named_texts,
    "without_frames": _are_texts,
    "loose_bytes": _is_count,
    "channel_order": lambda value: value in ("rgb", "bgr"),
    "options": _is_table,
    "made_with": _are_named_texts,
    "privacy": _is_table,
    "card": _is_text,
    "shards": _are_shards,
}

_REQUIRED = frozenset({"format", "fingerprint", "files", "counts", "left_out"})


def is_whole(folder: Path, record: dict[str, Any], *, but: Collection[str] = ()) -> bool:
    """Whether every file of the record is there with its size, ``but`` some."""
    for name, facts in record["files"].items():
        if name in but:
            continue
        try:
            if (folder / name).stat().st_size != facts["size"]:
                return False
        except OSError:
            return False
    return True
