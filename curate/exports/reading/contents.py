"""Which videos an export shows."""

from __future__ import annotations

from pathlib import Path

from curate.exports.formats.tables import read_videos


def videos_in(folder: Path) -> list[str]:
    """Ids of the videos with a frame in an export, in its order.

    Raises:
        BadArtefact: ``videos.parquet`` is not there, damaged or of another layout.
    """
    return [video for (video,) in read_videos(folder, "video_id")]
