"""What every writer is given: the plan, the options, and the frames of each split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from curate.config import ExportOptions
from curate.exports.balance import ProcedureRow, frame_weights, procedure_rows
from curate.exports.frames import ExportFrame, read_frames
from curate.exports.plan import Choice, Plan, PlannedVideo
from curate.exports.render import Renderer


@dataclass(frozen=True)
class Dataset:
    """A dataset about to be written in one format.

    Attributes:
        plan: Videos, their splits and numbers of frames.
        options: What to take and how to paint and encode it.
        context: Facts about how it was made, such as names and checksums of weights; written into every export.
        on_frame: Called after each frame is handed to the writer.
    """

    plan: Plan
    options: ExportOptions
    context: Mapping[str, str]
    on_frame: Callable[[], None] = field(default=lambda: None)

    @cached_property
    def renderer(self) -> Renderer:
        """Makes the pictures."""
        return Renderer(self.options)

    @cached_property
    def procedures(self) -> list[ProcedureRow]:
        """Table of procedures, split by split."""
        alpha = self.options.balance_alpha
        return [row for split, videos in self.plan.splits().items() for row in procedure_rows(split, videos, alpha)]

    @cached_property
    def weights(self) -> dict[str, float]:
        """Sampling weight of one frame of each video, by video id; see `curate.exports.balance.frame_weights`."""
        weights: dict[str, float] = {}
        for split, videos in self.plan.splits().items():
            weights |= frame_weights(videos, [row for row in self.procedures if row.split == split])
        return weights

    def frames(self, split: str) -> Iterator[ExportFrame]:
        """All frames of a split: videos in manifest order, frames in time.

        Raises:
            BrokenVideo: The artefacts of a video cannot be read.
        """
        return self.frames_of(self.plan.splits()[split])

    def frames_of(self, videos: Iterable[PlannedVideo]) -> Iterator[ExportFrame]:
        """All frames of some videos, in their order.

        Raises:
            BrokenVideo: The artefacts of a video cannot be read.
        """
        choice = Choice.of(self.options)
        for video in videos:
            for frame in read_frames(video, choice):
                yield frame
                self.on_frame()
