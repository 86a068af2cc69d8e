"""What the name of a picture or clip tells of the video that it was cut from.

Data sets name their pieces after the video: ``video01_000123.jpg``, ``case_102_AbdominalAccess_0.mp4``,
``04a78ef00c5245e0_48702-48782.mp4``. The patterns of `PATTERNS` cover those of the public surgical sets; a name that
fits none tells nothing, and nothing is then said of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

_NUMBERED = r"(?:video|vid|case|patient|procedure|proc|sequence|seq|surgery|operation|op|trial|subject)"
_PIECE = r"(?:phase|segment|seg|label|clip|frame|step|action|capture|part|img|image)"

PATTERNS: tuple[re.Pattern[str], ...] = (
    re.compile(rf"(?P<source>(?:.*?[_\W])??{_NUMBERED}[_-]?\d+)(?![0-9])", re.IGNORECASE),
    re.compile(r"(?P<source>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9a-z])", re.IGNORECASE),
    re.compile(r"(?P<source>\d+(?:_\d+)?)_\d+_\d+_[a-z_]+$", re.IGNORECASE),
    re.compile(rf"(?P<source>.+?)[_-]{_PIECE}[_-]?\d", re.IGNORECASE),
    re.compile(r"(?P<source>.*(?:[a-z].*|\d{4,}))_\d+(?:\.\d+)?-\d+(?:\.\d+)?$", re.IGNORECASE),
    re.compile(r"(?P<source>.*(?:[a-z].*|\d{4,}))[_-]\d+$", re.IGNORECASE),
)
"""Tried in this order on the name without folder and ending, from its start: a numbered video or case with whatever
stands before it; a UUID; ``{label}_{video}_{first}_{last}_{words}`` as in LDPolypVideo, with or without the label; what
stands before a numbered piece; before a range; before one last number."""


_GENERIC = re.compile(
    r"(?:frame|frames|img|image|images|pic|picture|photo|snapshot|screenshot|out|output)", re.IGNORECASE
)
"""What stands before a number and names no video: ``img_001.jpg``."""


def stem_of(name: str) -> str:
    """The name of a file without its folders and its ending."""
    last = PurePosixPath(name.replace("\\", "/")).name
    head, dot, ending = last.rpartition(".")
    return head if dot and head and re.fullmatch(r"[A-Za-z0-9]{2,4}", ending) else last


def source_of(name: str, patterns: Sequence[re.Pattern[str]] = PATTERNS) -> str:
    """The video that a piece was cut from, as its name tells; empty where it tells nothing.

    A name of digits alone, or of a word for frame before them, is the number of a frame, and its folder is the video.

    Args:
        name: With folders, as listed.
        patterns: With a group ``source``, or one group; the first that fits counts.
    """
    stem = stem_of(name)
    if patterns is PATTERNS and _GENERIC.fullmatch(stem.rstrip("0123456789").rstrip("_- ") or "frame"):
        folder = PurePosixPath(name.replace("\\", "/")).parent.name
        return (source_of(folder) or folder) if folder else ""
    for pattern in patterns:
        if found := pattern.match(stem):
            return found["source"] if "source" in pattern.groupindex else found[1 if pattern.groups else 0]
    return ""
