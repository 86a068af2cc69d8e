"""What a report shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReportOptions:
    """What a report shows.

    Attributes:
        pictures: Whether frames are shown; without, their places in the video and their boxes are.
        show_findings: Whether what the privacy audit found is shown as it is; else it is made unrecognisable in the
            pictures themselves.
    """

    pictures: bool = True
    show_findings: bool = False
