"""The one place where lines reach the user: standard output and standard error, with nothing in them that steers.

Whatever a command writes, by ``click.echo``, the log or an error's own text, may quote titles, file names, an export or
a website. So while a command runs its two streams are wrapped: each text passes `curate.files.text.printable`. Progress
bars, which move the cursor themselves and show no foreign text, get the stream as it is (`unwrapped`).

Where nobody reads a stream any more, as after ``| head -1``, the command goes on unheard: what it does and its exit
code do not depend on who listens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from curate.files.text import printable


class PrintableStream:
    """A text stream that writes printable characters, line breaks and tabs, and nothing else.

    Args:
        stream: What is written to.

    Attributes:
        unheard: Whether its reader was found to be gone; what is written since goes nowhere.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.unheard = False

    def write(self, text: str) -> int:
        """Write a text; returns the number of characters that were given."""
        with self._whoever_listens():
            self.stream.write(printable(text, lines=True))
        return len(text)

    def flush(self) -> None:
        """Hand on what is held back."""
        with self._whoever_listens():
            self.stream.flush()

    @contextmanager
    def _whoever_listens(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            self.unheard = True
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # bytes would pass by
            raise AttributeError(name)
        return getattr(self.stream, name)


@contextmanager
def printable_streams() -> Iterator[None]:
    """Wrap standard output and standard error for the length of a ``with`` block."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (PrintableStream(unwrapped(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def open_streams() -> None:
    """Open what of standard input, output and error is closed, as under some daemons and after ``>&-``, on nothing.

    The next file that is opened would get the number of a closed one, and so whatever any library prints.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r"))  # noqa: SIM115


def is_unheard(stream: TextIO) -> bool:
    """Whether the reader of a stream was found to be gone."""
    return isinstance(stream, PrintableStream) and stream.unheard


def unwrapped(stream: TextIO) -> TextIO:
    """The stream itself, for those who write control characters on purpose and no foreign text."""
    return stream.stream if isinstance(stream, PrintableStream) else stream
