"""What a site says a video is, held against what must not be used and what is listed already.

An address may lead to a YouTube video, or to one that was opted out or purged, without looking like it: a page that
embeds it, a short link, a redirection. That is known once the site was asked, before any of it is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.manifests.entries import RowError
from curate.manifests.identity import parse_url
from curate.manifests.opt_out import OptOuts, read_opt_outs
from curate.manifests.store import read_manifest
from curate.manifests.youtube_id import YOUTUBE_ID
from curate.records import Dropped, Reason, Video
from curate.resources import labels_folder


@dataclass(frozen=True)
class Names:
    """What a video is known by.

    Attributes:
        ids: Its id at the site, and those of the addresses of its page.
        sources: Addresses of its page, normalised.
        youtube: Its YouTube id; empty if it is not YouTube's.
    """

    ids: frozenset[str]
    sources: frozenset[str]
    youtube: str = ""


def names_of(info: Mapping[str, Any]) -> Names:
    """What yt-dlp's description of a video says it is known by; untrusted."""
    ids, sources = set(), set()
    site_id = info.get("id")
    if isinstance(site_id, str):
        ids.add(site_id)
    for name in ("webpage_url", "original_url"):
        try:
            video_id, source = parse_url(str(info.get(name) or ""))
        except RowError:
            continue
        ids.add(video_id)
        sources.add(source)
    at_youtube = str(info.get("extractor_key") or "").lower() == "youtube" and isinstance(site_id, str)
    youtube = site_id if at_youtube and YOUTUBE_ID.fullmatch(str(site_id)) else ""
    return Names(frozenset(ids), frozenset(sources), str(youtube))


@dataclass
class Listing:
    """What must not be used in a workspace, and what is listed or fetched there.

    Attributes:
        excluded: Opt-outs and purges.
        listed: Ids of the manifest's videos.
        sources: Of the manifest's videos, id by address.
        fetched: Of the videos fetched so far, id by the YouTube id that their sites gave.
    """

    excluded: OptOuts
    listed: frozenset[str] = frozenset()
    sources: Mapping[str, str] = field(default_factory=dict)
    fetched: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_workspace(cls, root: Path) -> Listing:
        """The lists of a workspace, as far as there are any.

        Raises:
            CurateError: One of them cannot be read.
        """
        lists = [path for name in ("opt_out.txt", "purged.txt") if (path := root / name).exists()]
        excluded = read_opt_outs([labels_folder() / "opt_out.txt", *lists])
        videos = read_manifest(path) if (path := root / "manifest.parquet").exists() else []
        return cls(excluded, frozenset(video.id for video in videos), {video.source: video.id for video in videos})

    def decide(self, video: Video, info: Mapping[str, Any]) -> Dropped | None:
        """Whether a video is to be left alone now that its site was asked.

        Args:
            video: As the manifest has it.
            info: yt-dlp's description of it.

        Returns:
            The decision against it; ``None`` if there is none.
        """
        names = names_of(info)
        if not names.ids.isdisjoint(self.excluded.ids) or not names.sources.isdisjoint(self.excluded.sources):
            return Dropped(Reason.OPTED_OUT, f"{video.id} is {names.youtube or 'a video'} that was opted out or purged")
        known = [names.youtube] if names.youtube in self.listed else []
        known += [self.sources[source] for source in names.sources if source in self.sources]
        known += [self.fetched[names.youtube]] if names.youtube in self.fetched else []
        other = next((name for name in known if name != video.id), None)
        if other is not None:
            return Dropped(Reason.DUPLICATE, f"{video.id} leads to the same video as {other}")
        return None

    def note(self, video: Video, info: Mapping[str, Any]) -> None:
        """Take in that a video has arrived."""
        if youtube := names_of(info).youtube:
            self.fetched[youtube] = video.id
