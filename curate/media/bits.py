"""Reading bits, and the units of byte streams."""

from __future__ import annotations

from collections.abc import Iterator

Bytes = bytes | memoryview


class BitReader:
    """Reads a byte string from its most significant bit on.

    Raises:
        EOFError: On reading past the end.
    """

    def __init__(self, data: Bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def bits(self, count: int) -> int:
        """An unsigned number of ``count`` bits; ``u(n)`` in ITU-T H.264, ``f(n)`` in AV1."""
        self._left -= count
        if self._left < 0:
            raise EOFError("header ends early")
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """An unsigned Exp-Golomb number; ``ue(v)`` in ITU-T H.264, 9.1."""
        zeros = 0
        while not self.bits(1):
            zeros += 1
            if zeros > 32:
                raise EOFError("not an Exp-Golomb number")
        return (1 << zeros) - 1 + self.bits(zeros)

    def signed_golomb(self) -> int:
        """A signed Exp-Golomb number; ``se(v)`` in ITU-T H.264, 9.1.1."""
        code = self.golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def skip(self, count: int) -> None:
        """Skip bits."""
        self.bits(count)


def split_prefixed(data: Bytes, length_size: int) -> Iterator[Bytes]:
    """NAL units of a packet in which each follows its length (ISO/IEC 14496-15).

    Raises:
        EOFError: A length points past the end.
    """
    at, end = 0, len(data)
    while at + length_size <= end:
        size = int.from_bytes(data[at : at + length_size], "big")
        at += length_size
        if at + size > end:
            raise EOFError("a NAL unit is longer than its packet")
        if size:
            yield data[at : at + size]
        at += size


def split_annex_b(data: Bytes) -> Iterator[bytes]:
    """NAL units of a packet in which each follows a start code (ITU-T H.264, annex B)."""
    data = bytes(data)
    at = data.find(b"\0\0\1")
    while at >= 0:
        start = at + 3
        at = data.find(b"\0\0\1", start)
        unit = data[start : at if at >= 0 else len(data)].rstrip(b"\0")
        if unit:
            yield unit


def payload(unit: Bytes) -> bytes:
    """A NAL unit without its emulation prevention bytes (ITU-T H.264, 7.4.1.1)."""
    return bytes(unit).replace(b"\0\0\3", b"\0\0")
