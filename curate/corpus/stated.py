"""Splits that a list states, for the videos of a corpus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curate.corpus.lists import Listed, open_sets
from curate.corpus.names import source_of, stem_of
from curate.errors import CurateError
from curate.records import Video


@dataclass(frozen=True)
class StatedSplits:
    """What a list says of some videos.

    Attributes:
        of: Split by video id.
        unknown: Names that the list has and none of the videos.
    """

    of: dict[str, str]
    unknown: tuple[str, ...]

    def apply(self, videos: Iterable[Video]) -> list[Video]:
        """The videos with the splits that the list states; it goes before what they had."""
        return [replace(video, split=self.of[video.id]) if video.id in self.of else video for video in videos]


def read_stated(source: str | Path, videos: Sequence[Video]) -> StatedSplits:
    """Read the splits of some videos from a list, a folder of lists, or a published list; see `curate.corpus.lists`.

    Raises:
        CurateError: It cannot be read, holds lists of several data sets, names none of the videos, or puts one of them
            into two splits.
    """
    sets = open_sets([str(source)])
    if len(sets) > 1:
        raise CurateError(f"{source} holds the lists of {len(sets)} data sets: name the folder of one of them")
    found = match(sets[0], videos)
    if not found.of and videos:
        names = ", ".join(found.unknown[:3])
        raise CurateError(f"{source} names none of the {len(videos)} videos; it names {names}, and so on")
    return found


def match(entries: Iterable[Listed], videos: Iterable[Video]) -> StatedSplits:
    """Find the videos that entries speak of: by id, case or file name, whole or in pieces.

    Raises:
        CurateError: Two entries put one video into different splits.
    """
    by_name: dict[str, set[str]] = {}
    for video in videos:
        names = {video.id, video.case, stem_of(video.source) if video.is_local else ""}
        for name in names - {""}:
            by_name.setdefault(name, set()).add(video.id)
    of: dict[str, Listed] = {}
    unknown: dict[str, None] = {}
    for entry in entries:
        tried = (entry.name, stem_of(entry.name), source_of(entry.name))
        ids = next((by_name[name] for name in tried if name in by_name), None)
        if ids is None:
            unknown[entry.name] = None
        for video_id in ids or ():
            before = of.setdefault(video_id, entry)
            if before.split != entry.split:
                raise CurateError(
                    f"{entry.origin}: {entry.name} puts video {video_id} into {entry.split}, and {before.origin} into "
                    f"{before.split}: put the list right; 'curate splits audit' shows all such entries"
                )
    return StatedSplits({video_id: entry.split for video_id, entry in of.items()}, tuple(unknown))
