"""What a download will cost in disk and time, before it begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from curate.config import DownloadOptions
from curate.records import Video

MEAN_SECONDS = 938 * 3600 / 4194
"""Assumed seconds of a video whose manifest does not say: LEMON's mean, 938 h in 4,194 videos (arXiv 2503.19740)."""

BIT_RATES = ((144, 0.10e6), (240, 0.20e6), (360, 0.40e6), (480, 0.75e6), (720, 1.50e6), (1080, 2.80e6), (2160, 14e6))
"""Height in pixels and bits a second of an H.264 stream without sound: assumed, near what YouTube delivers."""

VIDEOS_AN_HOUR = 300
"""About what YouTube lets a guest session have (yt-dlp's wiki, "This content isn't available, try again later")."""

BYTES_A_SECOND = 4e6
"""Assumed speed of the line where no rate limit is set."""

METADATA_REQUESTS = 5
"""Requests that yt-dlp makes for the metadata of one YouTube video, about."""


@dataclass(frozen=True)
class Estimate:
    """Cost of fetching some videos; local files cost nothing.

    Attributes:
        videos: Videos to fetch over the network.
        bytes: Bytes on the wire and on disk.
        hours: Wall time at the given pace.
    """

    videos: int
    bytes: int
    hours: float

    def __str__(self) -> str:
        """E.g. ``4194 videos, about 630 GB and 26 h at this pace``."""
        return f"{self.videos} videos, about {_size(self.bytes)} and {_time(self.hours)} at this pace"


def estimate(videos: Iterable[Video], options: DownloadOptions) -> Estimate:
    """Estimate disk and time for the videos that are to be fetched; right to within a factor of two or so."""
    count, size = 0, 0.0
    for video in videos:
        if not video.is_local:
            count += 1
            height = min(video.height or options.max_height, options.max_height)
            size += (video.duration or MEAN_SECONDS) * _bit_rate(height) / 8
    pause = (options.sleep_interval + max(options.sleep_interval, options.max_sleep_interval)) / 2
    pause += METADATA_REQUESTS * options.sleep_interval_requests
    transfer = size / (options.rate_limit or BYTES_A_SECOND)
    seconds = max(count * pause + transfer, count * 3600 / VIDEOS_AN_HOUR)
    return Estimate(count, round(size), seconds / 3600)


def _bit_rate(height: int) -> float:
    """Bits a second, linear between the known heights."""
    low_height, low_rate = 0, 0.0
    for high_height, high_rate in BIT_RATES:
        if height <= high_height:
            share = (height - low_height) / (high_height - low_height)
            return low_rate + share * (high_rate - low_rate)
        low_height, low_rate = high_height, high_rate
    return low_rate


def _size(size: float) -> str:
    return f"{size / 1e9:.0f} GB" if size >= 10e9 else f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


def _time(hours: float) -> str:
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.0f} h" if hours >= 2 else f"{hours * 60:.0f} min"
