"""Tells a service that turns everything away from a video that cannot be had."""

from __future__ import annotations

from dataclasses import dataclass, field

from curate.records import Reason

REFUSALS = frozenset({Reason.BLOCKED, Reason.RATE_LIMITED, Reason.FORBIDDEN})
"""Reasons that speak of the session or the address, not of the video."""

TROUBLE = frozenset({Reason.NETWORK, Reason.NO_FORMAT, Reason.EMBEDDING, Reason.LOCAL_ADDRESS, Reason.ERROR})
"""Reasons that one video may well have, but many in a row only if the line is dead, its name server lies, or yt-dlp is
out of date."""


@dataclass
class Breaker:
    """Counts failures in a row that are not the videos' fault.

    A success resets both counts. Any other failure (a removed video, say) leaves them: such answers are also given to
    a session that is otherwise turned away.

    Attributes:
        refusals: `REFUSALS` in a row that open the breaker.
        trouble: `TROUBLE` in a row that opens it.
    """

    refusals: int
    trouble: int
    _refused: int = field(default=0, init=False)
    _troubled: int = field(default=0, init=False)

    def succeeded(self) -> None:
        """A video arrived."""
        self._refused = self._troubled = 0

    def failed(self, reason: Reason) -> bool:
        """Count a failure; true when it is one too many."""
        if reason in REFUSALS:
            self._refused += 1
            return self._refused >= self.refusals
        if reason in TROUBLE:
            self._troubled += 1
            return self._troubled >= self.trouble
        return False
