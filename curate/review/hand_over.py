"""What reviewers decided, handed on: labels to train on, boxes as truth, and a dataset for FiftyOne.

Each is a folder with the decided frames as pictures and a file that speaks of them:

- ``labels``: ``labels.csv``, which ``curate train classifier --labels`` and ``curate evaluate classifier`` read. Frames
  of which nobody knows are left out.
- ``boxes``: ``boxes.csv``, which ``curate train masks --boxes`` and ``curate evaluate masks`` read: the frames on which
  boxes were corrected, with all boxes that are left on them.
- ``fiftyone``: ``metadata.json`` and ``samples.json`` with the pictures in ``data/``, for FiftyOne's type
  ``FiftyOneDataset``. The file names no version of FiftyOne, by which its reader knows samples that stand for
  themselves from a dump of its own data base; so neither its server nor its package is needed to write it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curate.errors import BadArtefact, CurateError
from curate.files.csv_file import CsvWriter
from curate.records import UNCERTAIN, Region, Video
from curate.review.judged import JudgedFrame, JudgedVideo, judged_frames, judged_videos, told_verdicts
from curate.run.session import Session
from curate.verdicts.decisions import milliseconds
from curate.verdicts.redrawn import REVIEWER, redrawn
from curate.workspace.tables.frames import read_frame_sizes, read_frames
from curate.workspace.tables.regions import read_regions

Format = Literal["labels", "boxes", "fiftyone"]

SOURCE = "review"
"""Name of the source of labels that come from a review."""


@dataclass(frozen=True)
class DecidedFrame:
    """A frame that people decided something about.

    Attributes:
        video: Its video.
        frame: What the models say of it.
        size: Width and height in pixels.
        label: What people say of it; empty where they only drew boxes.
        regions: Boxes as they stand after the review.
        drawn: Whether people corrected its boxes.
        jpeg: The picture.
    """

    video: Video
    frame: JudgedFrame
    size: tuple[int, int]
    label: str
    regions: Sequence[Region]
    drawn: bool
    jpeg: bytes

    @property
    def name(self) -> str:
        """Relative path of its picture."""
        return f"data/{self.video.id}/{self.frame.at:09d}.jpg"


@dataclass(frozen=True)
class HandedOver:
    """What was written.

    Attributes:
        frames: How many frames.
        problems: Videos of which nothing could be read, with the reason.
    """

    frames: int
    problems: tuple[str, ...] = ()


def hand_over(session: Session, folder: Path, format: Format) -> HandedOver:
    """Write the decided frames of a workspace to a folder.

    Args:
        session: The open workspace.
        folder: New or empty.
        format: See above.

    Raises:
        CurateError: The folder is not empty or cannot be written, or nothing was decided that this format holds.
    """
    problems: list[str] = []
    frames = decided_frames(session, problems)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CurateError(f"{folder} is not empty: name a new folder")
        match format:
            case "labels":
                count = _write_labels(folder, (f for f in frames if f.label not in ("", UNCERTAIN)))
            case "boxes":
                count = _write_boxes(folder, (f for f in frames if f.drawn))
            case _:
                count = _write_fiftyone(folder, frames)
    except OSError as error:
        raise CurateError(f"cannot write to {folder}: {error.strerror or error}") from error
    if not count:
        raise CurateError(f"nothing was decided in {session.workspace.root} that {format} hold: see 'curate review'")
    return HandedOver(count, tuple(problems))


def decided_frames(session: Session, problems: list[str]) -> Iterator[DecidedFrame]:
    """Frames that were decided, video by video; adds to ``problems`` videos that cannot be read."""
    pipeline = session.pipeline
    told = told_verdicts(pipeline.journal.decisions)
    for judged in judged_videos(pipeline):
        if judged.id in pipeline.settled.of:
            try:
                yield from _decided(judged, session, told.get(judged.id, {}))
            except BadArtefact as error:
                problems.append(f"{judged.id}: {error}")


def _decided(judged: JudgedVideo, session: Session, told: dict[int, tuple[str, str]]) -> Iterator[DecidedFrame]:
    said = session.pipeline.settled.of[judged.id]
    labels = {frame.at: frame.label for frame in said.frames}
    sizes = {row.n: (row.width, row.height) for row in read_frame_sizes(judged.frames)}
    drawn = {
        frame.n for frame in judged_frames(judged, {}) if any(box.at <= frame.at <= box.until for box in said.boxes)
    }
    wanted = {f.n: f for f in judged_frames(judged, told) if f.at in labels or f.n in drawn}
    regions: dict[int, list[Region]] = {}
    for n, region in read_regions(judged.regions) if judged.regions else ():
        if n in wanted and region.model != REVIEWER:
            regions.setdefault(n, []).append(region)
    assert judged.video is not None
    for row in read_frames(judged.frames, wanted):
        frame, size = wanted[row.n], sizes[row.n]
        boxes = redrawn(regions.get(row.n, []), said.boxes, milliseconds(row.timestamp), size)
        label = labels.get(frame.at, "")
        yield DecidedFrame(judged.video, frame, size, label, boxes, row.n in drawn, row.jpeg)


def _picture(folder: Path, frame: DecidedFrame) -> str:
    path = folder / frame.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(frame.jpeg)
    return frame.name


def _write_labels(folder: Path, frames: Iterator[DecidedFrame]) -> int:
    count = 0
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        table = CsvWriter(stream, ("file", "label", "source", "group", "licence"))
        for count, frame in enumerate(frames, 1):  # noqa: B007
            table.write((_picture(folder, frame), frame.label, SOURCE, frame.video.id, frame.video.licence))
    return count


def _write_boxes(folder: Path, frames: Iterator[DecidedFrame]) -> int:
    count = 0
    with (folder / "boxes.csv").open("w", newline="", encoding="utf-8") as stream:
        table = CsvWriter(stream, ("file", "kind", "x1", "y1", "x2", "y2", "video"))
        for count, frame in enumerate(frames, 1):  # noqa: B007
            name = _picture(folder, frame)
            for region in frame.regions:
                table.write((name, region.kind, *region.box, frame.video.id))
            if not frame.regions:
                table.write((name, "", None, None, None, None, frame.video.id))
    return count


def _write_fiftyone(folder: Path, frames: Iterator[DecidedFrame]) -> int:
    count = 0
    with (folder / "samples.json").open("w", encoding="utf-8") as stream:
        stream.write('{"samples": [')
        for count, frame in enumerate(frames, 1):
            stream.write(("," if count > 1 else "") + "\n" + json.dumps(_sample(_picture(folder, frame), frame)))
        stream.write("\n]}\n")
    info = {"info": {"made_by": "curate review export"}, "media_type": "image"}
    (folder / "metadata.json").write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
    return count


def _sample(name: str, frame: DecidedFrame) -> dict[str, Any]:
    width, height = frame.size
    sample: dict[str, Any] = {
        "filepath": name,
        "tags": ["kept"] if frame.frame.kept else [],
        "video": frame.video.id,
        "seconds": frame.frame.at / 1000,
        "model": {
            "_cls": "Classification",
            "label": frame.frame.verdict,
            "confidence": frame.frame.p,
            "tags": [],
        },
        "regions": {
            "_cls": "Detections",
            "detections": [
                {
                    "_cls": "Detection",
                    "label": region.kind,
                    "bounding_box": [
                        region.x1 / width,
                        region.y1 / height,
                        (region.x2 - region.x1) / width,
                        (region.y2 - region.y1) / height,
                    ],
                    "confidence": region.score,
                    "tags": ["reviewed"] if region.model == REVIEWER else [],
                }
                for region in frame.regions
            ],
        },
    }
    if frame.label:
        sample["ground_truth"] = {"_cls": "Classification", "label": frame.label, "tags": []}
    return sample
