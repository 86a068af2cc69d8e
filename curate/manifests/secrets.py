"""What must not leave a list of videos with its addresses: passwords, signatures, tokens."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_WORDS = (
    "auth|authorization|accesskey|access_key|accesskeyid|api_?key|credentials?|expires|expiry|hash|hdnea|hdnts|hmac"
    "|id_token|jwt|key|keypairid|key-pair-id|lsig|passwd|password|policy|pwd|pw|pass|secret|session|sessionid|sid|sig"
    "|sign|signature|ticket|token|wmsauthsign"
)
_SECRET_NAME = re.compile(
    rf"(?:{_WORDS})|.*[-_](?:{_WORDS})|(?:x-amz|x-goog|x-oss|x-cos|q-sign|q-ak|q-key)-.*"
    r"|(?:access|auth|api|user|url)(?:token|sig|signature|secret|password)",
    re.IGNORECASE,
)
_URL = re.compile(r"[a-z][a-z0-9+.-]{0,20}://[^\s\"'<>]+", re.IGNORECASE)


def public_url(url: str) -> str:
    """A URL without user name, password, and the parameters that are names of signatures, tokens and the like.

    What is no URL is returned as it is.
    """
    if not _URL.match(url):
        return url
    try:
        link = urlsplit(url)
    except ValueError:
        return re.sub(r"(?<=://)[^/?#]*@", "", url)
    parts = [part for part in re.split("[&;]", link.query) if not _is_secret(part)]
    kept = link.query if len(parts) == len(re.split("[&;]", link.query)) else "&".join(parts)
    fragment = "" if _is_secret(link.fragment) else link.fragment
    return urlunsplit(link._replace(netloc=link.netloc.rpartition("@")[2], query=kept, fragment=fragment))


def without_secrets(text: str) -> str:
    """A text with every URL in it as `public_url` leaves it."""
    return _URL.sub(lambda match: public_url(match[0]), text) if "://" in text else text


def _is_secret(parameter: str) -> bool:
    name, equals, _ = parameter.partition("=")
    return bool(equals) and bool(_SECRET_NAME.fullmatch(name))
