"""Lengths of time as people read them."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """Hours, minutes and whole seconds, such as ``1:23:45``; what is begun of a second is left out."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
