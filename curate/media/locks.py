"""Whether a video file is encrypted: without the key a decoder makes noise of it, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curate.media.transport import is_scrambled

_HEAD = 1 << 20
"""Bytes at the beginning of a file that are looked at."""

_ASF_LOCKS = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),
)
"""GUIDs of the Content Encryption Object and its extended form (Advanced Systems Format, 3.14 and 3.15)."""


def locked_by(path: Path, container: Any) -> str:
    """How a file is encrypted, as far as its header and its first bytes tell; empty if they tell nothing.

    Args:
        path: The file.
        container: The same file, an ``av.container.InputContainer``.
    """
    name = container.format.name
    if name == "matroska,webm":
        return (
            "content encryption" if any("enc_key_id" in stream.metadata for stream in container.streams.video) else ""
        )
    if name.startswith("mov,"):
        tags = {stream.codec_context.codec_tag for stream in container.streams.video if stream.codec_context}
        return "FairPlay" if "drmi" in tags else ""
    if name not in ("mpegts", "mpeg", "asf"):
        return ""
    with open(path, "rb") as stream:
        head = stream.read(_HEAD)
    if name == "asf":
        return "digital rights management" if any(lock in head for lock in _ASF_LOCKS) else ""
    return "scrambled packets" if (is_scrambled if name == "mpegts" else _ps_is_scrambled)(head) else ""


def is_locked(packet: Any) -> bool:
    """Whether a packet of an MP4 file (ISO/IEC 23001-7: cenc, cens, cbc1, cbcs) is encrypted."""
    return bool(packet.has_sidedata("encryption_info"))


def _ps_is_scrambled(head: bytes) -> bool:
    """Whether half of the PES packets of the first video stream are scrambled (ISO/IEC 13818-1, 2.4.3.7)."""
    flags = [part[2] for part in head.split(b"\0\0\1\xe0")[1:] if len(part) > 2 and part[2] & 0xC0 == 0x80]
    return 2 * sum(bool(flag & 0x30) for flag in flags) > len(flags)
