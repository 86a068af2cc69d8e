"""The estimate of a whole workspace, without a review going on."""

from __future__ import annotations

from curate.errors import BadArtefact, CurateError
from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN
from curate.review.estimate import Draw, Estimate, estimate
from curate.review.judged import JudgedVideo, judged_frames, judged_videos, told_verdicts
from curate.run.session import Session
from curate.verdicts.journal import Decision


def drawn(videos: list[JudgedVideo], decisions: list[Decision], seed: int) -> Draw:
    """The order of the random sample, over all videos that can be read.

    Args:
        videos: Videos with verdicts.
        decisions: All of the workspace.
        seed: Of the sample.
    """
    told = told_verdicts(decisions)
    draw = Draw(seed)
    for video in videos:
        try:
            draw.add(video.id, judged_frames(video, told.get(video.id, {})))
        except BadArtefact:
            continue
    return draw


def taken(session: Session) -> dict[str, bool]:
    """Whether frames of a verdict are in the corpus."""
    return {SURGICAL: True, NON_SURGICAL: False, UNCERTAIN: session.config.export.uncertain == "keep"}


def estimate_workspace(session: Session, seed: int = 0) -> Estimate:
    """Precision and recall of the models' verdicts, from the frames of the sample that were decided.

    Raises:
        CurateError: No video has verdicts.
    """
    videos = judged_videos(session.pipeline)
    if not videos:
        raise CurateError(f"no video of {session.workspace.root} was judged yet: see 'curate status'")
    draw = drawn(videos, list(session.pipeline.journal.decisions), seed)
    labels = {(video, f.at): f.label for video, said in session.pipeline.settled.of.items() for f in said.frames}
    return estimate(draw.strata(labels, taken(session)))
