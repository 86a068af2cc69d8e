"""Files that appear whole or not at all.

Everything is written under a temporary name in its own folder, flushed to disk and then renamed, so that a file under
its final name is always whole.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def commit(files: Mapping[Path, Path]) -> None:
    """Make finished temporary files durable and give them their final names.

    Args:
        files: Final path of each temporary one, renamed in this order.
    """
    for temporary, final in files.items():
        if not temporary.is_symlink():
            with open(temporary, "rb") as stream:
                os.fsync(stream.fileno())
        os.replace(temporary, final)
    for folder in dict.fromkeys(final.parent for final in files.values()):
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, so that renames in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a small file so that readers see the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    commit({temporary: path})
