"""What a reader yields for each row: a listed video, a bad row, or a row that lists nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from curate.files.text import printable
from curate.files.urls import redact
from curate.records import Video

CONTENT_LIMIT = 200
"""Characters of a bad row that are kept to show."""


@dataclass(frozen=True)
class Listed:
    """A row that lists a video.

    Attributes:
        video: With procedures as the source spells them; `curate.manifests.merge` normalises them.
        informative: ``False`` where the source itself says that the video is not surgery (LEMON's video-level screen).
        notes: Cells that only describe the video and were left empty, each with why.
    """

    video: Video
    informative: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class BadRow:
    """A row that could not be used; the rest of its file goes on.

    Attributes:
        file: As the user named it; ``-`` for standard input.
        row: Line of a text file, or 1-based position in a JSON list or a Parquet table.
        content: The row as text, shortened to `CONTENT_LIMIT` characters, without control characters and without the
            passwords and signatures of URLs.
        problem: What is wrong with it.
    """

    file: str
    row: int
    content: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.row}: {self.problem}: {self.content}"


@dataclass(frozen=True)
class Ignored:
    """An empty line or a comment."""


@dataclass(frozen=True)
class LeftOut:
    """Something in a folder of videos that is not taken for a video of its own.

    Attributes:
        path: Below the folder.
        why: In words; what was left out for one reason is counted together.
    """

    path: str
    why: str


@dataclass(frozen=True)
class Remark:
    """What is to be known about a whole file: how it was read where that was in doubt."""

    file: str
    text: str


Entry = Listed | BadRow | Ignored | LeftOut | Remark


class RowError(ValueError):
    """A row cannot be used. Caught by the reader, which reports it as a `BadRow`."""


def bad_row(file: str, row: int, content: object, problem: object) -> BadRow:
    """Make a `BadRow` whose content is short and safe to print."""
    text = content if isinstance(content, str) else repr(content)
    shown = printable(redact(text[: 10 * CONTENT_LIMIT])[: CONTENT_LIMIT + 1])
    if len(shown) > CONTENT_LIMIT:
        shown = shown[: CONTENT_LIMIT - 3] + "..."
    return BadRow(printable(file), row, shown, printable(redact(str(problem))))


def shown(value: object, limit: int = CONTENT_LIMIT) -> str:
    """A value of any size and depth as a short text."""
    if isinstance(value, str):
        return json.dumps(value[:limit], ensure_ascii=False)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{shown(str(k), 40)}: {_leaf(v, limit)}" for k, v in islice(value.items(), 30))
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_leaf(v, limit) for v in islice(value, 30))}]"
    return str(value)[:limit]


def _leaf(value: object, limit: int) -> str:
    return "..." if isinstance(value, Mapping | list | tuple) and value else shown(value, limit)
