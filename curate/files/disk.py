"""System errors that speak of a disk and not of the file in hand."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""There is no room: on the disk, or in the user's quota."""

DISK_ERRORS = FULL | {errno.EROFS, errno.EIO}
"""They meet whatever is written there, so going on is no use."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name a file in the system errors of a ``with`` block, where those of a write name none.

    Raises:
        OSError: The same error, of ``path``.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
