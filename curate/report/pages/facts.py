"""What a workspace knows of one video: where it stands (`sources_of`, no file is opened), and what its files say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.config import TrimOptions
from curate.errors import BadArtefact
from curate.files.parquet import read_columns, text_metadata
from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN, Finding, Region, Video
from curate.run.pipeline import Pipeline, StageStatus
from curate.verdicts import rules
from curate.vision.boxes import cover
from curate.workspace.tables.fields import ShotField, read_fields
from curate.workspace.tables.frames import read_frame_sizes
from curate.workspace.tables.regions import read_findings, read_regions
from curate.workspace.tables.schemas import verdict_schema
from curate.workspace.tables.scores import Scores, read_scores

VERDICTS = (SURGICAL, NON_SURGICAL, UNCERTAIN)
"""In the order of their numbers in `Judged.verdict`."""


@dataclass(frozen=True)
class Judged:
    """What is known second by second; arrays of one length, a row a sampled frame.

    Attributes:
        n: Numbers of the frames.
        timestamps: Seconds.
        p: Probability of surgery as the network said it, 0..1.
        smoothed: The same after the neighbours were heard; equal to ``p`` where nothing is smoothed.
        verdict: Places in `VERDICTS`.
        kept: Whether it lies inside the trimmed video.
        reasons: Why it does not; empty where it does.
        threshold: From which on ``smoothed`` is surgical.
        band: ``(low, high)`` of uncertainty; empty where low is high.
        cuts: Rows at which a shot begins.
    """

    n: npt.NDArray[np.int32]
    timestamps: npt.NDArray[np.float64]
    p: npt.NDArray[np.float64]
    smoothed: npt.NDArray[np.float64]
    verdict: npt.NDArray[np.int8]
    kept: npt.NDArray[np.bool_]
    reasons: Sequence[str]
    threshold: float
    band: tuple[float, float]
    cuts: npt.NDArray[np.intp]

    @property
    def flipped(self) -> npt.NDArray[np.bool_]:
        """Rows that smoothing moved to the other side of the threshold."""
        return (self.p >= self.threshold) != (self.smoothed >= self.threshold)


@dataclass(frozen=True)
class VideoFacts:
    """Everything that the page of a video shows.

    Attributes:
        video: Its row of the manifest, with what its site said where the list is silent; untrusted.
        statuses: Where it stands, stage by stage, as far as it came.
        judged: Verdicts; ``None`` where there are none.
        frames: Its table of frames; ``None`` where there is none.
        size: Width and height of its frames in pixels; zeros where there are none.
        regions: Boxes of the mask stage by frame number.
        findings: Of the privacy audit, by frame number; of an earlier one where it is to be done again.
        fields: Fields of view, shot by shot.
        audited: Whether the privacy audit looked at it as it is now, which it does at kept frames (`seen`).
        masked: Whether the mask stage did.
        problem: Why there is not more, where something could not be read.
    """

    video: Video
    statuses: Sequence[StageStatus]
    judged: Judged | None = None
    frames: Path | None = None
    size: tuple[int, int] = (0, 0)
    regions: dict[int, list[Region]] = field(default_factory=dict)
    findings: dict[int, list[Finding]] = field(default_factory=dict)
    fields: Sequence[ShotField] = ()
    audited: bool = False
    masked: bool = False
    problem: str = ""

    @property
    def last(self) -> StageStatus:
        """The stage that it came to."""
        return self.statuses[-1]

    def seen(self, row: int) -> bool:
        """Whether the privacy audit looked at the frame of a row of the verdicts, as they are now."""
        judged = self.judged
        if judged is None or not self.audited:
            return False
        return bool(judged.kept[row]) and VERDICTS[judged.verdict[row]] != NON_SURGICAL

    @cached_property
    def covered(self) -> dict[int, float]:
        """Share of the frame that boxes cover, in 0..1, by frame number."""
        width, height = self.size
        if not width or not height:
            return {}
        # A sixteenth of the pixels tells the share as well.
        across, down = -(-width // 4), -(-height // 4)
        return {
            n: float(cover([_quarter(region.box) for region in regions], across, down).mean())
            for n, regions in self.regions.items()
        }


def _quarter(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = box
    return x1 // 4, y1 // 4, -(-x2 // 4), -(-y2 // 4)


@dataclass(frozen=True)
class Sources:
    """What the page of a video is made of: all that a worker must be told, small and plain.

    Attributes:
        video: Its row of the manifest, with what its site said where the list is silent; untrusted.
        statuses: Where it stands, stage by stage, as far as it came.
        trim: How verdicts are made of probabilities.
        audited: Whether the privacy audit looked at it as it is now.
        frames, scores, verdicts, regions, audit, fields: Its tables; ``None`` where there is none. That of the audit
            may be an earlier one.
    """

    video: Video
    statuses: Sequence[StageStatus]
    trim: TrimOptions
    audited: bool = False
    frames: Path | None = None
    scores: Path | None = None
    verdicts: Path | None = None
    regions: Path | None = None
    audit: Path | None = None
    fields: Path | None = None


def sources_of(pipeline: Pipeline, video: Video) -> Sources:
    """Look up what the stages that are done left behind.

    Args:
        pipeline: Of the open workspace.
        video: One of its videos.
    """
    statuses = tuple(pipeline.statuses(video))
    reached = {status.stage: status for status in statuses}
    judged = _is(reached, "trim", "done", "dropped")
    return Sources(
        video=pipeline.described(video),
        statuses=statuses,
        trim=pipeline.config.trim,
        audited=_is(reached, "audit", "done"),
        frames=pipeline.artefact(video, "sample") if _is(reached, "sample", "done") else None,
        scores=pipeline.artefact(video, "classify") if judged else None,
        verdicts=pipeline.artefact(video, "trim") if judged else None,
        regions=pipeline.artefact(video, "mask") if _is(reached, "mask", "done") else None,
        # An audit that is to be done again still knows what must not be shown.
        audit=pipeline.made(video, "audit"),
        fields=pipeline.artefact(video, "field") if _is(reached, "field", "done") else None,
    )


def read_facts(sources: Sources) -> VideoFacts:
    """Read what the tables of a video say.

    Raises:
        BadArtefact: A table cannot be read.
    """
    judged = None
    if sources.scores is not None and sources.verdicts is not None:
        judged = _judged(read_scores(sources.scores), sources.verdicts, sources.trim)
    regions: dict[int, list[Region]] = defaultdict(list)
    for n, region in read_regions(sources.regions) if sources.regions else ():
        regions[n].append(region)
    findings: dict[int, list[Finding]] = defaultdict(list)
    for n, finding in read_findings(sources.audit) if sources.audit else ():
        findings[n].append(finding)
    first = next(iter(read_frame_sizes(sources.frames)), None) if sources.frames else None
    return VideoFacts(
        video=sources.video,
        statuses=sources.statuses,
        judged=judged,
        frames=sources.frames,
        size=(first.width, first.height) if first else (0, 0),
        regions=dict(regions),
        findings=dict(findings),
        fields=tuple(read_fields(sources.fields)) if sources.fields else (),
        audited=sources.audited,
        masked=sources.regions is not None,
    )


def _is(reached: dict[str, StageStatus], stage: str, *states: str) -> bool:
    return stage in reached and reached[stage].state in states


def _judged(scores: Scores, path: Path, options: TrimOptions) -> Judged:
    table = read_columns(path, verdict_schema().names)
    said = text_metadata(table)
    n, timestamps, p, verdicts, kept, reasons = table.columns
    probability = p.to_numpy().astype(np.float64)
    changes = scores.changes.astype(np.float64)
    if len(changes) != len(probability):
        raise BadArtefact(path, "it has not as many rows as the scores")
    seconds = timestamps.to_numpy()
    try:
        threshold, band = float(said["threshold"]), (float(said["uncertain_low"]), float(said["uncertain_high"]))
        verdict = np.array([VERDICTS.index(name) for name in verdicts.to_pylist()], np.int8)
    except (KeyError, ValueError) as error:
        raise BadArtefact(path, f"it is not a table of verdicts: {error}") from error
    smoothed = probability
    if options.smooth:
        smoothed = rules.smooth(probability, seconds, changes, options.stay, options.stay_cut)
    return Judged(
        n=n.to_numpy(),
        timestamps=seconds,
        p=probability,
        smoothed=smoothed,
        verdict=verdict,
        kept=kept.to_numpy(),
        reasons=[reason or "" for reason in reasons.to_pylist()],
        threshold=threshold,
        band=band,
        cuts=np.flatnonzero(changes >= rules.NEW_SHOT),
    )
