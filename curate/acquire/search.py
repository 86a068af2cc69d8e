"""From a query to a list of videos: YouTube's search, filtered, as a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from curate.files.csv_file import csv_text
from curate.files.text import printable
from curate.manifests.suggested import SUGGESTED, suggested_cells
from curate.records import VIDEO_ID

if TYPE_CHECKING:
    from curate.acquire.ytdlp import Downloader
    from curate.manifests.titles import TitleWords

COLUMNS = ("id", "url", "title", "duration", "channel", "channel_id", "procedures", "licence", *SUGGESTED)

MAX_SCANNED = 5000
"""Results looked at for one query, at most; YouTube's own lists end well before."""

CREATIVE_COMMONS = "Creative Commons (YouTube search filter)"


@dataclass(frozen=True)
class Filters:
    """Which results are taken.

    Attributes:
        require: Words of which every one must be in the title, whatever its case.
        ignore: Words of which none may be.
        min_duration: Seconds, at least; a result without a duration is then not taken.
        max_duration: Seconds, at most; likewise.
        creative_commons: Only videos under a Creative Commons licence.
    """

    require: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    min_duration: float | None = None
    max_duration: float | None = None
    creative_commons: bool = False

    def accept(self, title: str, duration: float | None) -> bool:
        """Whether a video with this title and duration is taken."""
        plain = title.casefold()
        if any(word.casefold() not in plain for word in self.require):
            return False
        if any(word.casefold() in plain for word in self.ignore):
            return False
        low, high = self.min_duration, self.max_duration
        if duration is None:
            return low is None and high is None
        return (low is None or duration >= low) and (high is None or duration <= high)


@dataclass(frozen=True)
class Hit:
    """A video that was found.

    Attributes:
        id: YouTube's id.
        title: As YouTube gives it; untrusted text.
        duration: Seconds, or ``None``.
        channel: Name of the channel; untrusted text.
        procedures: Canonical names that the query stands for, if it stands for any.
        licence: What the search filter says about the licence, or empty.
        channel_id: YouTube's id of the channel, or empty.
    """

    id: str
    title: str
    duration: float | None
    channel: str
    procedures: tuple[str, ...] = ()
    licence: str = ""
    channel_id: str = ""

    @property
    def url(self) -> str:
        """Full address of the video."""
        return f"https://www.youtube.com/watch?v={self.id}"


def search(
    downloader: Downloader, query: str, count: int, filters: Filters, procedures: tuple[str, ...] = ()
) -> Iterator[Hit]:
    """Up to ``count`` videos for one query, best match first; live streams are left out.

    Raises:
        FetchError: YouTube's answer cannot be had; what was yielded before stands.
    """
    results = downloader.search(query, creative_commons=filters.creative_commons)
    for scanned, entry in enumerate(results, start=1):
        hit = _hit(entry, procedures, CREATIVE_COMMONS if filters.creative_commons else "")
        if hit is not None and filters.accept(hit.title, hit.duration):
            yield hit
            count -= 1
        if count <= 0 or scanned >= MAX_SCANNED:
            return


def _hit(entry: Mapping[str, Any], procedures: tuple[str, ...], licence: str) -> Hit | None:
    id = entry.get("id")
    if not isinstance(id, str) or not VIDEO_ID.fullmatch(id) or entry.get("live_status") in ("is_live", "is_upcoming"):
        return None
    duration = entry.get("duration")
    return Hit(
        id,
        _line(entry.get("title")),
        float(duration) if duration else None,
        _line(entry.get("channel") or entry.get("uploader")),
        procedures,
        licence,
        _line(entry.get("channel_id")),
    )


def merged(hits: Iterable[Hit]) -> list[Hit]:
    """Each video once, where it was found first, with the procedures of all its queries."""
    found: dict[str, Hit] = {}
    for hit in hits:
        known = found.setdefault(hit.id, hit)
        both = tuple(dict.fromkeys((*known.procedures, *hit.procedures)))
        found[hit.id] = replace(known, procedures=both)
    return list(found.values())


def to_csv(hits: Iterable[Hit], words: TitleWords) -> str:
    """A manifest that the other commands read, with what the titles suggest beside what the queries say.

    Args:
        hits: What was found.
        words: Phrases of titles.
    """
    rows = (
        {
            "id": hit.id,
            "url": hit.url,
            "title": hit.title,
            "duration": _duration(hit),
            "channel": hit.channel,
            "channel_id": hit.channel_id,
            "procedures": ";".join(hit.procedures),
            "licence": hit.licence,
            **suggested_cells(words, hit.title, procedures=True, robotic=True),
        }
        for hit in hits
    )
    return csv_text(COLUMNS, rows)


def _duration(hit: Hit) -> str:
    return "" if hit.duration is None else f"{hit.duration:g}"


def _line(value: Any) -> str:
    return printable(str(value or ""))
