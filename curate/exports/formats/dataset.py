"""What every writer is given: the plan, the options, and the finished pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from curate.config import ExportOptions
from curate.corpus.balance import Balance, ProcedureRow, frame_weights, procedure_rows
from curate.exports.disk.staging import Staging
from curate.exports.pixels.frames import ExportFrame, read_frames
from curate.exports.pixels.render import Renderer
from curate.exports.plan.plan import FramePolicy, Plan, PlannedVideo
from curate.files.ahead import map_ahead
from curate.files.machine import usable_cores

_AHEAD = 3
"""Frames in the making for each thread."""


def balance_of(options: ExportOptions) -> Balance:
    """How the sampling weights of an export are balanced."""
    return Balance(by=options.balance_by, alpha=options.balance_alpha, frames=options.balance_frames)


@dataclass(frozen=True)
class Dataset:
    """A dataset about to be written in one format.

    Attributes:
        format: Name of the format.
        plan: Videos, their splits and numbers of frames.
        options: What to take and how to paint and encode it.
        context: Facts about how it was made, such as names and checksums of weights; written into every export.
        on_frame: Called for each frame that is handed to the writer.
        staging: Where it is written, and what is finished of it.
        previous: Folder of the export that this one replaces, if there is one; its files may be taken over.
    """

    format: str
    plan: Plan
    options: ExportOptions
    context: Mapping[str, str]
    on_frame: Callable[[], None]
    staging: Staging
    previous: Path | None = None

    @cached_property
    def renderer(self) -> Renderer:
        """Makes the pictures."""
        return Renderer(self.options)

    @cached_property
    def procedures(self) -> list[ProcedureRow]:
        """Table of procedures, split by split."""
        how = balance_of(self.options)
        return [row for split, videos in self.plan.splits().items() for row in procedure_rows(split, videos, how)]

    @cached_property
    def weights(self) -> dict[str, float]:
        """Sampling weight of one frame of each video, by video id; see `curate.corpus.balance.frame_weights`."""
        weights: dict[str, float] = {}
        for videos in self.plan.splits().values():
            weights |= frame_weights(videos, balance_of(self.options))
        return weights

    def pictures(
        self, videos: Iterable[PlannedVideo], *, skip: int = 0, swapped: bool = False
    ) -> Iterator[tuple[ExportFrame, bytes]]:
        """All frames of some videos with their finished JPEGs: videos in their order, frames in time.

        Frames that must be encoded are made in threads, a few ahead of the one that is given out.

        Args:
            videos: Videos of the plan.
            skip: Leave out so many frames at the beginning; they are not read.
            swapped: Exchange R and B, as `Renderer.swapped_jpeg` does.

        Raises:
            BrokenVideo: The artefacts of a video cannot be read.
        """
        render = self.renderer.swapped_jpeg if swapped else self.renderer.jpeg

        def make(frame: ExportFrame) -> tuple[ExportFrame, bytes]:
            return frame, render(frame)

        def is_copied(frame: ExportFrame) -> bool:
            return not swapped and self.renderer.is_copied(frame)

        threads = usable_cores()
        frames = self._frames(videos, skip)
        for made in map_ahead(make, frames, threads=threads, most=_AHEAD * threads, at_once=is_copied):
            self.on_frame()
            yield made

    def _frames(self, videos: Iterable[PlannedVideo], skip: int) -> Iterator[ExportFrame]:
        policy = FramePolicy.of(self.options)
        for video in videos:
            if skip < video.frames:
                yield from read_frames(video, policy, skip)
            skip = max(0, skip - video.frames)
