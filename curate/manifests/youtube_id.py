"""The id in a link to a YouTube video, whatever the link's spelling and whichever front end it leads to."""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from curate.manifests.entries import RowError
from curate.resources import labels_folder

YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
"""What a YouTube video id looks like (``fullmatch``): 64 bits in URL-safe base64."""

_NESTING = 3
"""Links inside links that are followed."""

_OWN = re.compile(
    r"(?:[\w-]+\.)*(?:youtube(?:-nocookie|kids|education)?\.com|youtube\.googleapis\.com|ytimg\.com|img\.youtube\.com"
    r"|youtube\.(?:com?\.)?[a-z]{2})"
)
_MIRROR = re.compile(r"(?:[\w-]+\.)*(?:[\w-]*invidious[\w-]*|piped)\.[\w.-]+")
_SHORT = frozenset({"youtu.be", "vid.plus", "y2u.be"})
_BEFORE_ID = re.compile(r"(?:v|vi|vi_webp|an|an_webp|e|embed|shorts|live|watch|video)/+([^/?&#]*)", re.IGNORECASE)
_NO_VIDEO = ("videoseries", "live_stream")
_ID_PARAMETERS = ("v", "video_id", "videoId")
_LINK_PARAMETERS = ("u", "url", "q", "next", "next_url", "continue")
_PREFIX = re.compile(r"(?:vnd\.youtube|youtube|yt|ytarchive):/*", re.IGNORECASE)
_SEARCH = re.compile(r":?yt(?:search(?:date)?(?:\d+|all)?|user|fav\w*|rec\w*|sub\w*|his\w*|notif\w*|watchlater)(?::|$)")
_COPY = re.compile(r"^/(?:web/)?(?:\d[\w*]*/|\*/)?(?:https?(?::|%3A)/*)?", re.IGNORECASE)
_REDIRECTORS = re.compile(
    r"consent\.(?:youtube|google)\.[\w.]+|(?:www\.)?google\.[\w.]+|(?:[\w-]+\.)?(?:facebook|instagram|reddit)\.com"
    r"|[\w-]+\.safelinks\.protection\.outlook\.com|t\.umblr\.com|(?:www\.)?href\.li"
)
_NOT_VIDEOS = ("results", "search", "feed", "hashtag", "clip", "source", "redirect")


def canonical_url(video_id: str) -> str:
    """The full link of a YouTube id: ``https://www.youtube.com/watch?v=ID``."""
    return f"https://www.youtube.com/watch?v={video_id}"


@cache
def mirrors() -> frozenset[str]:
    """Hosts of ``labels/youtube_mirrors.txt``, which show YouTube's videos under YouTube's ids."""
    lines = (labels_folder() / "youtube_mirrors.txt").read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def is_youtube(host: str | None) -> bool:
    """Whether a host name (lower case) is YouTube's, or that of a front end or mirror of it."""
    if not host:
        return False
    host = host.rstrip(".")
    return bool(_OWN.fullmatch(host)) or _bare(host) in _SHORT or _is_mirror(host)


def _bare(host: str) -> str:
    return host.removeprefix("www.")


def _is_mirror(host: str) -> bool:
    return _bare(host) in mirrors() or bool(_MIRROR.fullmatch(host))


def id_behind(text: str) -> str | None:
    """Id of the YouTube video that a text leads to; ``None`` if it leads to none, or elsewhere.

    Beside what `id_from_link` understands, the link may stand in a redirecting link (of a consent page, a mail, a
    search engine), be of a copy in the Wayback Machine, or have a prefix: ``youtube:``, ``yt:``, ``ytarchive:``.
    """
    return _behind(text.strip(), _NESTING)


