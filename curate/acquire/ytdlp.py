"""The only module that knows yt-dlp: one session, metadata first, errors as reasons.

Works for every site yt-dlp knows and for plain links to video files; only ``http`` and ``https`` URLs are fetched, and
nothing of the local network (`curate.acquire.local_network`). Requests are made by yt-dlp's own Python handlers alone,
since each of their connections can be judged: ffmpeg, other download programs and curl are not used.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from curate.acquire import reasons
from curate.acquire.cookies import read_cookies
from curate.acquire.local_network import LocalNetworkGuard, parse_networks
from curate.acquire.secrets import proxies, secrets_in_use
from curate.config import DownloadOptions
from curate.errors import CurateError
from curate.files.bounded import parse_json
from curate.files.disk import DISK_ERRORS
from curate.files.text import printable
from curate.files.urls import redact, redact_url
from curate.records import Reason

log = logging.getLogger(__name__)

MAX_BACKOFF = 60.0
"""Longest pause between two repeats within one try, seconds."""

RESERVED = frozenset(
    {
        "cookiefile",
        "cookiesfrombrowser",
        "download_archive",
        "exec_cmd",
        "logger",
        "external_downloader",
        "external_downloader_args",
        "impersonate",
        "forceprint",
        "netrc_cmd",
        "paths",
        "postprocessors",
        "print_to_file",
        "simulate",
        "skip_download",
    }
)
"""yt-dlp options, beside those set here, that nobody can set: they run programs, write files, or skip the work.

Of all others a workspace's ``curate.toml``, which may come from someone else, sets only `curate.trust.HARMLESS`.
"""

NO_FFMPEG = "/nonexistent/ffmpeg"
"""Where yt-dlp is told to look for ffmpeg: it would open addresses by itself, unguarded, and is not needed."""

HANDLERS = frozenset({"Urllib", "Requests"})
"""Those of yt-dlp's request handlers whose every connection and redirect can be judged."""

REPLACEABLE = frozenset({"format", "format_sort"})
"""Options set here that the user may overrule with ``yt_dlp``."""

PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
"""Kinds of proxy that yt-dlp can use."""

LONGEST_TEXT = 2000
"""Characters of a message that are kept."""

STREAMED = ("m3u8", "dash", "ism", "f4m")
"""Protocols that come in pieces: there a missing piece is a hole, not a missing video."""

ONLY_VIDEOS = "EgIQAfABAQ=="
"""YouTube's search filter, a protocol buffer in base 64: type (field 2.2) is video; the query is not respelt (30)."""

ONLY_CREATIVE_COMMONS = "EgQQATAB8AEB"
"""The same with 2.6 set: only videos under a Creative Commons licence."""


class FetchError(Exception):
    """A video could not be had.

    Attributes:
        reason: From the closed set.
        text: What the site or yt-dlp said, printable, without secrets.
    """

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


@dataclass(frozen=True)
class Found:
    """A video that can be fetched, with the format chosen.

    Attributes:
        info: yt-dlp's own description; handed back to `Downloader.fetch`.
    """

    info: dict[str, Any]

    @property
    def duration(self) -> float | None:
        """Seconds, as the site states it."""
        value = self.info.get("duration")
        return float(value) if value else None

    @property
    def height(self) -> int | None:
        """Pixels of the chosen format, where it says."""
        value = self.info.get("height")
        return int(value) if value else None

    @property
    def bytes(self) -> int | None:
        """Size of the chosen format, exact or estimated, where it says."""
        value = self.info.get("filesize") or self.info.get("filesize_approx")
        return int(value) if value else None

    @property
    def format_key(self) -> str:
        """Same for the same file on the server, as far as is known: which partial file may be continued."""
        parts = (self.info.get("format_id"), self.info.get("filesize"), self.info.get("ext"))
        return "-".join(re.sub(r"[^A-Za-z0-9]", "_", str(part)) for part in parts if part is not None)[:80]

    @property
    def extension(self) -> str:
        """File extension, letters and digits only."""
        extension = str(self.info.get("ext") or "")
        return extension.lower() if re.fullmatch(r"[A-Za-z0-9]{1,8}", extension) else "video"

    def metadata(self) -> dict[str, Any]:
        """What the source says about the video, and which format was chosen, as plain data."""
        info = self.info
        wanted = (
            "title",
            "channel",
            "channel_id",
            "uploader",
            "uploader_id",
            "availability",
            "upload_date",
            "license",
            "duration",
            "webpage_url",
        )
        of_format = (
            "format_id",
            "format_note",
            "ext",
            "vcodec",
            "width",
            "height",
            "fps",
            "tbr",
            "filesize",
            "protocol",
        )
        found = {("licence" if k == "license" else k): _plain(info.get(k)) for k in wanted}
        found["webpage_url"] = redact_url(str(info.get("webpage_url") or "")) or None
        found["site"] = _plain(info.get("extractor_key"))
        found["site_id"] = _plain(info.get("id"))
        found["format"] = {k: _plain(info.get(k)) for k in of_format}
        return found


