"""Pieces of Markdown that untrusted text cannot break out of."""

from __future__ import annotations

from collections.abc import Iterable


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table with a line for each row."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(safe(cell) for cell in line) + " |" for line in lines)


def safe(text: str) -> str:
    """Text in one line; characters with a meaning in Markdown or HTML are disarmed, since licences are free text."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{c}" if c in "\\|`*[]" else c for c in flat)


def listed(words: Iterable[str]) -> str:
    """Words with commas and an ``and``."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last
