"""Addresses without their secrets, for everything that is shown, stored beside a video, or exported.

A URL may carry a password, a signature that lets anyone fetch the file, or the address of the machine that asked for
it. The manifest keeps what is needed to fetch a video; everything else gets `redact_url`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_SECRET_PARTS = (
    *("signature", "token", "password", "passwd", "passphrase", "secret", "credential", "apikey", "accesskey"),
    *("privatekey", "authorization", "authkey"),
)
"""Whatever name of a parameter contains one of these is secret: ``X-Amz-Signature``, ``access_token``."""

_SECRETS = frozenset(
    {
        *("auth", "expire", "expires", "expiry", "hash", "hdnea", "hdntl", "hdnts", "hmac", "ip", "jwt", "key"),
        *("keypairid", "lsig", "md5", "pass", "policy", "pw", "pwd", "session", "sessionid", "sid", "sig", "sign"),
        *("sparams", "st", "ticket", "username", "wmsauthsign"),
    }
)
"""Names that are secret as a whole; ``ip`` is where the asker sits, and what expires belongs to a signature."""

_SIGNERS = re.compile(r"(?:x-(?:amz|goog|oss|cos|ms)|q-(?:sign|ak|key))-", re.IGNORECASE)
"""How the parameters of signed addresses of object stores begin."""

_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*|[A-Za-z0-9+/_=~.-]{64,}")
"""Values that look like a signature whatever their name: JSON web tokens, and 64 or more characters of a key."""

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>\\]+", re.IGNORECASE)
_PARTS = re.compile(r"([a-z][a-z0-9+.-]*://)?([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.IGNORECASE | re.DOTALL)

HIDDEN = "hidden"
"""Stands in a path where a secret was, so that the parts around it keep their places."""


def redact_url(url: str) -> str:
    """A URL without passwords, signatures and tokens: in its authority, path, query and fragment.

    Parameters that are secret are left out, all others stay as they are spelt; a URL without secrets comes back
    unchanged. What is not a URL comes back unchanged as well.
    """
    found = _PARTS.fullmatch(url)
    if found is None or found[1] is None:
        return url
    scheme, authority, path, query, fragment = found.groups()
    query, fragment = _without_secrets(query), _without_secrets(fragment)
    return (
        f"{scheme}{authority.rpartition('@')[2]}{_redact_path(path)}"
        f"{f'?{query}' if query else ''}{f'#{fragment}' if fragment else ''}"
    )


def redact(text: str) -> str:
    """A text with every URL in it redacted."""
    return _URL.sub(lambda found: redact_url(found[0]), text)


def _without_secrets(parameters: str | None) -> str:
    """``a=1&sig=2`` without those that are secret."""
    parts = re.split("[&;]", parameters or "")
    kept = [part for part in parts if not _is_secret(part)]
    return (parameters or "") if len(kept) == len(parts) else "&".join(kept)


def _is_secret(parameter: str) -> bool:
    name, given, value = parameter.partition("=")
    return given == "=" and (_names_a_secret(name) or _TOKEN.fullmatch(unquote(value)) is not None)


def _names_a_secret(name: str) -> bool:
    name = unquote(name).lower()
    plain = re.sub(r"[^a-z0-9]", "", name)
    if plain in _SECRETS or _SIGNERS.match(name) or re.split(r"[-_]", name)[-1] in _SECRETS:
        return True
    return any(part in plain for part in _SECRET_PARTS)


def _redact_path(path: str) -> str:
    """``/sig/3f2a/file.mp4`` and ``/token=3f2a/file.mp4`` without the secret."""
    parts = path.split("/")
    for i, part in enumerate(parts):
        plain, *parameters = part.split(";")
        named = plain.partition("=")
        if (named[1] and _names_a_secret(named[0])) or (i and part and _is_path_key(parts[i - 1])):
            plain = HIDDEN
        parts[i] = ";".join([plain, *(parameter for parameter in parameters if not _is_secret(parameter))])
    return "/".join(parts)


def _is_path_key(part: str) -> bool:
    """Whether the next part of a path is the value of this one; fewer names than in queries, since these are words."""
    return part.lower() in ("sig", "signature", "lsig", "token", "hdnts", "hdntl", "hdnea", "ip")
