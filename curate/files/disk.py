"""System errors that speak of a disk and not of the file in hand."""

from __future__ import annotations

import errno

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""There is no room: on the disk, or in the user's quota."""

DISK_ERRORS = FULL | {errno.EROFS, errno.EIO}
"""They meet whatever is written there, so going on is no use."""
