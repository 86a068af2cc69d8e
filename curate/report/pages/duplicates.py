"""Groups of videos that share something, with what each of them loses, for the page of the worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.config import DedupOptions
from curate.corpus.duplicates import DuplicateGroup, duplicate_groups
from curate.files.clock import clock
from curate.records import Video
from curate.workspace.tables.duplicates import read_matches

MOST = 48
"""Groups shown."""


@dataclass(frozen=True)
class Member:
    """A video of a group.

    Attributes:
        id: Of the video.
        title: Its title, or its id; untrusted.
        stays: Whether it is kept.
        fate: What becomes of it, in words.
        picture: A frame of it, relative to the report; empty where there is none.
        size: Width and height of that frame in pixels.
    """

    id: str
    title: str
    stays: bool
    fate: str
    picture: str = ""
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Shared:
    """Groups to show, the largest first.

    Attributes:
        groups: At most `MOST`, each with those that stay first.
        total: How many there are.
    """

    groups: tuple[tuple[Member, ...], ...]
    total: int


def shared_by(
    path: Path,
    videos: Sequence[Video],
    options: DedupOptions,
    covers: Mapping[str, tuple[str, tuple[int, int]]],
) -> Shared | None:
    """Read the groups of duplicates.

    Args:
        path: ``corpus/duplicates.parquet``; it may name videos that are no longer there.
        videos: Those that may be shown.
        options: Thresholds, ranking and policy.
        covers: Picture of a video and its size, by id.

    Returns:
        ``None`` where nobody looked for duplicates.

    Raises:
        BadArtefact: The table cannot be read.
    """
    if not path.is_file():
        return None
    named = {video.id: video for video in videos}
    matches = (match for match in read_matches(path) if match.a in named and match.b in named)
    groups = duplicate_groups(matches, options, {video.id: video.corpus for video in videos})
    groups.sort(key=lambda group: (-len(group.members), group.members))
    shown = tuple(tuple(_members(group, named, covers)) for group in groups[:MOST])
    return Shared(shown, len(groups))


def _members(
    group: DuplicateGroup, videos: Mapping[str, Video], covers: Mapping[str, tuple[str, tuple[int, int]]]
) -> list[Member]:
    found = []
    for video in (*group.kept, *sorted(group.lost)):
        if video in group.lost:
            fate = f"left out: {group.lost[video]} shows it"
        elif cuts := group.cuts.get(video):
            spans = ", ".join(f"{clock(cut.start)} to {clock(cut.end)}" for cut in cuts[:3])
            fate = f"kept without {spans}{' and more' if len(cuts) > 3 else ''}"
        else:
            fate = "kept"
        picture, size = covers.get(video, ("", (0, 0)))
        found.append(Member(video, videos[video].title or video, video not in group.lost, fate, picture, size))
    return found