def is_web_url(url: str) -> bool:
    """Whether a text is a whole ``http`` or ``https`` URL with a host, without blanks and control characters."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable() and " " not in url
    except ValueError:
        return False


def is_youtube(url: str) -> bool:
    """Whether a URL leads to YouTube."""
    host = (urlsplit(url).hostname or "") if is_web_url(url) else ""
    return host == "youtu.be" or host.endswith(("youtube.com", "youtube-nocookie.com"))


class Downloader:
    """One yt-dlp session: cookies, connections and pace are shared by all videos fetched with it.

    Args:
        options: Format, pace and ways of reaching the site.

    Raises:
        CurateError: Cookies cannot be read, or ``options.yt_dlp`` holds what it must not.
    """

    def __init__(self, options: DownloadOptions) -> None:
        self._options = options
        self._target = Path()
        self._progress: Callable[[], None] | None = None
        self._secrets = secrets_in_use(options)
        parameters = session_parameters(options) | {"logger": _Forward(self._shown)}
        if options.cookies is not None:
            parameters["cookiefile"] = read_cookies(options.cookies)
        if options.cookies_from_browser:
            parameters["cookiesfrombrowser"] = _browser(options.cookies_from_browser)
        allowed = parse_networks(options.local_addresses, "download.local_addresses")
        self._guard = LocalNetworkGuard(allowed, proxies(options), _refused_locally)
        self._session = _session(parameters, self._name, self._guard)
        self._session.add_progress_hook(self._got_on)
        self._load_cookies()

    def _shown(self, text: str) -> str:
        """A message of yt-dlp as it may be shown and stored: printable, without secrets."""
        text = redact(text)
        for secret in self._secrets:
            text = text.replace(secret, "(hidden)")
        return printable(text, LONGEST_TEXT)

    def _name(self, info: Mapping[str, Any]) -> str:
        return str(self._target)

    def _got_on(self, _: Mapping[str, Any]) -> None:
        if self._progress is not None:
            self._progress()

    def _load_cookies(self) -> None:
        """Load cookies at once, so that trouble with them stops the run and not each video."""
        if self._options.cookies is None and not self._options.cookies_from_browser:
            return
        from yt_dlp.cookies import CookieLoadError
        from yt_dlp.utils import DownloadError

        self._session.params["logger"] = _Silent()
        try:
            _ = self._session.cookiejar
        except (CookieLoadError, DownloadError):
            where = self._options.cookies or f"the browser {self._options.cookies_from_browser!r}"
            raise CurateError(f"cannot load cookies from {where}: see 'curate doctor'") from None
        finally:
            self._session.params["logger"] = _Forward(self._shown)

    def find(self, url: str) -> Found:
        """Ask the site about a video and choose a format; fetches no video data.

        Raises:
            FetchError: The video cannot be had, with the reason.
        """
        if not is_web_url(url):
            raise FetchError(Reason.UNSUPPORTED_URL, f"not an http or https URL: {self._shown(url)[:200]}")
        with self._as_reasons(streamed=False):
            info = self._session.extract_info(url, download=False)
        if info and info.get("_type") in ("playlist", "multi_video"):
            entries = [entry for entry in info.get("entries") or () if entry]
            if len(entries) != 1:
                raise FetchError(
                    Reason.UNSUPPORTED_URL, "the URL leads to a list of videos or to none, not to one video"
                )
            info = entries[0]
        if not info:
            raise FetchError(Reason.NO_FORMAT, "the site describes no video")
        status = info.get("live_status")
        if status in ("is_live", "is_upcoming", "post_live") or info.get("is_live"):
            raise FetchError(Reason.LIVE, f"live status: {status or 'is_live'}")
        if not is_web_url(str(info.get("url") or url)):
            raise FetchError(Reason.UNSUPPORTED_URL, f"the site sends us to {self._shown(str(info['url']))[:200]}")
        return Found(info)

    def fetch(self, found: Found, target: Path, progress: Callable[[], None] | None = None) -> None:
        """Fetch the chosen format into ``target``, continuing ``target`` + ``.part`` if that is there.

        Args:
            found: From `find`.
            target: File to write.
            progress: Called for every block of bytes that arrived.

        Raises:
            FetchError: The data did not arrive, with the reason.
            OSError: Nothing more can be written.
        """
        self._target, self._progress = target, progress
        protocol = str(found.info.get("protocol") or "")
        info = dict(found.info)
        with self._as_reasons(streamed=any(name in protocol for name in STREAMED)):
            self._session.process_info(info)
        if not target.is_file() or target.stat().st_size == 0:
            raise FetchError(Reason.INCOMPLETE, "no data arrived")

    def search(self, query: str, *, creative_commons: bool) -> Iterator[Mapping[str, Any]]:
        """YouTube's own search, best match first; asks for further pages as they are needed.

        Yields:
            yt-dlp's short descriptions: ``id``, ``title``, ``duration``, ``channel``, ``live_status``.

        Raises:
            FetchError: The search, or its next page, cannot be had.
        """
        filters = ONLY_CREATIVE_COMMONS if creative_commons else ONLY_VIDEOS
        url = f"https://www.youtube.com/results?{urlencode({'search_query': query, 'sp': filters})}"
        with self._as_reasons(streamed=False):
            found = self._session.extract_info(url, download=False, process=False)
            entries = iter(found["entries"])
        while True:
            with self._as_reasons(streamed=False):
                entry = next(entries, None)
            if entry is None:
                return
            yield entry

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    @contextmanager
    def _as_reasons(self, *, streamed: bool) -> Iterator[None]:
        """Turn whatever yt-dlp raises into a `FetchError`, or an ``OSError`` if the disk is to blame.

        Any exception may come out of an extractor that meets a page it was not written for.
        """
        from yt_dlp.utils import YoutubeDLError

        try:
            with self._guard.watching():
                yield
        except MemoryError:
            raise
        except Exception as error:
            number = _disk_error(error)
            if number is not None:
                raise OSError(number, os.strerror(number)) from error
            text = str(error) if isinstance(error, YoutubeDLError) else f"{type(error).__name__}: {error}"
            raise FetchError(classify(error, streamed=streamed), self._shown(text.removeprefix("ERROR: "))) from error


def _refused_locally(sentence: str) -> Exception:
    """The error of a connection that the guard refuses, of a kind that yt-dlp hands on at once."""
    from yt_dlp.networking.exceptions import RequestError

    error: Exception = RequestError(sentence)
    error.__cause__ = LocalAddressError(sentence)
    return error


class LocalAddressError(Exception):
    """Marks the cause of a refused connection."""


def classify(error: BaseException, *, streamed: bool = False) -> Reason:
    """The reason behind one of yt-dlp's exceptions: by type where there is one, by HTTP status, then by wording.

    Args:
        error: As raised by yt-dlp; causes are followed.
        streamed: Whether the pieces of a stream were being fetched, where a 404 means a hole.
    """
    from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, TransportError
    from yt_dlp.utils import (
        ContentTooShortError,
        DownloadError,
        ExtractorError,
        GeoRestrictedError,
        UnsupportedError,
        UserNotLive,
    )

    chain = list(_causes(error))
    text = str(error)
    if any(isinstance(e, LocalAddressError) for e in chain):
        return Reason.LOCAL_ADDRESS
    if any(isinstance(e, UnsupportedError) for e in chain):
        return Reason.UNSUPPORTED_URL
    if any(isinstance(e, GeoRestrictedError) for e in chain):
        return Reason.GEO
    said = next((e.orig_msg for e in chain if isinstance(e, ExtractorError)), None)
    if said is not None and (reason := reasons.reason_of_text(said)) is not None:
        return reason
    if any(isinstance(e, UserNotLive) for e in chain):
        return Reason.LIVE
    status = next((e.status for e in chain if isinstance(e, HTTPError)), None) or reasons.status_in(text)
    if status is not None:
        reason = reasons.reason_of_status(status)
        return Reason.INCOMPLETE if streamed and reason is Reason.NOT_FOUND else reason
    if any(isinstance(e, IncompleteRead | ContentTooShortError) for e in chain) or reasons.speaks_of_missing_data(text):
        return Reason.INCOMPLETE
    if any(isinstance(e, TransportError | ConnectionError | TimeoutError) for e in chain):
        return Reason.NETWORK
    if reasons.speaks_of_network(text):
        return Reason.NETWORK
    # Paths may stand in other texts, and a path may read like anything.
    said_by_downloader = len(chain) == 1 and isinstance(error, DownloadError)
    return (reasons.reason_of_text(text) if said_by_downloader else None) or Reason.ERROR


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that led to it, outermost first."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        info = getattr(current, "exc_info", None)
        found = (info[1] if info else None, getattr(current, "cause", None), current.__cause__, current.__context__)
        waiting += [cause for cause in found if isinstance(cause, BaseException)]


def _disk_error(error: BaseException) -> int | None:
    """The system's error number, if an exception is about the disk and not about the video."""
    numbers = [cause.errno for cause in _causes(error) if isinstance(cause, OSError)]
    return next((n for n in (*numbers, reasons.errno_of_writing(str(error))) if n in DISK_ERRORS), None)


