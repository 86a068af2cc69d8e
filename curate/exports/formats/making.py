"""What the writer of a shard is given: which frames, how they are to look, and a folder of its own.

A shard is written in a worker, by a task of an engine or in the process at hand. Its job is plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from curate.config import ExportOptions
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.previous import Offer
from curate.exports.disk.staging import Staging
from curate.exports.pixels.frames import ExportFrame, read_frames
from curate.exports.pixels.render import Renderer
from curate.exports.plan.plan import FramePolicy
from curate.exports.plan.shards import Shard
from curate.files.ahead import map_ahead
from curate.files.machine import worker_threads

_AHEAD = 3
"""Frames in the making for each thread."""


@dataclass(frozen=True)
class Job:
    """A shard to be written.

    Attributes:
        format: Name of the format.
        key: Fingerprint of all that its bytes depend on, and its name while it is staged.
        shard: Its frames.
        options: Of the export.
        context: Facts about how the frames were made.
        final: Folder of the export.
        labels: Label of each class, in their order.
        joins: Keys and frames of the shards that it joins; empty for a shard that is made from artefacts.
        offer: The same shard of the export that is being replaced, if it has one.
        anew: Whether it is to be written whatever there is of it: taking something over has crashed a worker.
    """

    format: str
    key: str
    shard: Shard
    options: ExportOptions
    context: Mapping[str, str]
    final: Path
    labels: Mapping[str, int]
    joins: tuple[tuple[str, Shard], ...] = ()
    offer: Offer | None = None
    anew: bool = False

    @property
    def staging(self) -> Staging:
        """Where it is staged."""
        return Staging(self.final)


@dataclass
class Making:
    """One attempt at a job.

    Attributes:
        job: What to write.
        folder: Where; nobody else writes there.
        tick: To be called for each frame, as a sign of life.
        summed: Checksums that were taken on the way, by path below the folder; other files are read again for theirs.
        taken: Whether the files are those of the export that is being replaced.
        refused: Why what that export offers was not taken over; empty if it was, or nothing was offered.
    """

    job: Job
    folder: Path
    tick: Callable[[], None]
    summed: dict[str, FileFacts] = field(default_factory=dict)
    taken: bool = False
    refused: str = ""

    @cached_property
    def renderer(self) -> Renderer:
        """Makes the pictures."""
        return Renderer(self.job.options)

    def pictures(self, *, swapped: bool = False) -> Iterator[tuple[ExportFrame, bytes]]:
        """All frames of the shard with their finished JPEGs; see `encoded`."""
        for frame, jpeg in self.encoded(swapped=swapped):
            yield frame, frame.jpeg if jpeg is None else jpeg

    def encoded(self, *, swapped: bool = False) -> Iterator[tuple[ExportFrame, bytes | None]]:
        """All frames of the shard, videos in their order, frames in time, with their JPEGs where they are made anew.

        Where there is more than one thread, a few frames are made ahead of the one that is given out.

        Args:
            swapped: Exchange R and B, as `Renderer.swapped_jpeg` does; every frame is made anew then.

        Raises:
            BrokenVideo: The artefacts of a video cannot be read.
            DamagedArtefact: They are not the ones that the stages left.
        """
        render = self.renderer.swapped_jpeg if swapped else self.renderer.jpeg

        def make(item: tuple[ExportFrame, bool]) -> tuple[ExportFrame, bytes | None]:
            frame, is_copied = item
            return frame, None if is_copied else render(frame)

        threads = worker_threads()
        frames = ((frame, not swapped and self.renderer.is_copied(frame)) for frame in self._frames())
        for made in map_ahead(make, frames, threads=threads, most=_AHEAD * threads, at_once=lambda item: item[1]):
            self.tick()
            yield made

    def _frames(self) -> Iterator[ExportFrame]:
        policy = FramePolicy.of(self.job.options)
        for span in self.job.shard.spans:
            yield from read_frames(span.video, policy, span.start, span.stop)
