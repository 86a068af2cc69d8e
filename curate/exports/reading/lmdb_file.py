"""Whether an LMDB file is as long as it says: the library maps it, and a process that reads past its end is killed."""

from __future__ import annotations

import struct
from pathlib import Path

from curate.errors import BadArtefact

_MAGIC = 0xBEEFC0DE
_META = struct.Struct("<16xII8x8xI2x2x8x8x8x8x8x48xQQ")
"""A meta page of a machine of 64 bits: magic, version, bytes of a page, number of the last page, transaction
(``MDB_page``, ``MDB_meta``, ``MDB_db`` of LMDB's ``mdb.c``)."""

_VERSION = 1
_PAGES = range(512, 65_537)


def check_length(path: Path) -> None:
    """Hold the length of a ``data.mdb`` against the last page that its newest transaction uses.

    A file of another version of LMDB, or of another kind of machine, is left to the library, which refuses it.

    Raises:
        BadArtefact: The file is cut short.
        OSError: It cannot be read.
    """
    length = path.stat().st_size
    with open(path, "rb") as stream:
        first = _read_meta(stream.read(_META.size))
        if first is None:
            if length < _META.size:
                raise BadArtefact(path, f"has {length} bytes, too few for an LMDB")
            return
        size, last, transaction = first
        stream.seek(size)
        second = _read_meta(stream.read(_META.size))
    if second is not None and second[2] > transaction:
        last = second[1]
    if length < (last + 1) * size:
        raise BadArtefact(path, f"is cut short: it has {length} bytes, its pages take {(last + 1) * size}")


def _read_meta(data: bytes) -> tuple[int, int, int] | None:
    """Bytes of a page, number of the last page, transaction; ``None`` if it is no meta page that is known here."""
    if len(data) < _META.size:
        return None
    magic, version, size, last, transaction = _META.unpack(data)
    return (size, last, transaction) if magic == _MAGIC and version == _VERSION and size in _PAGES else None
