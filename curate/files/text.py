"""Text of strangers on its way to people: nothing in it steers a terminal or turns the direction of writing.

Titles, file names, messages of yt-dlp and of libraries, and whatever stands in an export may hold escape sequences,
line breaks that forge lines, and bidirectional controls that show a text as another one. Texts are stored as they are;
`printable` is what every line passes on its way to the user, in the command line's one place for that
(`curate.cli.common.say`, and the log through `PrintableFormatter`).
"""

from __future__ import annotations

import logging
import re

_COLOUR = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]")
"""Control sequences that set colours and move the cursor (ECMA-48, CSI), which yt-dlp sends among others."""

_SPACES = re.compile(r" {2,}")


def printable(text: str, limit: int | None = None, *, lines: bool = False) -> str:
    """A text in printable characters only.

    Colours are dropped; white space becomes a space; any other character that is not printable, such as an escape, a
    bidirectional control or half of a surrogate pair, becomes U+FFFD.

    Args:
        text: Any text.
        limit: Most characters; a longer text ends in an ellipsis.
        lines: Keep line breaks, tabs and runs of spaces; without, the result is one line.
    """
    kept = "\n\t" if lines else ""
    text = _COLOUR.sub("", text)
    if not text.isprintable():
        text = "".join(
            c if c.isprintable() or c in kept else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
        )
    if not lines:
        text = _SPACES.sub(" ", text).strip()
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


class PrintableFormatter(logging.Formatter):
    """Log records as printable lines."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The level and the message, without anything that steers a terminal."""
        return printable(super().format(record), lines=True)
