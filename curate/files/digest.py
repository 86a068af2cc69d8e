"""Fingerprints of plain data, and checksums of files."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.files.bounded import open_regular

_DIGITS = 32
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest(value: Any) -> str:
    """Fingerprint of plain data: SHA-256 of its canonical JSON, 32 hex digits."""
    return hashlib.sha256(_canonical(value)).hexdigest()[:_DIGITS]


def _canonical(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


class DigestOfMany:
    """Fingerprints of a mapping whose values are the same but one.

    Args:
        base: The values that stay.
        key: Name of the other one.
    """

    def __init__(self, base: Mapping[str, Any], key: str) -> None:
        # The values before it and after it are written once; what stands between is its name and the value.
        before = _canonical({name: value for name, value in base.items() if name < key})[:-1]
        after = _canonical({name: value for name, value in base.items() if name > key})[1:]
        name = _canonical(key)
        self._before = hashlib.sha256(before + (b"," if len(before) > 1 else b"") + name + b":")
        self._after = ("," if len(after) > 1 else "") + after.decode()

    def of(self, fingerprints: Sequence[str]) -> str:
        """The same as ``digest({**base, key: fingerprints})``, for a list of some fingerprints."""
        return self._with('["' + '","'.join(fingerprints) + '"]')

    def of_any(self, values: Sequence[Any]) -> str:
        """The same as ``digest({**base, key: values})``, for a list of any plain data."""
        return self._with("[" + ",".join(map(_ENCODER.encode, values)) + "]")

    def _with(self, written: str) -> str:
        state = self._before.copy()
        state.update((written + self._after).encode())
        return state.hexdigest()[:_DIGITS]


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's content, read piece by piece.

    Raises:
        OSError: Unreadable, or a pipe, a device or a socket, which never end.
    """
    try:
        stream = open_regular(path)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error), str(path)) from error
    with stream:
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
