"""Training, validation and test sets: by video, never by frame.

Frames of one video look alike, so a video that were in two splits would leak one into the other.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence

from curate.config import ExportOptions
from curate.errors import CurateError
from curate.records import Video


def assign_splits(videos: Sequence[Video], options: ExportOptions) -> dict[str, str]:
    """Give every video a split.

    A split stated by the manifest wins. Every other video is drawn by a hash of its id, so it keeps its split whatever
    other videos come or go; with ``stratify`` the shares are met within each procedure instead (by the first procedure
    a video names), in the order of the same hash.

    Returns:
        Split by video id. Names hold letters, digits and ``_`` only, as file names and Hugging Face ask for.

    Raises:
        CurateError: The fractions add up to more than 1.
    """
    if options.val_fraction + options.test_fraction > 1:
        raise CurateError(
            f"export.val_fraction {options.val_fraction:g} and export.test_fraction {options.test_fraction:g} "
            "add up to more than 1: lower one of them"
        )
    splits = {video.id: split_name(video.split) for video in videos if video.split}
    drawn = [video for video in videos if not video.split]
    if not options.stratify:
        return splits | {video.id: _by_position(_draw(video.id, options), options) for video in drawn}
    groups: dict[str, list[str]] = defaultdict(list)
    for video in drawn:
        groups[video.procedures[0] if video.procedures else ""].append(video.id)
    for ids in groups.values():
        ids.sort(key=lambda video_id: (_draw(video_id, options), video_id))
        for rank, video_id in enumerate(ids):
            splits[video_id] = _by_position((rank + 0.5) / len(ids), options)
    return splits


def split_name(stated: str) -> str:
    """A split's name as Hugging Face allows it: word characters only, and not the reserved ``all``."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", stated)
    return "all_" if name == "all" else name


def _draw(video_id: str, options: ExportOptions) -> float:
    """A number in [0, 1) that depends on the id and the seed alone."""
    digest = hashlib.sha256(f"{options.split_seed}:{video_id}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _by_position(position: float, options: ExportOptions) -> str:
    if position < options.test_fraction:
        return "test"
    return "val" if position < options.test_fraction + options.val_fraction else "train"
