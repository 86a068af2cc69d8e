"""Which options are taken from a workspace, and which only from the person who runs curate.

A workspace is handed on: its ``curate.toml`` may be somebody else's. What stands there is therefore taken as data and
never as an order to the machine. Every option of `curate.config` falls into one of these kinds:

- Numbers, choices, words that describe what is wanted: taken. The worst that they do is waste time.
- Files that determine the result: weights (``classify.model``, ``screen.model``, ``embed.model``, ``mask.yolo``,
  ``mask.overlay_model``), lists of frames, decisions, boxes and splits (``sample.frame_list``, ``trim.decisions``,
  ``mask.template``, ``export.splits``): taken, since a workspace could not be continued without them. They are only
  read, and only as data: tables and lists as text, weights as safetensors, as ONNX, with ``weights_only``, or in the
  restricted mode of Ultralytics. None of them can name a program.
- What says where requests go and who sends them: ``proxy``, ``source_address``, ``cookies``, ``cookies_from_browser``,
  ``local_addresses``. Never taken from a workspace and never written into one, because a stranger's proxy would read
  along, the user's cookies would go wherever the list of videos leads, and the local network would be open. They come
  from flags, from the environment (``CURATE_DOWNLOAD_PROXY`` and its like) or from ``--config``.
- Where a Ray cluster answers (``engine.address``): as the kind above, because whoever has the cluster runs what they
  like in the processes that join it.
- ``yt_dlp``, options of a program with hundreds of them, of which some run commands and write files anywhere: from a
  workspace only those of `HARMLESS`, with checked types. A value that holds anything else is treated like the kinds
  above.

Secrets are passwords, keys and headers that log in. The list of processes shows command lines to everybody, so a
secret is refused there, and in a ``--config`` file that others can read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

_WORD = re.compile(r"[A-Za-z0-9_.,:+-]{1,200}")


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1 << 40


def _is_threads(value: Any) -> bool:
    return _is_count(value) and 1 <= value <= 16


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 2000 and value.isprintable()


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 100 and all(map(_is_text, value))


def _is_country(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z]{2}", value) is not None


def _is_youtube_arguments(value: Any) -> bool:
    """Arguments of yt-dlp's YouTube extractor; those of plugins name servers and programs."""
    if not isinstance(value, dict) or value.keys() - {"youtube"}:
        return False
    arguments = value.get("youtube", {})
    return isinstance(arguments, dict) and all(
        name in _YOUTUBE_ARGUMENTS
        and isinstance(words, list)
        and all(isinstance(word, str) and _WORD.fullmatch(word) for word in words)
        for name, words in arguments.items()
    )


_YOUTUBE_ARGUMENTS = frozenset({"formats", "lang", "player_client", "player_js_variant", "player_skip", "skip"})
"""Not among them: ``innertube_host``, to which cookies would be sent, and tokens that belong to an account."""

HARMLESS: Mapping[str, Callable[[Any], bool]] = {
    "age_limit": _is_count,
    "buffersize": _is_count,
    "check_formats": _is_flag,
    "concurrent_fragment_downloads": _is_threads,
    "extractor_args": _is_youtube_arguments,
    "format": _is_text,
    "format_sort": _is_texts,
    "format_sort_force": _is_flag,
    "geo_bypass": _is_flag,
    "geo_bypass_country": _is_country,
    "http_chunk_size": _is_count,
    "noresizebuffer": _is_flag,
    "prefer_free_formats": _is_flag,
    "throttledratelimit": _is_count,
    "youtube_include_dash_manifest": _is_flag,
    "youtube_include_hls_manifest": _is_flag,
}
"""Options of yt-dlp that choose a format or a pace, with the check of their values."""

_SECRET_OPTIONS = frozenset({"ap_password", "client_certificate_password", "password", "videopassword"})
_SECRET_HEADER = re.compile(r"auth|cookie|token|key|secret|session|signature", re.IGNORECASE)


def beyond_harmless(yt_dlp: str) -> list[str]:
    """Names in a value of ``download.yt_dlp`` that are not taken from a workspace, or whose value is not.

    Text that is not a JSON object gives ``["(not a JSON object)"]``.
    """
    options = _object(yt_dlp)
    if options is None:
        return ["(not a JSON object)"]
    return sorted(name for name, value in options.items() if not (name in HARMLESS and HARMLESS[name](value)))


def proxy_secret(proxy: str) -> str:
    """The user name and password in the URL of a proxy; empty where there is none."""
    try:
        return urlsplit(proxy if "://" in proxy else f"//{proxy}").netloc.rpartition("@")[0]
    except ValueError:
        return ""


def yt_dlp_secrets(yt_dlp: str) -> list[str]:
    """Secret values in a value of ``download.yt_dlp``: passwords, and headers that log in."""
    options = _object(yt_dlp) or {}
    headers = options.get("http_headers")
    found = [value for name, value in options.items() if name in _SECRET_OPTIONS]
    if isinstance(headers, dict):
        found += [value for name, value in headers.items() if _SECRET_HEADER.search(name)]
    return [value for value in found if isinstance(value, str) and value]


def secrets_of(table: str, name: str, value: Any) -> list[str]:
    """The secrets that the value of an option holds."""
    if (table, name) == ("download", "proxy") and isinstance(value, str):
        return [secret] if (secret := proxy_secret(value)) else []
    if (table, name) == ("download", "yt_dlp") and isinstance(value, str):
        return yt_dlp_secrets(value)
    return []


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