def session_parameters(options: DownloadOptions) -> dict[str, Any]:
    """Parameters for ``YoutubeDL``; every limit is set, because those of the library differ from the program's.

    Raises:
        CurateError: ``options.yt_dlp`` is not a JSON object, or names an option that curate sets itself; the proxy or
            the source address cannot be one.
    """
    _check_addresses(options)
    height = options.max_height
    usable = f"[height<=?{height}][format_note!*=?AI-upscaled]"

    def pause(n: int) -> float:
        return min(options.backoff * 2.0**n, MAX_BACKOFF)

    parameters: dict[str, Any] = {
        "format": f"bv{usable}/b{usable}",
        "format_sort": [f"res:{height}", "vcodec:h264", "fps"],
        "noplaylist": True,
        "playlist_items": "1,2",
        "lazy_playlist": True,
        "retries": options.retries,
        "fragment_retries": options.fragment_retries,
        "extractor_retries": options.extractor_retries,
        "file_access_retries": 3,
        "skip_unavailable_fragments": False,
        "retry_sleep_functions": dict.fromkeys(("http", "fragment", "file_access", "extractor"), pause),
        "sleep_interval_requests": options.sleep_interval_requests,
        "socket_timeout": options.socket_timeout,
        "ratelimit": options.rate_limit,
        "proxy": options.proxy or None,
        "source_address": options.source_address or None,
        "continuedl": True,
        "nopart": False,
        "overwrites": None,
        "updatetime": False,
        "fixup": "never",
        "ignoreerrors": False,
        "enable_file_urls": False,
        "cachedir": None,
        "js_runtimes": {name: {} for name in runtime_names()},
        "ffmpeg_location": NO_FFMPEG,
        "quiet": True,
        "noprogress": True,
        "color": "never",
        "outtmpl": {"default": "%(id)s.%(ext)s"},
    }
    return parameters | _extra(options.yt_dlp, reserved=(parameters.keys() - REPLACEABLE) | RESERVED)


