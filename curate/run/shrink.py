"""What an export would lose if it were written now: an export never gets smaller without being told to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from curate.errors import BadArtefact
from curate.exports.disk.folder import load_record
from curate.exports.reading.contents import videos_in
from curate.run.exclusions import Exclusions
from curate.run.pipeline import Pipeline


def lost_videos(folder: Path, pipeline: Pipeline, exclusions: Exclusions) -> Mapping[str, str]:
    """Videos of a present export that an export of what is complete now would lack without anybody having decided so.

    Purged videos, those whose authors opted out, and those that a stage dropped may go: each of these is a decision.

    Args:
        folder: Of the export; it need not exist.
        pipeline: Of the workspace.
        exclusions: What must not be used.

    Returns:
        Why each is not there, by video id, in the order of the export.
    """
    try:
        shown = videos_in(folder)
    except BadArtefact:
        shown = _may_be_shown(folder, pipeline)
    videos = {video.id: video for video in pipeline.videos}
    lost = {}
    for name in shown:
        if name in exclusions.purged.ids or name in exclusions.opted_out.ids:
            continue
        if name not in videos:
            lost[name] = "not listed any more"
            continue
        *_, status = pipeline.statuses(videos[name])
        if status.state in ("pending", "failed"):
            why = f", {status.event.reason}" if status.event is not None and status.event.reason else ""
            lost[name] = f"{status.state} at {status.stage}{why}"
    return lost


def _may_be_shown(folder: Path, pipeline: Pipeline) -> list[str]:
    """Videos that an export may show whose table of videos cannot be read: all, if it counts more than are complete."""
    try:
        count = load_record(folder)["counts"]["videos"]
    except (OSError, ValueError):  # not an export, or one of which nothing can be read: nothing to lose
        return []
    return [video.id for video in pipeline.videos] if count > len(pipeline.complete()) else []
