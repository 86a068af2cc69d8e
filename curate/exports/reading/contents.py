"""Which videos an export shows."""

from __future__ import annotations

from pathlib import Path


def videos_in(folder: Path) -> list[str]:
    """Ids of the videos with a frame in an export, in its order.

    Raises:
        OSError: ``videos.parquet`` is not there.
        ValueError: It is damaged or of another layout.
    """
    import pyarrow.parquet as pq

    try:
        ids: list[str] = pq.read_table(folder / "videos.parquet", columns=["video_id"]).column(0).to_pylist()
    except KeyError as error:
        raise ValueError(f"{folder / 'videos.parquet'} has no column video_id") from error
    return ids
