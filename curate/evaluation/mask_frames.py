"""Frames of which the truth is known, out of images and videos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from curate.config import SampleOptions
from curate.errors import CurateError, why_of
from curate.evaluation.mask_truth import ImagesTruth, Overlay, Truth, VideoTruth
from curate.nets.preprocess import decode
from curate.records import Done, Video
from curate.stage import Files
from curate.workspace.tables.frames import read_frame_sizes

Image = npt.NDArray[np.uint8]


class Judged(NamedTuple):
    """A frame of which the truth is known.

    Attributes:
        source: Name of the file, below the name of the sequence if it is in one.
        n: Number in its video or sequence; numbers are missing where frames are.
        time: Seconds of the video; for images their number.
        image: RGB, uint8, shape (height, width, 3).
        overlays: What is on it.
    """

    source: str
    n: int
    time: float
    image: Image
    overlays: tuple[Overlay, ...]


def judged_frames(truth: Truth, rate: float, scratch: Path) -> Iterator[Judged]:
    """Frames of a video or a sequence of images, in order.

    Args:
        truth: What is to be covered where.
        rate: Frames a second taken from a video.
        scratch: Existing folder for the sampled frames of the video in hand.

    Raises:
        CurateError: An image or the video cannot be read.
    """
    return _of_video(truth, rate, scratch) if isinstance(truth, VideoTruth) else _of_images(truth)


def _of_images(truth: ImagesTruth) -> Iterator[Judged]:
    from curate.predict.predictor import JPEG_SUFFIXES, decode_image

    for index, (path, overlays) in enumerate(truth.images):
        try:
            data = path.read_bytes()
            image = decode(data) if path.suffix.lower() in JPEG_SUFFIXES else decode_image(data)
        except (OSError, ValueError) as error:
            raise CurateError(f"cannot read the image {path}: {why_of(error)}") from error
        source = path.name if len(truth.images) == 1 else f"{truth.name}/{path.name}"
        yield Judged(source, index, float(index), image, overlays)


def _of_video(truth: VideoTruth, rate: float, scratch: Path) -> Iterator[Judged]:
    """Frames of the judged spans, sampled and compressed as ``curate sample`` does it."""
    from curate.stages.mask import decoded_frames
    from curate.stages.sample import SampleStage

    stage = SampleStage(SampleOptions(rate=rate))
    stage.setup()
    files = Files(inputs={"download": truth.path}, folder=scratch, stem="video")
    outcome = stage.process(Video(id="video", source=str(truth.path)), files)
    stage.close()
    if not isinstance(outcome, Done) or outcome.artefact is None:
        raise CurateError(f"{truth.path} cannot be sampled: {getattr(outcome, 'detail', outcome)}")
    times = {frame.n: frame.timestamp for frame in read_frame_sizes(outcome.artefact)}
    wanted = frozenset(n for n, t in times.items() if any(start <= t < end for start, end in truth.judged))
    for n, image in decoded_frames(outcome.artefact, wanted):
        shown = tuple(one for one in truth.overlays if one.at(times[n]))
        yield Judged(truth.path.name, n, times[n], image, shown)
    outcome.artefact.unlink()
