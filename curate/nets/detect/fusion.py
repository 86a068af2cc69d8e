"""Joining what the text detector sees in single frames with what the overlay network sees over time.

Frames are pushed in order and come back some frames later with their regions; memory is flat, for only a window of
reduced frames is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from curate.nets.detect.overlay import LEAST_SIDES, OverlayNet
from curate.nets.detect.watch import Look
from curate.records import Region
from curate.vision.boxes import ScoredBox, Size, iou, scale, share_inside
from curate.vision.static_content import COLUMNS, DEVIATION, ROWS, WINDOW, presence, statistics

Image = npt.NDArray[np.uint8]

HOP = WINDOW // 2
"""Frames from one window to the next; every frame is looked at in two windows."""

PRESENT = 0.5
"""Share of a region's steady edges that a frame must show for the region to be on in it."""

SURE = 0.8
"""Share of a region's steady edges from which it is on in all frames of a window, if each of them shows as much."""

ALONE = 0.5
"""Share of the best frame's own overlay probability inside a region that a frame must reach for the region to be on in
it. Where an overlay comes or goes in a still scene, its steady edges alone do not tell which half shows it."""

STILL = 2.0
"""Mean deviation over time (luma, 0..255) inside a region below which nothing comes or goes in it, so that all frames
of the window show it. No overlay that can be seen changes so little where it appears."""

GAP = WINDOW // 2
"""Numbers missing between two frames from which they are not looked at together: overlays change at such places."""

SAME = 0.5
"""Intersection over union from which boxes of two windows are one region."""

PERSISTS = 0.3
"""Intersection over union from which text boxes of two frames are the same text."""

ONE_OFF = 0.15
"""What is added to the threshold for text that no neighbouring frame shows: tissue fools the detector now and then,
but hardly twice in the same place."""

SUPPORT = 0.1
"""Mean probability of overlay that the network must see inside text, over time or in the frame alone: what the text
detector takes for text on tissue and instruments moves, and does not look like text to the network."""

SHORT = 3
"""Windows of fewer frames hold no evidence over time."""

MISSED = 0.5
"""Share of what was seen in a glimpse that a region covers from which it is that."""

UNSURE = 0.05
"""What is added to the threshold for overlays found without evidence over time. On composed clips of the groups kept
for validation at most 2 of 185 clean frames are touched with it when looked at alone, 4 without."""


@dataclass
class _Frame:
    n: int
    width: int
    height: int
    text: list[ScoredBox]
    reduced: Image
    steps: npt.NDArray[np.float32]
    others: list[Region]
    glimpsed: Sequence[Region]
    alone: npt.NDArray[np.float32] | None = None
    overlays: list[Region] = field(default_factory=list)
    persistent: set[int] = field(default_factory=set)
    support: dict[int, float] = field(default_factory=dict)
    windows: int = 0


