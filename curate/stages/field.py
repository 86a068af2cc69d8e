"""Find the endoscope's field of view, shot by shot, and store it; nothing is cropped or painted here.

One pass over the frames that the trimmed video keeps and that are not judged non-surgical. Each is decoded grey and
reduced, which is cheaper than whole, and `curate.vision.shots` looks at a few at a time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from curate.config import FieldOptions
from curate.errors import BadArtefact
from curate.records import Done, Failed, Outcome, Reason, Video
from curate.stage import Files, Stage
from curate.vision.field_of_view import Grey, reduction
from curate.vision.shots import Shot, find_shots
from curate.workspace.reading import check_all_seen, frames_to_look_at, wanted_jpegs
from curate.workspace.tables.fields import FieldWriter, ShotField

_SLACK = 0.25
"""Share of a pixel by which a box may cut into its outermost pixels."""


class FieldStage(Stage[FieldOptions]):
    """The field of view of every shot of one video."""

    name = "field"
    folder = "fields"
    inputs = ("sample", "trim")

    @property
    def enabled(self) -> bool:
        """Not for ``none``."""
        return self.options.method != "none"

    def process(self, video: Video, files: Files) -> Outcome:
        """Write ``fields/{id}.parquet``, one row a shot."""
        artefact = files.temporary(".parquet")
        sizes: dict[tuple[int, int], tuple[int, int]] = {}
        seen: Counter[str] = Counter()
        try:
            wanted = frames_to_look_at(files.inputs["trim"])
            with FieldWriter(artefact) as writer:
                frames = files.watched(_grey_frames(files.inputs["sample"], wanted, sizes))
                for shot in find_shots(frames):
                    writer.add(_row(shot, *sizes[shot.shape]))
                    seen["shots"] += 1
                    seen["frames"] += shot.frames
                    seen[shot.field.shape] += shot.frames
            check_all_seen(files.inputs["sample"], wanted, seen["frames"])
        except BadArtefact as error:
            return Failed(Reason.BAD_ARTEFACT, str(error))
        return Done(artefact, figures=_figures(seen))


def _figures(seen: Counter[str]) -> dict[str, int]:
    """Counts for the funnel; a video counts as what most of its frames are."""
    kinds = {
        "circular": seen["circle"] + seen["ellipse"],
        "rectangular": seen["rectangle"],
        "full_frame": seen["none"],
    }
    most = max(kinds, key=lambda kind: kinds[kind])
    return {
        "frames": seen["frames"],
        "shots": seen["shots"],
        **{f"{kind}_videos": int(kind == most and seen["frames"] > 0) for kind in kinds},
    }


def _grey_frames(
    frames: Path, wanted: frozenset[int], sizes: dict[tuple[int, int], tuple[int, int]]
) -> Iterator[tuple[int, Grey]]:
    """The wanted frames, grey and reduced; ``sizes`` learns the width and height behind each reduced shape."""
    import simplejpeg

    for n, jpeg in wanted_jpegs(frames, wanted):
        try:
            height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)
            by = reduction(width, height)
            grey = simplejpeg.decode_jpeg(
                jpeg, "GRAY", min_width=width // by, min_height=height // by, min_factor=by, fastdct=True
            )[:, :, 0]
        except ValueError as error:
            raise BadArtefact(frames, f"frame {n} is not a readable JPEG: {error}") from error
        sizes[grey.shape] = width, height
        yield n, grey


def _row(shot: Shot, width: int, height: int) -> ShotField:
    """The row of a shot of frames of this size."""
    by = reduction(width, height)
    field = shot.field.scaled(by, by)
    return ShotField(
        first=shot.first,
        last=shot.last,
        width=width,
        height=height,
        shape=field.shape,
        score=field.score,
        x1=max(math.floor(field.x1 + _SLACK), 0),
        y1=max(math.floor(field.y1 + _SLACK), 0),
        x2=min(math.ceil(field.x2 - _SLACK), width),
        y2=min(math.ceil(field.y2 - _SLACK), height),
        cx=field.cx,
        cy=field.cy,
        rx=field.rx,
        ry=field.ry,
    )
