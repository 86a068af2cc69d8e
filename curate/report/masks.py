"""Pictures of what the mask stage found: frames with their regions drawn on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.errors import CurateError
from curate.records import Finding, Region
from curate.run.session import Session
from curate.workspace.tables.frames import read_frames
from curate.workspace.tables.regions import read_regions

Image = npt.NDArray[np.uint8]

COLOURS = {
    "text": (255, 220, 0),
    "logo": (0, 220, 255),
    "ui": (0, 255, 90),
    "pip": (255, 90, 220),
    "redaction": (90, 110, 255),
    "face": (255, 60, 60),
    "border": (150, 150, 255),
    "other": (255, 255, 255),
    "name": (255, 150, 0),
    "date": (120, 200, 255),
    "identifier": (190, 255, 120),
}
"""RGB of the outline of each kind of region, and of each kind of finding of the privacy audit."""

QUALITY = 90


def outline(image: Image, regions: Iterable[Region | Finding]) -> Image:
    """Draw regions on a copy of a frame: outline, kind, score, and what found it.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        regions: What was found on it.

    Returns:
        RGB, uint8, shape of ``image``.
    """
    import cv2

    drawn = image.copy()
    height = image.shape[0]
    line, size = max(1, round(height / 360)), max(0.35, height / 1600)
    for region in regions:
        colour = COLOURS.get(region.kind, COLOURS["other"])
        label = f"{region.kind} {region.score:.2f} {region.model}"
        above = region.y1 - 2 * line
        place = (region.x1, above if above > 30 * size else min(region.y2 + round(25 * size), height - 2))
        cv2.putText(drawn, label, place, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 3 * line, cv2.LINE_AA)
        cv2.putText(drawn, label, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, line, cv2.LINE_AA)
        corners = (region.x1, region.y1), (region.x2 - 1, region.y2 - 1)
        cv2.rectangle(drawn, *corners, colour, line)
    return drawn


def write_explanations(frames: Path, regions: Path, folder: Path, *, most: int = 24) -> list[Path]:
    """Write frames of one video with their regions drawn, as ``{n:06d}.jpg``.

    Args:
        frames: The video's ``frames`` table.
        regions: Its ``regions`` table.
        folder: Existing folder to write to.
        most: Frames to write at most, spread evenly over those that have regions.

    Returns:
        The files written, in order.
    """
    import simplejpeg

    found: dict[int, list[Region]] = defaultdict(list)
    for n, region in read_regions(regions):
        found[n].append(region)
    numbers = sorted(found)
    if len(numbers) > most:
        numbers = [numbers[i] for i in np.linspace(0, len(numbers) - 1, most).round().astype(int)]
    written = []
    for n, _, jpeg in read_frames(frames, set(numbers)):
        drawn = outline(simplejpeg.decode_jpeg(jpeg), found[n])
        path = folder / f"{n:06d}.jpg"
        path.write_bytes(simplejpeg.encode_jpeg(drawn, quality=QUALITY))
        written.append(path)
    return written


def explain_masks(session: Session, video: str) -> tuple[Path, int]:
    """Draw the stored boxes of a video on its frames, for inspection.

    Returns:
        The folder of pictures, ``report/masks/{id}``, and how many there are.

    Raises:
        CurateError: No such video, or it has no boxes for the present options.
    """
    pipeline = session.pipeline
    found = next((v for v in pipeline.videos if v.id == video), None)
    if found is None:
        raise CurateError(f"no video {video!r} in the manifest of {session.workspace.root}")
    states = {status.stage: status.state for status in pipeline.statuses(found)}
    if states.get("mask") != "done":
        stage, state = list(states.items())[-1]
        raise CurateError(f"video {video} has no boxes to show: it is {state} at {stage}")
    folder = session.workspace.fresh_folder("report", "masks", video)
    written = write_explanations(pipeline.artefact(found, "sample"), pipeline.artefact(found, "mask"), folder)
    return folder, len(written)
