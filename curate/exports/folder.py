"""Folders that appear whole or not at all, and the account of what is in them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.workspace import sync_folder

ACCOUNT = "export.json"
"""Name of the account in every export."""

PICTURE = ".jpg"
"""Suffix of loose pictures."""


@contextlib.contextmanager
def replaced_folder(final: Path) -> Iterator[Path]:
    """Fill a new folder in a ``with`` block and put it in the place of an older one.

    The new folder is built as ``.{name}.tmp`` beside the final one, flushed to disk, and renamed. Should the block
    raise, the older folder stays and the new one is removed. A kill leaves the old folder or the new one; between
    the two renames the old one waits as ``.{name}.old`` for `recover`.

    Yields:
        The empty new folder.

    Raises:
        CurateError: The final folder is there and was not written by an export.
    """
    recover(final)
    if final.exists() and not (final / ACCOUNT).is_file():
        raise CurateError(f"{final} was not written by curate (it has no {ACCOUNT}): move it away and export again")
    temporary, old = _temporary(final), _old(final)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        _sync_tree(temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if final.exists():
        os.replace(final, old)
    os.replace(temporary, final)
    sync_folder(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def recover(final: Path) -> None:
    """Clear up what a killed export may have left beside ``final``; touches nothing if there is nothing."""
    temporary, old = _temporary(final), _old(final)
    if temporary.exists():
        shutil.rmtree(temporary)
    if old.exists():
        if final.exists():
            shutil.rmtree(old)
        else:
            os.replace(old, final)


def _temporary(final: Path) -> Path:
    return final.with_name(f".{final.name}.tmp")


def _old(final: Path) -> Path:
    return final.with_name(f".{final.name}.old")


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


def write_account(folder: Path, account: dict[str, Any]) -> None:
    """Write ``export.json``."""
    text = json.dumps(account, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / ACCOUNT).write_text(text + "\n", encoding="utf-8")


def read_account(folder: Path) -> dict[str, Any] | None:
    """Read ``export.json``; ``None`` where there is none or it is not one of ours."""
    try:
        account = json.loads((folder / ACCOUNT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(account, dict) and {"format", "fingerprint", "files", "counts", "left_out"} <= account.keys()
    return account if known else None


def is_whole(folder: Path, account: dict[str, Any]) -> bool:
    """Whether every file of the account is there with its size."""
    for name, facts in account["files"].items():
        try:
            if (folder / name).stat().st_size != facts["size"]:
                return False
        except OSError:
            return False
    return True
