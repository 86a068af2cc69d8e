"""Find what is not surgery in surgical frames, and store it as boxes; nothing is painted here.

One pass over the sampled frames, a few at a time. Only frames that the trimmed video keeps and that are not judged
non-surgical are decoded and looked at: by a text detector one by one, where something changed, and by the overlay
network over time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.config import MaskOptions
from curate.errors import BadArtefact
from curate.files.ahead import ahead
from curate.files.digest import sha256_of
from curate.nets.detect import text_detector
from curate.nets.detect.boxed import OtherSize, Template
from curate.nets.detect.own_overlay import overlay_model
from curate.nets.detect.regions import RegionFinder
from curate.nets.detect.yolo_files import model_files
from curate.nets.device import available_threads
from curate.nets.onnx_session import runs_on_gpu
from curate.records import Done, Failed, Outcome, Reason, Region, Video, VideoDecisions
from curate.stage import Files, Resources, Stage
from curate.verdicts.decisions import milliseconds
from curate.verdicts.redrawn import redrawn
from curate.workspace.reading import check_all_seen, frames_to_look_at, wanted_jpegs
from curate.workspace.tables import region_schema
from curate.workspace.tables.frames import read_frame_sizes
from curate.workspace.tables.regions import BoxWriter

Image = npt.NDArray[np.uint8]

SEEN = ("text_frames", "text_tiles", "overlay_pairs", "overlay_windows", "overlay_frames")
"""Figures that say what each network saw: frames that the text detector was shown anything of, and the tiles of them
(960 are a frame); pairs and windows of frames that the overlay network was shown, and single frames."""

DECODED_AHEAD = 8
"""Pictures that may wait for the network: 50 MB of 1080p."""


class MaskStage(Stage[MaskOptions]):
    """Regions of the frames of one video: text, logos, bars, inserts, redactions, and what the user's models find."""

    name = "mask"
    version = 4
    folder = "regions"
    inputs = ("sample", "trim")

    _finder: RegionFinder | None = None

    @property
    def resources(self) -> Resources:
        """A GPU only if a detector will run on one; the overlay network is too small to gain from it."""
        if self.options.detector == "none" and not self.options.yolo:
            return Resources()
        return Resources.of_network(runs_on_gpu(self.options.device), self.options.device)

    def fingerprint_extra(self) -> dict[str, Any]:
        """The weights of the networks in use, and what a template says.

        Raises:
            CurateError: A model or the template is not there, or is damaged.
        """
        weights: dict[str, Any] = {}
        if self.options.detector == "text":
            weights["text"] = sha256_of(text_detector.packaged_model())
        if self.options.overlays:
            weights["overlay"] = sha256_of(overlay_model(self.options.overlay_model))
        if self.options.template:
            weights["template"] = Template(self.options.template).fingerprint()
        if self.options.yolo:
            weights["yolo"] = [sha256_of(path) for path in model_files(self.options.yolo)]
        return weights

    def heeded(self, decided: VideoDecisions, undecided: str) -> list[Any]:
        """Boxes that people drew or deleted."""
        return [list(box) for box in decided.boxes]

    def setup(self) -> None:
        """Load the networks in use."""
        self._finder = RegionFinder(self.options)

    def process(self, video: Video, files: Files) -> Outcome:
        """Write ``regions/{id}.parquet``; a video without regions gets an empty table."""
        assert self._finder is not None, "setup() loads the networks"
        artefact = files.temporary(".parquet")
        figures = {"frames": 0, "frames_with_regions": 0, "regions": 0}
        seen: Counter[str] = Counter()
        try:
            wanted = frames_to_look_at(files.inputs["trim"])
            with BoxWriter(artefact, region_schema()) as writer:
                frames = files.watched(decoded_frames(files.inputs["sample"], wanted))
                correct = _correction(files)
                for n, found in self._finder.find(frames, seen):
                    regions = correct(n, found)
                    writer.add(n, regions)
                    figures["frames"] += 1
                    figures["frames_with_regions"] += bool(regions)
                    figures["regions"] += len(regions)
            check_all_seen(files.inputs["sample"], wanted, figures["frames"])
        except BadArtefact as error:
            return Failed(Reason.BAD_ARTEFACT, str(error))
        except OtherSize as error:
            return Failed(Reason.ERROR, str(error))
        return Done(artefact, figures=figures | {name: seen[name] for name in SEEN})

    def close(self) -> None:
        """Let the networks go."""
        self._finder = None


def _correction(files: Files) -> Callable[[int, list[Region]], list[Region]]:
    """What people changed about the regions of a frame: a function of its number and the regions that were found."""
    boxes = files.decided.boxes
    if not boxes:
        return lambda n, regions: regions
    sizes = {
        row.n: (milliseconds(row.timestamp), (row.width, row.height))
        for row in read_frame_sizes(files.inputs["sample"])
        if any(box.at <= milliseconds(row.timestamp) <= box.until for box in boxes)
    }
    return lambda n, regions: redrawn(regions, boxes, *sizes[n]) if n in sizes else regions


def decoded_frames(frames: Path, wanted: frozenset[int]) -> Iterator[tuple[int, Image]]:
    """The wanted frames of a ``frames`` table, in its order.

    Where the worker has threads, as that of a GPU has, the next ones are decoded while the network works on one.

    Yields:
        ``n``, and the image: RGB, uint8, shape (height, width, 3).

    Raises:
        BadArtefact: The table or one of its JPEGs cannot be read.
    """
    decoded = _decode(frames, wanted)
    return ahead(decoded, DECODED_AHEAD) if available_threads() > 1 else decoded


def _decode(frames: Path, wanted: frozenset[int]) -> Iterator[tuple[int, Image]]:
    import simplejpeg

    for n, jpeg in wanted_jpegs(frames, wanted):
        try:
            yield n, simplejpeg.decode_jpeg(jpeg)
        except ValueError as error:
            raise BadArtefact(frames, f"frame {n} is not a readable JPEG: {error}") from error
