"""The exceptions that cross module borders on purpose."""

from __future__ import annotations

import os
import re
from typing import Any

_NUMBER = re.compile(r"\[Errno -?\d+\] ")


class CurateError(Exception):
    """A mistake the user can mend: bad usage, configuration, or environment.

    The message says what was wrong, where (file, line, row, video id), and what to do. The command line prints it
    without a traceback and exits with 1.
    """


class StageHalted(Exception):
    """Raised by a stage when going on would be wrong for *every* video, not just the one in hand.

    Examples: a full disk, a bot check that meets every download. The video in hand stays pending (no ledger line is
    written for it), no further video is given to the stage, and the message is shown at the end of the run.
    """


class BadArtefact(Exception):
    """An artefact cannot be read, or does not fit the others of its video; the message names the file and says why.

    It costs that video only: a stage that reads it fails with it, an export leaves the video out.

    Attributes:
        path: The file, by its name or open.
        why: What is wrong with it.
    """

    def __init__(self, path: Any, why: str) -> None:
        super().__init__(f"cannot read {path}: {why}")
        self.path = path
        self.why = why


def why_of(error: BaseException) -> str:
    """What went wrong, in one line: of an error of the system or of FFmpeg neither its number nor the file's name.

    Arrow puts both into the words, so the system is asked for its own.
    """
    said = getattr(error, "strerror", None)
    if not said:
        return _NUMBER.sub("", " ".join(str(error).split()))
    number = getattr(error, "errno", None)
    return os.strerror(number or 0) if "[errno " in said else str(said)