def _check_addresses(options: DownloadOptions) -> None:
    try:
        known = urlsplit(options.proxy).scheme in PROXY_SCHEMES
    except ValueError:
        known = False
    if options.proxy and not known:
        raise CurateError(f"download.proxy is not a URL that begins with {', '.join(PROXY_SCHEMES)}")
    if options.source_address:
        try:
            ipaddress.ip_address(options.source_address)
        except ValueError as error:
            raise CurateError(f"download.source_address: {error}") from error


def _extra(text: str, reserved: set[str]) -> dict[str, Any]:
    try:
        extra = parse_json(text)
    except ValueError as error:
        raise CurateError(f"download.yt_dlp {error}") from error
    if not isinstance(extra, dict):
        raise CurateError("download.yt_dlp must be a JSON object, such as '{\"geo_bypass\": true}'")
    taken = sorted(extra.keys() & reserved)
    if taken:
        raise CurateError(f"download.yt_dlp must not set {', '.join(taken)}: see the options of 'curate download'")
    return extra


def _session(parameters: dict[str, Any], name: Callable[[Mapping[str, Any]], str], guard: LocalNetworkGuard) -> Any:
    """A ``YoutubeDL`` that writes where it is told and asks the guard before every request.

    Its own file name templates would expand ``$`` and ``~`` in a path.
    """
    from yt_dlp import YoutubeDL

    class Session(YoutubeDL):
        def prepare_filename(
            self, info_dict: Mapping[str, Any], dir_type: str = "", *, outtmpl: Any = None, warn: bool = False
        ) -> str:
            return name(info_dict) if dir_type in ("", "temp") else ""

        def build_request_director(self, handlers: Iterable[Any], preferences: Any = None) -> Any:
            known = [handler for handler in handlers if handler.RH_KEY in HANDLERS]
            director = super().build_request_director(known, preferences)
            for handler in director.handlers.values():
                _ask_before_requests(handler, guard)
            return director

    return Session(parameters, auto_init="no_verbose_header")


