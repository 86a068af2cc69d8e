"""What a download must never show: passwords of proxies, keys and headers that log in."""

from __future__ import annotations

from curate import trust
from curate.config import DownloadOptions


def secrets_in_use(options: DownloadOptions) -> list[str]:
    """Secrets of the options and of the proxies of the environment; longer ones first, since one may hold another."""
    found = [
        *trust.yt_dlp_secrets(options.yt_dlp),
        *(part for part in map(trust.proxy_secret, proxies(options)) if part),
    ]
    passwords = [part.partition(":")[2] for part in found]
    return sorted({secret for secret in (*found, *passwords) if len(secret) > 3}, key=len, reverse=True)


def proxies(options: DownloadOptions) -> list[str]:
    """URLs of the proxies that requests may go through."""
    if options.proxy:
        return [options.proxy]
    import urllib.request

    return [url for scheme, url in urllib.request.getproxies().items() if scheme != "no"]
