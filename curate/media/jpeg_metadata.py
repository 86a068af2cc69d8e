"""What a JPEG file tells beside its picture: cameras and hospitals write names, dates and places there."""

from __future__ import annotations

_KEPT = frozenset({0xE0, 0xEE})
"""Application segments that decoding needs: JFIF, and Adobe's with the colour transform."""

_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length."""


def without_metadata(jpeg: bytes) -> bytes:
    """A JPEG without comments, EXIF, XMP and other application segments; the picture's bytes stay as they are.

    Args:
        jpeg: The file, from its start marker on. What follows the end marker of the picture goes too.

    Raises:
        ValueError: Its segments cannot be told apart, or it has no end.
    """
    if jpeg[:2] != b"\xff\xd8":
        raise ValueError("is not a JPEG file")
    out, at = [jpeg[:2]], 2
    while True:
        if at + 4 > len(jpeg) or jpeg[at] != 0xFF:
            raise ValueError("has damaged segments")
        marker = jpeg[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in _BARE:
            at += 2
            continue
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if marker == 0xDA:
            return b"".join((*out, _scans(jpeg, at)))
        if not (marker == 0xFE or (0xE0 <= marker <= 0xEF and marker not in _KEPT)):
            out.append(jpeg[at:end])
        at = end


def _scans(jpeg: bytes, start: int) -> bytes:
    """From the first scan to the end of the picture."""
    end = jpeg.rfind(b"\xff\xd9")
    if end < start:
        raise ValueError("has no end: it was cut")
    return jpeg[start : end + 2]
