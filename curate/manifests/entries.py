"""What a reader yields for each row: a listed video, a bad row, or a row that lists nothing."""

from __future__ import annotations

from dataclasses import dataclass

from curate.records import Video

CONTENT_LIMIT = 200
"""Characters of a bad row that are kept to show."""


@dataclass(frozen=True)
class Listed:
    """A row that lists a video.

    Attributes:
        video: With procedures as the source spells them; `curate.manifests.merge` normalises them.
        informative: ``False`` where the source itself says that the video is not surgery (LEMON's video-level screen).
    """

    video: Video
    informative: bool = True


@dataclass(frozen=True)
class BadRow:
    """A row that could not be used; the rest of its file goes on.

    Attributes:
        file: As the user named it; ``-`` for standard input.
        row: Line of a text file, or 1-based position in a JSON list or a Parquet table.
        content: The row as text, shortened to `CONTENT_LIMIT` characters, without control characters.
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


Entry = Listed | BadRow | Ignored


class RowError(ValueError):
    """A row cannot be used. Caught by the reader, which reports it as a `BadRow`."""


def bad_row(file: str, row: int, content: object, problem: object) -> BadRow:
    """Make a `BadRow` whose content is short and safe to print."""
    text = content if isinstance(content, str) else repr(content)
    shown = printable(text[: CONTENT_LIMIT + 1])
    if len(shown) > CONTENT_LIMIT:
        shown = shown[: CONTENT_LIMIT - 3] + "..."
    return BadRow(printable(file), row, shown, str(problem))


def printable(text: str) -> str:
    """A text that a terminal shows as it is: anything else is replaced, line breaks and lone surrogates included."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
