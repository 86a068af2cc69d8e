"""What is wrong with the decisions of a workspace, line by line, and labels of a CSV taken in as decisions."""

from __future__ import annotations

from pathlib import Path

from curate.errors import BadArtefact, CurateError
from curate.files.csv_file import read_csv
from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN
from curate.review.desk import Desk, Refused
from curate.review.judged import judged_videos
from curate.run.session import Session
from curate.verdicts.decisions import COLUMNS, milliseconds, time_of
from curate.verdicts.journal import Decision
from curate.verdicts.redrawn import SAME
from curate.vision.boxes import iou, scale
from curate.workspace.tables.frames import read_frame_sizes
from curate.workspace.tables.regions import read_regions


def check_decisions(session: Session) -> list[str]:
    """Everything that keeps a line of decisions from being heeded, and what reviewers do not agree on.

    Found are lines that are no decisions, decisions about videos that the workspace does not have, about times at
    which no frame was sampled and about boxes that are not there, and contradictions; each with file and line.
    """
    pipeline = session.pipeline
    found = [*pipeline.journal.problems, *pipeline.settled.dissents]
    known = {video.id for video in pipeline.videos} | {video.id for video in session.opted_out}
    judged = {video.id: video for video in judged_videos(pipeline)}
    by_video: dict[str, list[Decision]] = {}
    for decision in pipeline.journal.standing():
        by_video.setdefault(decision.video, []).append(decision)
    for video, said in sorted(by_video.items()):
        if video not in known:
            found += [f"{d.where} is about the video {video}, which the workspace does not have" for d in said]
        elif video in judged:
            try:
                found += _misses(said, judged[video].frames, judged[video].regions)
            except BadArtefact as error:
                found.append(f"{video}: {error}")
    return found


def _misses(said: list[Decision], frames: Path, regions: Path | None) -> list[str]:
    rows = {milliseconds(row.timestamp): row for row in read_frame_sizes(frames)}
    found = []
    for d in said:
        if d.at is not None and milliseconds(d.at) not in rows:
            found.append(f"{d.where} is about {d.video} at {d.at:g} s, where there is no frame")
    lost = [d for d in said if d.kind == "box" and d.action in ("move", "delete") and milliseconds(d.at or 0) in rows]
    numbers = {rows[milliseconds(d.at or 0)].n for d in lost}
    boxes: dict[int, list[tuple[int, int, int, int]]] = {}
    for n, region in read_regions(regions) if regions and lost else ():
        if n in numbers:
            boxes.setdefault(n, []).append(region.box)
    for d in lost:
        row = rows[milliseconds(d.at or 0)]
        assert d.box is not None and d.size is not None
        box = scale(d.box, d.size, (row.width, row.height))
        drawn = [other.to or other.box for other in said if other.kind == "box" and other.at == d.at and other != d]
        near = [*boxes.get(row.n, []), *(b for b in drawn if b is not None)]
        if d.to is None and regions is not None and not any(iou(box, other) >= SAME for other in near):
            found.append(f"{d.where} {d.action}s a box of {d.video} at {d.at:g} s that is not there now")
    return found


def add_labels(session: Session, path: Path, who: str) -> tuple[int, list[str]]:
    """Take the labels of a CSV with the columns video, timestamp and label into the workspace's decisions.

    Rows with an empty label decide nothing; labels may also be ``uncertain``. Rows that say what holds for this
    reviewer already are passed over, so that a file may be added twice.

    Args:
        session: The open workspace.
        path: The CSV.
        who: Name of the reviewer.

    Returns:
        How many decisions were made, and what is wrong with other rows, each with its line.

    Raises:
        CurateError: The file cannot be read, or the decisions cannot be written.
    """
    desk = Desk(session, who)
    count, problems = 0, []
    said = desk.own_labels()
    first: dict[tuple[str, int], tuple[str, int]] = {}
    try:
        for line, row in read_csv(path, COLUMNS, "labels"):
            where = f"{path}:{line}"
            label, video = row["label"].strip().lower(), row["video"].strip()
            if not label:
                continue
            try:
                at = time_of(row["timestamp"], where)
                if label not in (SURGICAL, NON_SURGICAL, UNCERTAIN):
                    raise CurateError(f"{where}: label {label!r} is not {SURGICAL}, {NON_SURGICAL} or {UNCERTAIN}")
                before, above = first.setdefault((video, at), (label, line))
                if before != label:
                    raise CurateError(f"{where}: the frame has another label in line {above}, which holds")
                if said.get((video, at)) != label:
                    desk.decide(video, "frame", {"at": at, "label": label})
                    said[video, at] = label
                    count += 1
            except CurateError as error:
                problems.append(str(error))
            except Refused as error:
                problems.append(f"{where}: {error}")
    finally:
        desk.close()
    return count, problems
