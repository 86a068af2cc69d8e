"""From the text of a download error to a reason of the closed set.

What sites say is in a table (`curate.acquire.refusals`); here are the messages of yt-dlp and of the system about the
transfer itself.
"""

from __future__ import annotations

import re

from curate.acquire.refusals import shipped_refusals
from curate.records import Reason

_STATUS = re.compile(r"HTTP Error (\d{3})\b")
_INCOMPLETE = re.compile(
    r"content too short|did not get any data|file is empty|fragment \d+ not found|\d+ bytes read"
    r"|Conflicting range",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"timed? ?out|connection (?:reset|refused|aborted|closed)|unable to connect|name resolution|name or service"
    r"|network is unreachable|no route to host|remote end closed|certificate verify failed",
    re.IGNORECASE,
)
_WRITING = re.compile(r"unable to (?:write|open|rename)\b.*\[Errno (\d+)\]", re.IGNORECASE | re.DOTALL)


def reason_of_text(text: str) -> Reason | None:
    """What a site says about a video (`curate.acquire.refusals`), or ``None`` where the text says nothing known."""
    return shipped_refusals().reason_of(text)


def reason_of_status(status: int) -> Reason:
    """The reason for an HTTP status of 400 or more (RFC 9110; 429 is RFC 6585, 451 is RFC 7725)."""
    match status:
        case 401 | 403:
            return Reason.FORBIDDEN
        case 404 | 410:
            return Reason.NOT_FOUND
        case 416:
            return Reason.INCOMPLETE
        case 429:
            return Reason.RATE_LIMITED
        case 451:
            return Reason.GEO
        case 407 | 408 | 425:
            return Reason.NETWORK
        case _ if status >= 500:
            return Reason.NETWORK
    return Reason.ERROR


def status_in(text: str) -> int | None:
    """HTTP status named by one of yt-dlp's messages."""
    found = _STATUS.search(text)
    return int(found.group(1)) if found else None


def speaks_of_missing_data(text: str) -> bool:
    """Whether a message says that less arrived than was announced."""
    return bool(_INCOMPLETE.search(text))


def speaks_of_network(text: str) -> bool:
    """Whether a message says that the server could not be reached or fell silent."""
    return bool(_NETWORK.search(text))


def errno_of_writing(text: str) -> int | None:
    """System error number of a message that says that a file could not be written."""
    found = _WRITING.search(text)
    return int(found.group(1)) if found else None
