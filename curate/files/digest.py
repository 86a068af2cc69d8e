"""Fingerprints of plain data, and checksums of files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from curate.errors import CurateError


def digest(value: Any) -> str:
    """Fingerprint of plain data: SHA-256 of its canonical JSON, 32 hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's content, read piece by piece.

    Raises:
        OSError: Unreadable.
    """
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file that the user names, such as weights.

    Raises:
        CurateError: Unreadable.
    """
    try:
        return file_sha256(path)
    except OSError as error:
        raise CurateError(f"cannot read {path}: {error.strerror}") from error
