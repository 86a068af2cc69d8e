"""Sampling weights that keep frequent procedures from drowning rare ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

NO_PROCEDURE = "unknown"
"""Row of the table for videos that name no procedure."""


class CountedVideo(Protocol):
    """A video with the frames of it that count."""

    @property
    def id(self) -> str:
        """Id of the video."""

    @property
    def procedures(self) -> Sequence[str]:
        """Procedures of the video, in the manifest's order; one may be named twice."""

    @property
    def frames(self) -> int:
        """How many frames there are."""

    @property
    def seconds(self) -> float:
        """What they stand for."""


@dataclass(frozen=True)
class ProcedureRow:
    """One procedure within one split; a video of several procedures counts for each with an equal share.

    Attributes:
        split: Name of the split.
        procedure: Name of the procedure, or `NO_PROCEDURE`.
        videos: Videos that show it, each counted whole.
        frames: Shares of frames.
        hours: Shares of hours.
        weight: Probability with which a balanced sampler draws a frame of it; the rows of a split sum to 1.
    """

    split: str
    procedure: str
    videos: int
    frames: float
    hours: float
    weight: float


def procedures_of(video: CountedVideo) -> tuple[str, ...]:
    """Distinct procedures of a video in the manifest's order, or `NO_PROCEDURE`."""
    return tuple(dict.fromkeys(video.procedures)) or (NO_PROCEDURE,)


def procedure_rows(split: str, videos: Sequence[CountedVideo], alpha: float) -> list[ProcedureRow]:
    """Count the videos, frames and hours of each procedure and weigh it with ``p`` proportional to ``frames^alpha``.

    Args:
        split: Name of the split the videos belong to.
        videos: All videos of the split, each with at least one frame.
        alpha: 1 keeps the natural frequencies, 0 draws every procedure alike, 0.5 lies between.

    Returns:
        One row a procedure, by name.
    """
    count: dict[str, int] = defaultdict(int)
    frames: dict[str, float] = defaultdict(float)
    hours: dict[str, float] = defaultdict(float)
    for video in videos:
        procedures = procedures_of(video)
        for procedure in procedures:
            count[procedure] += 1
            frames[procedure] += video.frames / len(procedures)
            hours[procedure] += video.seconds / 3600 / len(procedures)
    total = sum(n**alpha for n in frames.values())
    return [
        ProcedureRow(split, name, count[name], frames[name], hours[name], frames[name] ** alpha / total)
        for name in sorted(count)
    ]


def frame_weights(videos: Sequence[CountedVideo], rows: Sequence[ProcedureRow]) -> dict[str, float]:
    """Probability with which a balanced sampler draws any one frame of a video.

    A frame takes its share of the weight of each procedure of its video. Over all frames of the split the
    probabilities sum to 1.

    Args:
        videos: All videos of one split.
        rows: That split's rows of `procedure_rows`.

    Returns:
        Weight of one frame, by video id.
    """
    per_frame = {row.procedure: row.weight / row.frames for row in rows}
    weights = {}
    for video in videos:
        procedures = procedures_of(video)
        weights[video.id] = sum(per_frame[name] for name in procedures) / len(procedures)
    return weights
