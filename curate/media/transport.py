"""Packets of MPEG transport streams (ISO/IEC 13818-1, 2.4.3), looked at from outside."""

from __future__ import annotations

_SYNC = 0x47
_NULL = 0x1FFF


def packet_heads(data: bytes) -> list[bytes]:
    """The first six bytes of each packet, from the first synchronised one on; empty where there is none.

    Packets have 188 bytes; recorders put a time of 4 bytes before each, satellite receivers a checksum of 16 after.
    """
    for size in (188, 192, 204):
        for start in range(min(size, len(data))):
            if data[start] == _SYNC and data[start : start + 5 * size : size].strip(b"\x47") == b"":
                return [data[at : at + 6] for at in range(start, len(data) - 5, size)]
    return []


def is_scrambled(data: bytes) -> bool:
    """Whether at least half of the packets with a payload are scrambled."""
    flags = [head[3] for head in packet_heads(data) if head[0] == _SYNC and head[3] & 0x10]
    return bool(flags) and 2 * sum(bool(flag & 0xC0) for flag in flags) >= len(flags)


def is_broken(data: bytes) -> bool:
    """Whether the course of the packets is broken: a counter leaps, a packet begins late, or says so itself."""
    counters: dict[int, int] = {}
    for head in packet_heads(data):
        if head[0] != _SYNC:
            return True
        pid = (head[1] & 0x1F) << 8 | head[2]
        if pid == _NULL:
            continue
        if head[3] & 0x20 and head[4] and head[5] & 0x80:
            return True
        if head[3] & 0x10:
            count = head[3] & 0x0F
            before = counters.get(pid, count)
            if count not in (before, (before + 1) & 0x0F):
                return True
            counters[pid] = count
    return False
