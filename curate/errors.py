"""The two exceptions that cross module borders on purpose."""

from __future__ import annotations


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
