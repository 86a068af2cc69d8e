"""Files by which a process shows that it is there, and that go with it.

Such a file is locked as long as its process lives, however that ends, so that what a killed one left is told from what
is in use, by whoever comes next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHOWN = ".seen-"

_MAKING = ".making-"
"""Of a file that is not locked yet."""

_BEING_MADE = 60.0
"""Seconds for which a file that nobody holds may be one that is about to be held, by its name."""


@contextmanager
def shown_in(folder: Path) -> Iterator[Path]:
    """A file in ``folder`` for the length of a ``with`` block; those of processes that were killed go.

    Raises:
        OSError: It cannot be made.
    """
    forget_left(folder)
    name = secrets.token_hex(8)
    making, shown = folder / f"{_MAKING}{name}", folder / f"{_SHOWN}{name}"
    with open(making, "xb") as held:
        with contextlib.suppress(OSError):  # a disk without locks: what a killed process leaves stays
            fcntl.flock(held, fcntl.LOCK_EX)
        making.rename(shown)
        try:
            yield shown
        finally:
            shown.unlink(missing_ok=True)


def left_in(folder: Path) -> list[Path]:
    """Files that processes which are no more have left in a folder; on a disk without locks none can be told."""
    found = sorted((*folder.glob(f"{_SHOWN}*"), *folder.glob(f"{_MAKING}*")))
    return [path for path in found if _if_left(path)]


def forget_left(folder: Path) -> None:
    """Remove what `left_in` finds."""
    for path in left_in(folder):
        _if_left(path, remove=True)


def _if_left(path: Path, *, remove: bool = False) -> bool:
    """Whether nobody holds the lock of a file, nor is about to; it is removed, if asked for, while no other can be."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        if path.name.startswith(_MAKING) and time.time() - os.fstat(handle).st_mtime < _BEING_MADE:
            return False
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if remove:
            path.unlink(missing_ok=True)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