def _behind(text: str, depth: int) -> str | None:
    if prefix := _PREFIX.match(text):
        rest = text[prefix.end() :]
        if YOUTUBE_ID.fullmatch(bare := re.split(r"[?&#]", rest, maxsplit=1)[0]):
            return bare
        text = f"https://{rest}" if is_youtube(rest.partition("/")[0].lower()) else f"https://www.youtube.com/{rest}"
    link = _split(text)
    if link is None or not link.hostname:
        return None
    host = link.hostname.rstrip(".")
    if host in ("web.archive.org", "archive.org"):
        copied = _COPY.sub("", link.path + _tail(link))
        return _behind(f"https://{copied}", depth - 1) if depth else None
    if _bare(host) == "deturl.com":
        return _behind("https:/" + link.path + _tail(link), depth - 1) if depth else None
    nested = depth and (is_youtube(host) or _REDIRECTORS.fullmatch(host))
    if is_youtube(host) and (own := _own_id(link)) is not None:
        return own if YOUTUBE_ID.fullmatch(own) else None
    if not nested:
        return None
    if _bare(host) == "href.li":
        return _behind(link.query, depth - 1)
    for name, value in parse_qsl(link.query):
        if name in _LINK_PARAMETERS:
            inner = f"https://www.youtube.com{value}" if value.startswith("/") and is_youtube(host) else value
            if (found_id := _behind(inner, depth - 1)) is not None:
                return found_id
    return None


def _split(text: str) -> SplitResult | None:
    text = re.sub(r"^httpss:", "https:", text, flags=re.IGNORECASE)
    if text.startswith("//"):
        text = "https:" + text
    elif "://" not in text[:10] and is_youtube(re.split(r"[/?#:]", text.lower(), maxsplit=1)[0]):
        text = "https://" + text.lstrip("/")
    try:
        link = urlsplit(text)
        _ = link.hostname, link.port
    except ValueError:
        return None
    return link if link.scheme.lower() in ("http", "https") else None


def _tail(link: SplitResult) -> str:
    return (f"?{link.query}" if link.query else "") + (f"#{link.fragment}" if link.fragment else "")


def _own_id(link: SplitResult) -> str | None:
    """What stands where the id ought to be in a link to YouTube: eleven letters, or whatever is there instead."""
    rest = (link.path + _tail(link)).replace("&amp;", "&").lstrip("/")
    host = (link.hostname or "").rstrip(".")
    found = None
    for place in (*(rest[m.end() :] for m in re.finditer("#/", rest)), rest):
        found = _path_id(place) or _parameter(place)
        if found is not None:
            return found
    if _bare(host) in _SHORT or _is_mirror(host):
        return _first_letters(rest) if rest else None
    if "%" in rest and (again := unquote(rest)) != rest:
        return _own_id(SplitResult("https", link.netloc, "/" + again, "", ""))
    return None


def _path_id(place: str) -> str | None:
    match = _BEFORE_ID.match(place)
    if match is None or match[1].startswith(_NO_VIDEO) or not match[1]:
        return None
    return _first_letters(unquote(match[1]))


def _parameter(place: str) -> str | None:
    path, *query = re.split(r"[?#]", place, maxsplit=1)
    if not query or path.split("/", 1)[0].lower() in _NOT_VIDEOS:
        return None
    parts = [part.partition("=") for part in re.split(r"[&;#?!]", query[0])]
    named = [(unquote(value), wanted) for wanted in _ID_PARAMETERS for name, _, value in parts if name == wanted]
    values = [_first_letters(value) for value, _ in named if value]
    return next((value for value in values if YOUTUBE_ID.fullmatch(value)), values[0] if values else None)


def _first_letters(text: str) -> str:
    """The id at the start of a text; what follows it does not count. The text, if it starts with none."""
    match = YOUTUBE_ID.match(text)
    return match[0] if match else text


def id_from_link(link: SplitResult) -> str:
    """Id of a link whose host `is_youtube`.

    Understands every form that yt-dlp takes for a video: ``youtu.be/ID``, ``watch?v=ID`` and the paths ``shorts``,
    ``embed``, ``live``, ``v``, ``e``, ``watch``, on YouTube's hosts, mirrors and front ends, behind ``#/``, with any
    further parameters (``si``, ``t``, ``list``); thumbnails, and links that carry the video's link in a parameter.

    Raises:
        RowError: The link names no video, or something that is not an id.
    """
    found = id_behind(link.geturl())
    if found is not None:
        return found
    wrong = _own_id(link)
    if wrong is None:
        raise RowError("a YouTube link that names no video (a channel, a playlist, a clip?)")
    return checked_id(wrong)


def is_search(text: str) -> bool:
    """Whether a text asks yt-dlp for a search or a feed, which are no video: ``ytsearch5:words``."""
    return bool(_SEARCH.match(text.strip()))


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
