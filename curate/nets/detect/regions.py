"""Regions of frames that are not surgery, by all detectors that the mask options name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from curate.config import MaskOptions
from curate.nets.detect import text_detector
from curate.nets.detect.boxed import Template
from curate.nets.detect.fusion import Fusion
from curate.nets.detect.overlay import OverlayNet
from curate.nets.detect.own_overlay import overlay_model
from curate.nets.detect.text_detector import TextDetector
from curate.nets.detect.watch import Watch
from curate.nets.detect.yolo import suppress
from curate.nets.detect.yolo_files import load, model_files
from curate.records import Region
from curate.vision.outlines import find_outlines
from curate.vision.redactions import find_redactions

Image = npt.NDArray[np.uint8]


class RegionFinder:
    """Text detector, overlay network and the user's YOLO models, loaded as the options ask and joined by `Fusion`.

    Args:
        options: Which detectors run, and how.

    Raises:
        CurateError: A model or the device is not there.
    """

    def __init__(self, options: MaskOptions) -> None:
        self._threshold = options.threshold
        self._redactions = options.redactions
        self._template = Template(options.template) if options.template else None
        self._text = None
        if options.detector == "text":
            self._text = TextDetector(
                text_detector.packaged_model(),
                side=options.side,
                threshold=options.threshold,
                device=options.device,
                threads=options.threads,
            )
        self._overlays = None
        if options.overlays:
            self._overlays = OverlayNet(
                overlay_model(options.overlay_model), threshold=options.overlay_threshold, threads=options.threads
            )
        self._ensemble = tuple(
            load(path, device=options.device, threads=options.threads) for path in model_files(options.yolo)
        )

    def watch(self, seen: Counter[str] | None = None) -> Watch:
        """Single-frame looks at another video.

        Args:
            seen: Where to count what each network sees (`curate.nets.detect.watch.Watch`).
        """
        return Watch(self._text, self._overlays, self._others, Counter() if seen is None else seen)

    def _others(self, image: Image) -> list[Region]:
        """The pooled boxes of the user's models, redactions, drawn outlines, and the boxes of the template.

        Raises:
            OtherSize: There is a template, but not for frames of this size.
        """
        pooled = suppress([found for model in self._ensemble for found in model.detect(image)])
        hidden = find_redactions(image) if self._redactions else []
        fixed = self._template.regions((image.shape[1], image.shape[0])) if self._template else []
        lines = find_outlines(image) if self._overlays else []
        drawn = [Region(*box, "ui", 1.0, "outline") for box in lines]
        return [*pooled, *(Region(*box, "redaction", 1.0, "plain") for box in hidden), *drawn, *fixed]

    def fusion(self, seen: Counter[str] | None = None) -> Fusion:
        """A fresh joiner for the frames of one video.

        Args:
            seen: Where to count what the overlay network sees (`curate.nets.detect.fusion.Fusion`).
        """
        return Fusion(self._overlays, self._threshold, seen)

    def find(
        self, frames: Iterable[tuple[int, Image]], seen: Counter[str] | None = None
    ) -> Iterator[tuple[int, list[Region]]]:
        """Find the regions of the frames of one video.

        Args:
            frames: Numbers in rising order, and RGB uint8 images (height, width, 3). Only a window is held.
            seen: Where to count what each network sees.

        Yields:
            Number and regions of every frame, in order, some frames late.
        """
        watch, fusion = self.watch(seen), self.fusion(seen)
        for n, image in frames:
            for looked in watch.push(n, image):
                yield from fusion.push(*looked)
        for looked in watch.flush():
            yield from fusion.push(*looked)
        yield from fusion.flush()