def _ask_before_requests(handler: Any, guard: LocalNetworkGuard) -> None:
    """Have the guard check the URL of every request of a handler, those after a redirect too."""
    import urllib.request

    make = handler._create_instance

    class Asking(urllib.request.BaseHandler):
        handler_order = 0

        def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
            guard.check_url(request.full_url)
            return request

        https_request = ftp_request = http_request

    def guarded(**arguments: Any) -> Any:
        instance = make(**arguments)
        if isinstance(instance, urllib.request.OpenerDirector):
            instance.add_handler(Asking())
        else:  # a session of the package requests, which hands every hop to one of its adapters
            for adapter in {id(a): a for a in instance.adapters.values()}.values():
                adapter.send = _asking(adapter.send, guard)
        return instance

    handler._create_instance = guarded


def _asking(send: Callable[..., Any], guard: LocalNetworkGuard) -> Callable[..., Any]:
    def asking(request: Any, *arguments: Any, **named: Any) -> Any:
        guard.check_url(request.url)
        return send(request, *arguments, **named)

    return asking


def _browser(text: str) -> tuple[str, ...]:
    """``BROWSER[:PROFILE]`` in yt-dlp's form."""
    name, _, profile = text.partition(":")
    return (name.strip().lower(), profile) if profile else (name.strip().lower(),)


class _Forward:
    """yt-dlp's messages, on one line each, to this package's log."""

    def __init__(self, shown: Callable[[str], str]) -> None:
        self._shown = shown

    def debug(self, text: str) -> None:
        log.debug("%s", self._shown(text))

    def info(self, text: str) -> None:
        log.debug("%s", self._shown(text))

    def warning(self, text: str) -> None:
        log.info("%s", self._shown(text))

    def error(self, text: str) -> None:
        log.debug("%s", self._shown(text))


class _Silent:
    """Swallows messages, for moments in which they could hold secrets."""

    def debug(self, text: str) -> None:
        pass

    info = warning = error = debug


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def version() -> str:
    """yt-dlp's version."""
    from yt_dlp.version import __version__

    return str(__version__)


@dataclass(frozen=True)
class Runtime:
    """A JavaScript runtime that yt-dlp found.

    Attributes:
        name: ``deno``, ``node``, ``bun`` or ``quickjs``.
        version: As it reports itself.
        supported: Whether it is new enough.
    """

    name: str
    version: str
    supported: bool


def runtime_names() -> list[str]:
    """JavaScript runtimes this yt-dlp can use, best first."""
    import yt_dlp  # noqa: F401  (registers them)
    from yt_dlp.globals import supported_js_runtimes

    return list(supported_js_runtimes.value)


def javascript_runtimes() -> list[Runtime]:
    """JavaScript runtimes found by yt-dlp's own search; without one YouTube gives few or no formats."""
    import yt_dlp  # noqa: F401  (registers them)
    from yt_dlp.globals import supported_js_runtimes

    found = [runtime().info for runtime in supported_js_runtimes.value.values()]
    return [Runtime(info.name, info.version, bool(info.supported)) for info in found if info is not None]


def usable_runtimes() -> list[Runtime]:
    """JavaScript runtimes that are there and new enough."""
    return [runtime for runtime in javascript_runtimes() if runtime.supported]
