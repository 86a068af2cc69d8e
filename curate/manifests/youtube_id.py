"""The id in a YouTube link, whatever the link's spelling."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qs

from curate.manifests.entries import RowError

YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
"""What a YouTube video id looks like (``fullmatch``): 64 bits in URL-safe base64."""

_SHORT_HOSTS = frozenset({"youtu.be", "www.youtu.be"})
_HOSTS = frozenset(
    prefix + domain
    for domain in ("youtube.com", "youtube-nocookie.com")
    for prefix in ("", "www.", "m.", "music.", "gaming.")
)
_PATHS = frozenset({"shorts", "embed", "live", "v", "e", "watch"})


def canonical_url(video_id: str) -> str:
    """The full link of a YouTube id: ``https://www.youtube.com/watch?v=ID``."""
    return f"https://www.youtube.com/watch?v={video_id}"


def is_youtube(host: str | None) -> bool:
    """Whether a host name (lower case) is one of YouTube's."""
    return host in _SHORT_HOSTS or host in _HOSTS


def id_from_link(link: SplitResult) -> str:
    """Id of a link whose host `is_youtube`.

    Understands ``youtu.be/ID``, ``watch?v=ID`` and the paths ``shorts``, ``embed``, ``live``, ``v``, ``e``, ``watch``,
    with any further parameters (``si``, ``t``, ``list``).

    Raises:
        RowError: The link names no video, or something that is not an id.
    """
    parts = [part for part in link.path.split("/") if part]
    found: str | None = None
    if link.hostname in _SHORT_HOSTS:
        found = parts[0] if parts else None
    elif len(parts) >= 2 and parts[0].lower() in _PATHS and parts[1] != "videoseries":
        found = parts[1]
    elif parts and parts[0].lower() == "watch":
        found = parse_qs(link.query).get("v", [None])[0]
    if found is None:
        raise RowError("a YouTube link that names no video (a channel or a playlist?)")
    return checked_id(found)


def checked_id(text: str) -> str:
    """A text that ought to be a YouTube id, checked.

    Raises:
        RowError: It is not 11 letters, digits, ``_`` or ``-``.
    """
    if YOUTUBE_ID.fullmatch(text):
        return text
    if len(text) != 11:
        raise RowError(f"YouTube ids have 11 characters, this one has {len(text)}")
    raise RowError("YouTube ids consist of letters, digits, '_' and '-'")