class Fusion:
    """Regions of the frames of one video.

    Args:
        net: The overlay network; without it only text is found, and judged by whether it persists.
        threshold: Smallest score of a text box that persists, 0..1.
        seen: Counts what the network saw: ``overlay_windows``, and ``overlay_frames`` that were looked at alone here.
    """

    def __init__(self, net: OverlayNet | None, threshold: float, seen: Counter[str] | None = None) -> None:
        self._seen: Counter[str] = Counter() if seen is None else seen
        self._net = net
        self._threshold = threshold
        self._frames: list[_Frame] = []

    def push(self, n: int, size: Size, look: Look) -> Iterator[tuple[int, list[Region]]]:
        """Take one frame and give those that are settled.

        Args:
            n: Number of the frame.
            size: Its width and height in pixels.
            look: What was found in it alone; what other detectors than that for text found is kept as it is.

        Yields:
            Frame number and its regions, in the order pushed.
        """
        if self._frames and n - self._frames[-1].n > GAP:
            yield from self.flush()
        self._frames.append(_Frame(n, *size, look.text, look.reduced, look.steps, look.others, look.glimpsed))
        if len(self._frames) == WINDOW:
            self._look()
            settled, self._frames = self._frames[:HOP], self._frames[HOP:]
            yield from self._settle(settled)

    def flush(self) -> Iterator[tuple[int, list[Region]]]:
        """Give the frames that are left; the video is over."""
        if any(not frame.windows for frame in self._frames):
            self._look()
        settled, self._frames = self._frames, []
        yield from self._settle(settled)

    def _look(self) -> None:
        """Look at the frames held, as one window."""
        frames = self._frames
        for one in frames:
            one.windows += 1
            for index, text in enumerate(one.text):
                shown = any(iou(text.box, other.box) >= PERSISTS for f in frames if f is not one for other in f.text)
                if shown or len(frames) == 1:
                    one.persistent.add(index)
        if self._net is None:
            return
        maps = statistics([frame.reduced for frame in frames], [frame.steps for frame in frames])
        found, overlaid = self._net.find(maps)
        self._seen["overlay_windows"] += 1
        if len(frames) < SHORT:
            found = [overlay for overlay in found if overlay.score >= self._net.threshold + UNSURE]
        else:
            for one in frames:
                for index, box in enumerate(one.text):
                    seen = _mean_inside(overlaid, box, one.width, one.height)
                    one.support[index] = max(one.support.get(index, 0.0), seen)
        steady = np.mean([frame.steps for frame in frames], axis=0)
        for overlay in found:
            still = DEVIATION * float(maps[3, overlay.y1 : overlay.y2, overlay.x1 : overlay.x2].mean()) < STILL
            for frame, on in zip(frames, [True] * len(frames) if still else self._shown(overlay, steady), strict=True):
                if on:
                    _add(frame.overlays, _scaled(overlay, frame.width, frame.height))

    def _shown(self, overlay: Region, steady: npt.NDArray[np.float32]) -> list[bool]:
        """Which of the frames held show an overlay: by its steady edges, and by what the network sees in each alone."""
        present = [presence(frame.steps, steady, overlay.box) for frame in self._frames]
        if min(present) >= SURE:
            return [True] * len(present)
        own = [
            float(self._alone(frame)[overlay.y1 : overlay.y2, overlay.x1 : overlay.x2].mean()) for frame in self._frames
        ]
        return [
            edges >= PRESENT and probability >= ALONE * max(own)
            for edges, probability in zip(present, own, strict=True)
        ]

    def _alone(self, frame: _Frame) -> npt.NDArray[np.float32]:
        """Probability of overlay that the network sees in one frame without the others; computed when it is needed."""
        if frame.alone is None:
            self._seen["overlay_frames"] += 1
            assert self._net is not None, "overlays are found by the network"
            frame.alone = 1 - self._net.probabilities(statistics([frame.reduced], [frame.steps]))[0]
        return frame.alone

    def _glimpse(self, frame: _Frame) -> None:
        """Look at a frame alone where a glimpse showed what its windows do not: a menu that was open for a moment.

        Overlays are added that are mostly interface or insert by the glimpse.
        """
        missed = [
            one
            for one in frame.glimpsed
            if not any(
                share_inside(scale(one.box, (COLUMNS, ROWS), (frame.width, frame.height)), other.box) >= MISSED
                for other in frame.overlays
            )
        ]
        if not missed or self._net is None:
            return
        self._seen["overlay_frames"] += 1
        found, frame.alone = self._net.find(statistics([frame.reduced], [frame.steps]))
        for overlay in found:
            if overlay.kind not in LEAST_SIDES or overlay.score < self._net.threshold + UNSURE:
                continue
            if any(share_inside(overlay.box, one.box) >= MISSED for one in missed):
                _add(frame.overlays, _scaled(overlay, frame.width, frame.height))

    def _believed(self, frame: _Frame, index: int) -> bool:
        """Whether the network sees anything of a text; true where it has not looked at the frame over time."""
        if index not in frame.support or frame.support[index] >= SUPPORT:
            return True
        return _mean_inside(self._alone(frame), frame.text[index], frame.width, frame.height) >= SUPPORT

    def _settle(self, frames: Sequence[_Frame]) -> Iterator[tuple[int, list[Region]]]:
        for frame in frames:
            self._glimpse(frame)
            text = []
            for index, found in enumerate(frame.text):
                covered = any(share_inside(found.box, region.box) >= 0.5 for region in frame.overlays)
                supported = index in frame.persistent or covered
                enough = found.score >= self._threshold + (0 if supported else ONE_OFF)
                if enough and self._believed(frame, index):
                    text.append(Region(*found.box, "text", found.score, "text"))
            yield (
                frame.n,
                sorted(text + frame.overlays + frame.others, key=lambda r: (r.y1, r.x1, r.y2, r.x2, r.model, r.kind)),
            )


def _mean_inside(overlaid: npt.NDArray[np.float32], box: ScoredBox, width: int, height: int) -> float:
    """Mean probability of overlay inside a box of a frame of some width and height."""
    x1, y1, x2, y2 = scale(box.box, (width, height), (COLUMNS, ROWS))
    return float(overlaid[y1:y2, x1:x2].mean())


def _scaled(overlay: Region, width: int, height: int) -> Region:
    """A box of the reduced image in pixels of the frame, rounded outwards."""
    return Region(*scale(overlay.box, (COLUMNS, ROWS), (width, height)), *overlay[4:])


def _add(regions: list[Region], new: Region) -> None:
    """Add a region unless it is already there; of two the better scored stays."""
    for place, old in enumerate(regions):
        if iou(old.box, new.box) >= SAME:
            regions[place] = max(old, new, key=lambda region: region.score)
            return
    regions.append(new)
