"""Reading small files that a stranger may have written: a workspace, an export or a list can come from anyone.

Nothing here hangs on a pipe, fills the memory with a file that never ends, or stops with anything but an error that
says what is wrong: each function raises ``OSError`` or ``ValueError``, with a message that reads on after the file's
name (``W/curate.toml is nested too deep``).
"""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

_NESTED = "is nested too deep"


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading, if it is one: opening a pipe would wait for its other end.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is a pipe, a device or a socket.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise IsADirectoryError(None, "is a folder", str(path)) if stat.S_ISDIR(mode) else ValueError("is not a file")
    return os.fdopen(descriptor, "rb")


def read_bounded(path: Path, most: int) -> bytes:
    """All bytes of a file.

    Args:
        path: The file.
        most: Bytes that it may have.

    Raises:
        OSError: It cannot be read.
        ValueError: It is larger, or not a file.
    """
    with open_regular(path) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"has more than {most / 1e6:g} MB")
    return data


def lines_bounded(stream: BinaryIO, most: int) -> Iterator[bytes | None]:
    """Lines of a file with their ends; ``None`` for each line of more than ``most`` bytes, which is passed over."""
    while line := stream.readline(most):
        if len(line) < most or line.endswith(b"\n"):
            yield line
            continue
        while (rest := stream.readline(most)) and not rest.endswith(b"\n"):
            pass
        yield None


def parse_json(text: str | bytes) -> Any:
    """`json.loads` that raises ``ValueError`` for whatever cannot be read.

    Raises:
        ValueError: Not JSON, not UTF-8, nested too deep, or a number of thousands of digits.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(_NESTED) from None
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None


def parse_toml(data: bytes) -> dict[str, Any]:
    """`tomllib.loads` that raises ``ValueError`` for whatever cannot be read.

    Raises:
        ValueError: Not TOML, not UTF-8, nested too deep, or a number of thousands of digits.
    """
    try:
        return tomllib.loads(data.decode())
    except RecursionError:
        raise ValueError(_NESTED) from None
    except ValueError as error:
        raise ValueError(f"is not valid TOML: {error}") from None
