"""The folder of an export, its neighbours while it is exchanged, and the record of what is in it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

RECORD = "export.json"
"""Name of the record in every export."""

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
    if old.exists():
        if final.exists():
            shutil.rmtree(old)
        else:
            os.replace(old, final)


def recover(final: Path) -> None:
    """Clear up all that a killed export may have left beside ``final``; touches nothing if there is nothing."""
    restore(final)
    if staging_of(final).exists():
        shutil.rmtree(staging_of(final))


def link(path: Path, new: Path) -> None:
    """Give a file a second name, or copy it where the disk knows no such thing."""
    try:
        os.link(path, new)
    except OSError:
        shutil.copyfile(path, new)


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write ``export.json``."""
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read ``export.json``; ``None`` where there is none or it is not one of ours."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(record, dict) and {"format", "fingerprint", "files", "counts", "left_out"} <= record.keys()
    return record if known else None


def is_whole(folder: Path, record: dict[str, Any]) -> bool:
    """Whether every file of the record is there with its size."""
    for name, facts in record["files"].items():
        try:
            if (folder / name).stat().st_size != facts["size"]:
                return False
        except OSError:
            return False
    return True
