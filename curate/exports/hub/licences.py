"""Whether licences ask that a data set be gated."""

from __future__ import annotations

import re
from collections.abc import Iterable

_OPEN = re.compile(
    r"\b(?:cc ?0|public domain|pddl|cc by(?: sa)?|creative commons (?:attribution|zero|0)|odc by|odbl|mit|apache|bsd|"
    r"unlicense)\b"
)
_CLOSED = re.compile(
    r"\b(?:nc|nd|non ?commercial(?:ly)?|no ?deriv\w*|non ?deriv\w*|research|academic|only|none|not stated|unknown|"
    r"repository|permission|agreement|terms|registration|restricted|private|confidential|all rights reserved)\b"
)


def asking(licences: Iterable[str]) -> list[str]:
    """Those of some licences that do not let everybody pass the work on, sorted; ``not stated`` for none at all.

    A licence lets everybody if it is one of the open ones by its name (CC0, CC BY, CC BY-SA, ODC-BY, ODbL, MIT, Apache,
    BSD, the public domain) and says nothing that narrows it. Whatever is not known asks.
    """
    found = {licence.strip() for licence in licences}
    return sorted(licence or "not stated" for licence in found if not _is_open(licence))


def _is_open(licence: str) -> bool:
    words = " ".join(re.findall(r"[a-z]+|\d+", licence.lower()))
    return _OPEN.search(words) is not None and _CLOSED.search(words) is None
