"""All rules over one line of text."""

from __future__ import annotations

from curate.privacy.dates import find_dates
from curate.privacy.identifiers import find_identifiers
from curate.privacy.names import find_names
from curate.privacy.text import Found

_RANK = ("birth", "labelled", "telephone", "mail", "dicom")
"""Rules that win over dates: what stands behind a label is what the label says."""


def find_personal(text: str) -> list[Found]:
    """What reads like a name, a date or an identifier in a line of text.

    Args:
        text: As `curate.privacy.text.plain` leaves it.

    Returns:
        Stretches that do not overlap others of another kind, left to right; of two the longer stays, except that a
        label, a telephone number or an address wins over a date.
    """
    found = [*find_names(text), *find_dates(text), *find_identifiers(text)]
    kept: list[Found] = []
    for one in sorted(found, key=_order):
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: (one.start, one.end))


def _order(one: Found) -> tuple[int, int, int, str]:
    if one.rule in _RANK:
        place = 0
    else:
        place = {"date": 1, "identifier": 2, "name": 3}[one.kind]
    return place, one.start - one.end, one.start, one.rule
