"""Frames of which LEMON's crops leave too little: LEMON drops them, and so does an export that crops its way."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from curate.config import ExportOptions
from curate.exports.pixels.frames import ExportFrame, read_frames
from curate.exports.pixels.render import Renderer
from curate.exports.plan.plan import FramePolicy, PlannedVideo
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
        """Numbers of the too_small frames of a video.

        Raises:
            BrokenVideo: The artefacts of the video cannot be read.
        """
        if self._options.crop != "lemon":
            return frozenset()
        if video.id not in self._found:
            self._found[video.id] = self._look(video)
        return self._found[video.id]

    def _look(self, video: PlannedVideo) -> frozenset[int]:
        renderer, too_small = Renderer(self._options), []
        threads = usable_cores()
        ahead: deque[tuple[ExportFrame, Future[bool]]] = deque()
        with ThreadPoolExecutor(threads) as pool:

            def finish() -> None:
                frame, answer = ahead.popleft()
                if answer.result():
                    too_small.append(frame.n)

            for frame in read_frames(video, FramePolicy.of(self._options)):
                ahead.append((frame, pool.submit(renderer.is_too_small, frame)))
                if len(ahead) > _AHEAD * threads:
                    finish()
            while ahead:
                finish()
        return frozenset(too_small)
