"""Files of an export that are open for reading, a bounded number at a time."""

from __future__ import annotations

import os
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from curate.exports.disk.folder import is_inner

_MOST = 64


class OpenFiles:
    """Descriptors of files by name; those used last stay open, until nobody holds this object any more.

    Args:
        folder: Of the export.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: OrderedDict[str, int] = OrderedDict()
        weakref.finalize(self, _close, self._open)

    def open(self, name: str) -> int:
        """The descriptor of a file, which stays open until others were asked for.

        Raises:
            OSError: It cannot be opened, or is a link.
            ValueError: The name leads out of the export.
        """
        if name in self._open:
            self._open.move_to_end(name)
        else:
            if not is_inner(name):
                raise ValueError(f"{self._folder} names the file {name!r}, which leads out of the export")
            if len(self._open) == _MOST:
                os.close(self._open.popitem(last=False)[1])
            self._open[name] = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW)
        return self._open[name]

    def read(self, name: str, offset: int, size: int) -> bytes:
        """A piece of a file.

        Raises:
            OSError: It cannot be opened or read, or is a link.
            ValueError: It ends within the piece, or its name leads out of the export.
        """
        piece = os.pread(self.open(name), size, offset)
        if len(piece) != size:
            raise ValueError(f"{self._folder / name} ends within the {size} bytes from {offset} on")
        return piece


def _close(descriptors: Mapping[str, int]) -> None:
    """Close files; in a process that was forked these are its own descriptors, and the parent keeps its own."""
    for descriptor in descriptors.values():
        os.close(descriptor)
