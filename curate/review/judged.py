"""The videos of a workspace that have verdicts, and what the models said of each of their frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from curate.records import NON_SURGICAL, SURGICAL, Video
from curate.run.pipeline import Pipeline
from curate.verdicts.decisions import milliseconds
from curate.verdicts.journal import Decision
from curate.workspace.tables.verdicts import read_threshold, read_verdicts


@dataclass(frozen=True)
class JudgedVideo:
    """A video with verdicts.

    Attributes:
        id: Id of the video.
        frames: Its ``frames`` table.
        verdicts: Its ``verdicts`` table.
        regions: Its ``regions`` table; ``None`` where there is none.
        seen: Fingerprint of the verdicts, had nobody decided anything about them.
        video: Its row of the manifest.
        embeddings: Its ``embeddings`` table; ``None`` where there is none.
    """

    id: str
    frames: Path
    verdicts: Path
    regions: Path | None = None
    seen: str = ""
    video: Video | None = None
    embeddings: Path | None = None


@dataclass(frozen=True)
class JudgedFrame:
    """A frame, and what the models say of it, whatever people decided.

    Attributes:
        n: Number of the sample.
        at: Milliseconds of the video.
        p: Probability of surgery, 0..1.
        verdict: The model's.
        kept: Whether it lies inside the trimmed video.
    """

    n: int
    at: int
    p: float
    verdict: str
    kept: bool


def judged_videos(pipeline: Pipeline) -> list[JudgedVideo]:
    """Videos that were judged with the present options, dropped ones too.

    What was decided since and waits for the next run is not in their verdicts yet.
    """
    found = []
    for video in pipeline.videos:
        done = {status.stage for status in pipeline.statuses(video) if status.state == "done"}
        if {"sample", "classify"} <= done and pipeline.made_before(video, "trim") is not None:
            frames, verdicts = pipeline.artefact(video, "sample"), pipeline.artefact(video, "trim")
            seen = pipeline.undecided_fingerprint(video, "trim")
            regions, embeddings = pipeline.made(video, "mask"), pipeline.made(video, "embed")
            found.append(JudgedVideo(video.id, frames, verdicts, regions, seen, video, embeddings))
    return found


def told_verdicts(decisions: Iterable[Decision]) -> dict[str, dict[int, tuple[str, str]]]:
    """What the model said of frames that people decided: by video and milliseconds, the verdict and what made it.

    Args:
        decisions: All, those that were taken back too: a table that was made meanwhile may hold their labels.
    """
    found: dict[str, dict[int, tuple[str, str]]] = {}
    for decision in decisions:
        if decision.kind == "frame" and decision.at is not None:
            said = (decision.model.get("verdict", ""), decision.model.get("seen", ""))
            times = found.setdefault(decision.video, {})
            if not times.get(milliseconds(decision.at), ("", ""))[0]:
                times[milliseconds(decision.at)] = said
    return found


def judged_frames(video: JudgedVideo, told: Mapping[int, tuple[str, str]]) -> list[JudgedFrame]:
    """The frames of a video with the model's own verdicts.

    The table holds what people decided where they did; there the model's verdict is the one that was noted with the
    decision, or, where another model has judged since, the side of the threshold on which its probability lies.

    Args:
        video: The video.
        told: Of `told_verdicts`, those of this video.

    Raises:
        BadArtefact: The verdicts cannot be read.
    """
    threshold = read_threshold(video.verdicts) if told else 0.5
    frames = []
    for row in read_verdicts(video.verdicts):
        at, verdict = milliseconds(row.timestamp), row.verdict
        if at in told:
            said, seen = told[at]
            side = SURGICAL if row.p_surgical >= threshold else NON_SURGICAL
            verdict = said if said and seen == video.seen else side
        frames.append(JudgedFrame(row.n, at, row.p_surgical, verdict, row.kept))
    return frames
