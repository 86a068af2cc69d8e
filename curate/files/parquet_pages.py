"""Where the values of a column lie in a Parquet file, so that one is read without those around it.

Pictures are written plain and not compressed: each value is its length in four bytes and its bytes. Only the headers of
the pages and the lengths are read to find them. What is laid out in another way is left to Arrow. The format is that of
apache/parquet-format (``parquet.thrift``, ``Encodings.md``) in Thrift's compact protocol.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_HEADER = 256
"""Bytes that the header of a page takes at most, without statistics."""

_DEEPEST = 4
_LENGTH = struct.Struct("<I")
_DATA_PAGE = 0
_PLAIN = 0
_STRUCT = 12

Places = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Offsets in the file and sizes in bytes."""


def locate(descriptor: int, chunk: pq.ColumnChunkMetaData, definition_levels: int) -> Places | None:
    """Places of the values of a column in a row group.

    Args:
        descriptor: Of the file, open for reading.
        chunk: Of a column of bytes that is in no list.
        definition_levels: The highest level of the column; 0 where it may not be null.

    Returns:
        `None` if values are compressed, in a dictionary or null, or if the pages are not as they should be.
    """
    if (chunk.physical_type, chunk.compression) != ("BYTE_ARRAY", "UNCOMPRESSED") or chunk.has_dictionary_page:
        return None
    at = chunk.data_page_offset
    end = at + chunk.total_compressed_size
    if not 0 <= at <= end <= os.fstat(descriptor).st_size:
        return None
    found: list[tuple[int, int]] = []
    try:
        while at < end:
            header, length = _read_struct(os.pread(descriptor, _HEADER, at), 0, 0)
            page = header[5]
            if header[1] != _DATA_PAGE or page[2] != _PLAIN or header[2] != header[3] or header[3] < 0:
                return None
            at += length
            stop = at + header[3]
            if stop > end or len(found) + page[1] > chunk.num_values:
                return None
            if definition_levels:
                at += _LENGTH.size + _LENGTH.unpack(os.pread(descriptor, _LENGTH.size, at))[0]
            for _ in range(page[1]):
                (size,) = _LENGTH.unpack(os.pread(descriptor, _LENGTH.size, at))
                found.append((at + _LENGTH.size, size))
                at += _LENGTH.size + size
                if at > stop:
                    return None
            if at != stop:
                return None
    except (IndexError, KeyError, TypeError, ValueError, struct.error):
        return None
    if at != end or len(found) != chunk.num_values:
        return None
    offsets, sizes = np.array(found, np.int64).reshape(-1, 2).T
    return np.ascontiguousarray(offsets), np.ascontiguousarray(sizes)


def _read_struct(data: bytes, at: int, depth: int) -> tuple[dict[int, Any], int]:
    """Numbers, truths and structs of a struct by the ids of its fields, and where it ends."""
    if depth > _DEEPEST:
        raise ValueError("too deep")
    fields: dict[int, Any] = {}
    number = 0
    while data[at]:
        delta, kind = divmod(data[at], 16)
        at += 1
        if delta:
            number += delta
        else:
            number, at = _read_number(data, at)
        if kind in (1, 2):
            fields[number] = kind == 1
        elif kind in (4, 5, 6):
            fields[number], at = _read_number(data, at)
        elif kind == _STRUCT:
            fields[number], at = _read_struct(data, at, depth + 1)
        else:
            raise ValueError(f"a field of kind {kind}")
    return fields, at + 1


def _read_number(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag number of variable length, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return (value >> 1) ^ -(value & 1), at
