"""Class labels for consumers that want one a frame: the first procedure a video names."""

from __future__ import annotations

import re

from curate.corpus.balance import procedures_of
from curate.exports.plan.plan import Plan, PlannedVideo

_LONGEST = 60
"""Characters of a class name, so that names in tars stay below the 100 bytes of USTAR."""


def class_of(video: PlannedVideo) -> str:
    """Class of a video's frames: lower-case letters, digits and ``-``, fit for a folder and a file name."""
    slug = re.sub(r"[^a-z0-9]+", "-", procedures_of(video)[0].lower()).strip("-")
    return slug[:_LONGEST].strip("-") or "unknown"


def class_names(plan: Plan) -> list[str]:
    """All classes of an export in order; a class's place is its index, the same in every split."""
    return sorted({class_of(video) for video in plan.videos})
