"""Frames of which LEMON's crops leave too little: LEMON drops them, and so does an export that crops its way."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from curate.config import ExportOptions
from curate.exports.frames import ExportFrame, read_frames
from curate.exports.plan import Choice, PlannedVideo
from curate.exports.render import Renderer
from curate.files.machine import usable_cores

_AHEAD = 3
"""Frames in hand for each thread."""


class TinyFrames:
    """Finds them, once a video; every frame must be decoded for it, so this is done for that crop only.

    Args:
        options: Of the export.
    """

    def __init__(self, options: ExportOptions) -> None:
        self._options = options
        self._found: dict[str, frozenset[int]] = {}

    def __call__(self, video: PlannedVideo) -> frozenset[int]:
        """Numbers of the tiny frames of a video.

        Raises:
            BrokenVideo: The artefacts of the video cannot be read.
        """
        if self._options.crop != "lemon":
            return frozenset()
        if video.id not in self._found:
            self._found[video.id] = self._look(video)
        return self._found[video.id]

    def _look(self, video: PlannedVideo) -> frozenset[int]:
        renderer, tiny = Renderer(self._options), []
        threads = usable_cores()
        ahead: deque[tuple[ExportFrame, Future[bool]]] = deque()
        with ThreadPoolExecutor(threads) as pool:

            def finish() -> None:
                frame, answer = ahead.popleft()
                if answer.result():
                    tiny.append(frame.n)

            for frame in read_frames(video, Choice.of(self._options)):
                ahead.append((frame, pool.submit(renderer.is_tiny, frame)))
                if len(ahead) > _AHEAD * threads:
                    finish()
            while ahead:
                finish()
        return frozenset(tiny)
