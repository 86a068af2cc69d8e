"""What the privacy audit found in a video, as an export needs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from curate.records import FINDING_KINDS
from curate.workspace.tables.regions import read_findings


@dataclass
class AuditCounts:
    """How many frames were audited, and on how many there is what.

    Attributes:
        videos: Videos that were audited.
        unaudited: Videos that were not.
        frames: Frames that may be shown by their verdicts, of the audited videos.
        found: Of these, how many show each kind of finding.
        any: Of these, how many show any.
        hidden: Of these, how many are left out or black because of it.
    """

    videos: int = 0
    unaudited: int = 0
    frames: int = 0
    found: Counter[str] = field(default_factory=Counter)
    any: int = 0
    hidden: int = 0

    def count(self, kinds: frozenset[str], *, hidden: bool) -> None:
        """Count one frame."""
        self.frames += 1
        self.found.update(kinds)
        self.any += bool(kinds)
        self.hidden += hidden

    def add(self, other: AuditCounts) -> None:
        """Add another tally to this one."""
        self.videos += other.videos
        self.unaudited += other.unaudited
        self.frames += other.frames
        self.found.update(other.found)
        self.any += other.any
        self.hidden += other.hidden

    @classmethod
    def total(cls, tallies: Iterable[AuditCounts]) -> AuditCounts:
        """Sum of some tallies."""
        result = cls()
        for tally in tallies:
            result.add(tally)
        return result

    def to_json(self) -> dict[str, int | dict[str, int]]:
        """Plain data, stable in its order."""
        found = {kind: self.found[kind] for kind in FINDING_KINDS}
        return {
            "audited_videos": self.videos,
            "unaudited_videos": self.unaudited,
            "frames": self.frames,
            "frames_with_findings": self.any,
            "found": found,
            "frames_left_out": self.hidden,
        }


def kinds_by_frame(audit: Path | None) -> Mapping[int, frozenset[str]]:
    """Kinds of findings of each frame that has any, by its number.

    Args:
        audit: Parquet of `curate.workspace.tables.audit_schema`; ``None`` where no audit was made.

    Raises:
        BadArtefact: It cannot be read.
    """
    kinds: dict[int, frozenset[str]] = {}
    for n, finding in read_findings(audit) if audit else ():
        kinds[n] = kinds.get(n, frozenset()) | {finding.kind}
    return kinds
