"""What sites say when they refuse a video, as data: ``labels/refusals.toml``.

yt-dlp has no reason codes: what a site says about a video arrives as a sentence. The table holds the sentences that
were seen, with the day and the place, and the patterns that lead from a sentence to a reason. The sentence itself is
kept in the ledger, so that a wording misread today can be counted again tomorrow.
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from curate.errors import CurateError
from curate.files.text import printable
from curate.records import Reason
from curate.resources import labels_folder

_QUOTES = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032\u00b4`\u0060\uff07", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    }
)

_PREFIX = re.compile(r"(?:(?:error|warning):\s*)*(?:\[[^\]]{1,100}\]\s*(?:[\w-]{1,100}:\s+)?)?(?:error:\s*)?")
"""How yt-dlp begins a message: ``ERROR: [youtube] dQw4w9WgXcQ: ``."""

_LONGEST = 4000
"""Characters of a sentence that are looked at."""


@dataclass(frozen=True)
class Wording:
    """A sentence that was seen.

    Attributes:
        text: As it was shown.
        seen: The last day on which it is known to have been in use.
        source: Where: a file of yt-dlp, an issue of a repository.
    """

    text: str
    seen: date
    source: str


@dataclass(frozen=True)
class Refusal:
    """One reason and how it is worded.

    Attributes:
        reason: From the closed set.
        patterns: Any of them, found in a plain sentence (`plain`), stands for the reason.
        wordings: Sentences that were seen.
    """

    reason: Reason
    patterns: tuple[re.Pattern[str], ...]
    wordings: tuple[Wording, ...]


@dataclass(frozen=True)
class RefusalTable:
    """All refusals, in the order in which they are tried.

    Attributes:
        refusals: The first that fits a sentence decides.
    """

    refusals: tuple[Refusal, ...]

    def reason_of(self, text: str) -> Reason | None:
        """What a sentence says about a video, or ``None`` where it says nothing known."""
        sentence = plain(text)
        for refusal in self.refusals:
            if any(pattern.search(sentence) for pattern in refusal.patterns):
                return refusal.reason
        return None

    @property
    def wordings(self) -> tuple[Wording, ...]:
        """All sentences that were seen."""
        return tuple(wording for refusal in self.refusals for wording in refusal.wordings)

    @property
    def newest(self) -> date:
        """The last day on which any sentence was seen."""
        return max(wording.seen for wording in self.wordings)


def plain(text: str) -> str:
    """A sentence as patterns see it: lower case, straight quotation marks, single spaces, without yt-dlp's prefix."""
    text = printable(text[:_LONGEST]).translate(_QUOTES).lower()
    return text[found.end() :] if (found := _PREFIX.match(text)) else text


def read_refusals(path: Path) -> RefusalTable:
    """Read a table.

    Raises:
        CurateError: It cannot be read, or an entry lacks something or holds something else; says which.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["refusal"]
        return RefusalTable(tuple(_refusal(entry, f"refusal {n}") for n, entry in enumerate(entries, start=1)))
    except OSError as error:
        raise CurateError(f"cannot read {path}: {error.strerror}; install curate again") from error
    except (KeyError, TypeError, ValueError, re.error) as error:
        raise CurateError(f"{path} is not a table of refusals: {error}") from error


def _refusal(entry: dict[str, object], where: str) -> Refusal:
    try:
        patterns, wordings = entry["patterns"], entry["wordings"]
        if not isinstance(patterns, list) or not isinstance(wordings, list):
            raise ValueError("patterns and wordings must be lists")
        return Refusal(
            reason=Reason(str(entry["reason"])),
            patterns=tuple(re.compile(pattern, re.DOTALL) for pattern in patterns),
            wordings=tuple(Wording(str(w["text"]), _day(w["seen"]), str(w["source"])) for w in wordings),
        )
    except (KeyError, TypeError, ValueError, re.error) as error:
        raise ValueError(f"{where}: {error}") from error


def _day(value: object) -> date:
    if not isinstance(value, date):
        raise ValueError(f"{value!r} is not a day, such as 2026-11-25")
    return value


@functools.cache
def shipped_refusals() -> RefusalTable:
    """The table that comes with curate, read at the first refusal."""
    return read_refusals(labels_folder() / "refusals.toml")
