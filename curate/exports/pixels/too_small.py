"""Frames of which LEMON's crops leave too little: LEMON drops them, and so does an export that crops its way."""

from __future__ import annotations

from curate.config import ExportOptions
from curate.exports.pixels.frames import ExportFrame, read_frames
from curate.exports.pixels.render import Renderer
from curate.exports.plan.plan import FramePolicy, PlannedVideo
from curate.files.ahead import map_ahead
from curate.files.machine import usable_cores

_AHEAD = 3
"""Frames in hand for each thread."""


class TooSmallFrames:
    """Finds them, once a video; every frame must be decoded for it, so this is done for that crop only.

    Args:
        options: Of the export.
    """

    def __init__(self, options: ExportOptions) -> None:
        self._options = options
        self._found: dict[str, frozenset[int]] = {}

    def __call__(self, video: PlannedVideo) -> frozenset[int]:
        """Numbers of the frames that are too small of a video.

        Raises:
            BrokenVideo: The artefacts of the video cannot be read.
        """
        if self._options.crop != "lemon":
            return frozenset()
        if video.id not in self._found:
            self._found[video.id] = self._look(video)
        return self._found[video.id]

    def _look(self, video: PlannedVideo) -> frozenset[int]:
        renderer, threads = Renderer(self._options), usable_cores()

        def look(frame: ExportFrame) -> int | None:
            return frame.n if renderer.is_too_small(frame) else None

        frames = read_frames(video, FramePolicy.of(self._options))
        found = map_ahead(look, frames, threads=threads, most=_AHEAD * threads)
        return frozenset(n for n in found if n is not None)
