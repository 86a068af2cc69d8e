"""From the text of a download error to a reason of the closed set.

yt-dlp has no reason codes: what a site says about a video arrives as text. The wordings are those of YouTube's player
and of yt-dlp's messages as of 2026. The text itself is kept beside the reason, so that a wording misread today can be
counted again tomorrow.
"""

from __future__ import annotations

import re

from curate.records import Reason

# Order matters: "Video unavailable" heads most of YouTube's messages, so the specific endings come first.
_WORDINGS: tuple[tuple[Reason, str], ...] = (
    (Reason.BLOCKED, r"not a (?:bot|robot)\b|captcha|unusual traffic"),
    (Reason.RATE_LIMITED, r"try again later|rate[- ]limited|too many requests"),
    (Reason.GEO, r"available (?:in|from) your (?:country|location|region)|in your country|geo[- ]?restrict"),
    (Reason.AGE, r"confirm your age|age[- ]restricted|inappropriate for some users"),
    (Reason.MEMBERS, r"join this channel|members[- ]only|this channel's members|premium members|requires payment"),
    (Reason.PRIVATE, r"private video|video is private"),
    (Reason.TERMINATED, r"account\b.*\bterminated|closed their (?:youtube )?account|account .*\bclosed"),
    (Reason.COPYRIGHT, r"copyright claim|copyright grounds|copyright infringement|blocked it"),
    (Reason.TERMS, r"violat\w+ (?:of )?youtube's|violated our community guidelines"),
    (
        Reason.LIVE,
        r"live event (?:will begin|has not started)|premieres? (?:in|will begin|on)\b|not currently live"
        r"|processing this video",
    ),
    (
        Reason.NO_FORMAT,
        r"requested format is not available|only images|no video formats|drm protected|not available on this app",
    ),
    (
        Reason.REMOVED,
        r"removed by the (?:uploader|user)|video (?:is |has been )?(?:unavailable|removed)|no longer available"
        r"|(?:video|content|recording) (?:isn't|is not) available|does not exist",
    ),
)
_PATTERNS = tuple((reason, re.compile(pattern, re.IGNORECASE | re.DOTALL)) for reason, pattern in _WORDINGS)

_STATUS = re.compile(r"HTTP Error (\d{3})\b")
_INCOMPLETE = re.compile(
    r"content too short|did not get any data|file is empty|fragment \d+ not found|\d+ bytes read"
    r"|Conflicting range",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"timed? ?out|connection (?:reset|refused|aborted|closed)|unable to connect|name resolution|name or service"
    r"|network is unreachable|no route to host|remote end closed|page needs to be reloaded|certificate verify failed",
    re.IGNORECASE,
)
_WRITING = re.compile(r"unable to (?:write|open|rename)\b.*\[Errno (\d+)\]", re.IGNORECASE | re.DOTALL)


def reason_of_text(text: str) -> Reason | None:
    """What a site says about a video, or ``None`` where the text says nothing known."""
    plain = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    for reason, pattern in _PATTERNS:
        if pattern.search(plain):
            return reason
    return None


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


def printable(text: str, limit: int = 2000) -> str:
    """One line of printable characters: control characters become spaces, long texts are cut."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = re.sub(r" {2,}", " ", line).strip()
    return line if len(line) <= limit else line[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"
