"""What single cells say: nothing, yes or no, a duration, a resolution, in the notations that lists use."""

from __future__ import annotations

import datetime
import math
import re
import tomllib
from functools import cache
from typing import Any

from curate.resources import labels_folder

MAX_SIDE = 1 << 16
"""Largest width or height believed, in pixels."""

MAX_DURATION = 366 * 86400.0
"""Longest duration believed, in seconds."""

CELL_LIMIT = 1 << 16
"""Characters of a cell that are looked at; only titles are that long, and `clean_text` keeps a thousand of them."""


@cache
def _words(kind: str) -> frozenset[str]:
    """The words of one kind in ``labels/cell_words.toml``."""
    table = tomllib.loads((labels_folder() / "cell_words.toml").read_text(encoding="utf-8"))
    return frozenset(table[kind])


_SIZES = {
    "sd": (None, 480), "hd": (None, 720), "hd ready": (None, 720), "full hd": (None, 1080), "fullhd": (None, 1080),
    "fhd": (None, 1080), "qhd": (None, 1440), "2k": (None, 1440), "4k": (None, 2160), "uhd": (None, 2160),
    "ultra hd": (None, 2160), "4k uhd": (None, 2160), "8k": (None, 4320), "pal": (720, 576), "ntsc": (720, 480),
}  # fmt: skip
_SIDES = re.compile(
    r"[\[({]?\s*(\d{1,6})(?:\.0)?\s*(?:[x\u00d7*,;/ ]|by|px x)\s*(\d{1,6})(?:\.0)?\s*[\])}]?(?:\s*px)?", re.I
)
_LINES = re.compile(r"(\d{3,4})\s*[pi](?:\s*@?\s*\d{1,3}(?:[.,]\d+)?\s*(?:fps|hz)?)?(?:\s*hdr\d*)?", re.I)

_NUMBER = re.compile(r"[+-]?\d{1,15}(?:[.,]\d{1,2})?|[+-]?\d{1,15}\.\d+(?:e[+-]?\d{1,3})?|\d{1,15}e[+-]?\d{1,3}", re.I)
_CLOCK = re.compile(r"(?:(\d+)\s+days?,?\s+)?(?:(\d+):)?(\d+):(\d{1,2})(?:[.,](\d{1,9}))?", re.I)
_UNITS = {
    "w": 604800.0, "week": 604800.0, "d": 86400.0, "day": 86400.0, "t": 86400.0, "tag": 86400.0,
    "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "std": 3600.0, "stunde": 3600.0, "heure": 3600.0, "hora": 3600.0,
    "m": 60.0, "min": 60.0, "mn": 60.0, "minute": 60.0, "minuto": 60.0, "'": 60.0, "\u2032": 60.0, "\u2019": 60.0,
    "s": 1.0, "sec": 1.0, "second": 1.0, "sek": 1.0, "sekunde": 1.0, "seconde": 1.0, "segundo": 1.0, '"': 1.0,
    "\u2033": 1.0, "''": 1.0, "\u201d": 1.0, "ms": 0.001, "msec": 0.001, "millisecond": 0.001,
}  # fmt: skip
_AMOUNT = re.compile(
    r"\s*(\d+(?:[.,]\d+)?)\s*([^\W\d_]+|''|['\"\u2032\u2019\u2033\u201d])\.?\s*(?:,|and|und|et|y)?(?=[\s\d]|$)", re.I
)
_ISO = re.compile(
    r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+(?:[.,]\d+)?)H)?(?:(\d+(?:[.,]\d+)?)M)?(?:(\d+(?:[.,]\d+)?)S)?)?", re.I
)


NOT_PUBLIC = frozenset({"private", "unlisted", "premium_only", "subscriber_only", "needs_auth"})
"""Words of YouTube and of yt-dlp for a video that not everybody may see or find."""


class CellError(ValueError):
    """A cell says something that is not understood."""


def is_empty(value: Any) -> bool:
    """Whether a cell holds nothing at all."""
    if isinstance(value, str | list | tuple | dict):
        return not value
    return value is None or (isinstance(value, float) and math.isnan(value))


def says_nothing(value: Any) -> bool:
    """Whether a cell is empty, or holds one of the words for nothing: ``nan``, ``None``, ``NULL``, ``N/A``, ``-``."""
    if isinstance(value, str):
        text = value[:80].strip().lower()
        return not text or (len(value) <= 80 and text in _words("nothing"))
    return is_empty(value)


def as_flag(value: Any) -> bool | None:
    """Yes, no or unknown, in the words of spreadsheets and of many languages.

    Raises:
        CellError: It is none of them.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value)[:40].strip().lower().removesuffix(".0").rstrip(".!")
    if text in _words("unknown"):
        return None
    if text not in _words("yes") | _words("no"):
        raise CellError("must be true or false")
    return text in _words("yes")


def as_public(value: Any) -> bool | None:
    """Whether everybody sees a video: yes or no as `as_flag` reads them, or a site's word for its visibility.

    Only what a site lists for everybody is public: not ``unlisted``, nor what wants an account or a payment.

    Raises:
        CellError: It is none of them.
    """
    word = str(value)[:40].strip().lower().replace(" ", "_").replace("-", "_")
    if word == "public" or word in NOT_PUBLIC:
        return word == "public"
    return as_flag(value)


def as_duration(value: Any) -> float | None:
    """Seconds: a number, ``12:34``, ``00:12:34.5``, ``PT12M34S``, ``12m34s``, ``12 min 34 s``.

    Raises:
        CellError: It is none of these, or no number from 0 to `MAX_DURATION`.
    """
    seconds = _seconds(value)
    if seconds is None:
        return None
    if not 0 <= seconds <= MAX_DURATION:
        raise CellError("must be a number of seconds, not negative")
    return seconds


def _seconds(value: Any) -> float | None:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.time):
        return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise CellError("must be a number of seconds or a time such as 00:12:34")
    if not isinstance(value, str):
        return float(value)
    text = value[:100].strip().lstrip("~\u2248").strip()
    if text.lower() in _words("unknown"):
        return None
    if re.fullmatch(
        r"[+-]?\d{1,15}(?:[.,]\d{1,2})?|[+-]?\d{1,15}\.\d+(?:e[+-]?\d{1,3})?|\d{1,15}e[+-]?\d{1,3}", text, re.I
    ):
        return float(text.replace(",", "."))
    if clock := _CLOCK.fullmatch(text):
        days, hours, minutes, secs, part = clock.groups()
        if int(secs) < 60 and (hours is None or int(minutes) < 60):
            fraction = float(f"0.{part}") if part else 0.0
            return int(days or 0) * 86400 + int(hours or 0) * 3600 + int(minutes) * 60 + int(secs) + fraction
    if (iso := _ISO.fullmatch(text)) and any(iso.groups()):
        parts = [float((part or "0").replace(",", ".")) for part in iso.groups()]
        return sum(n * unit for n, unit in zip(parts, (604800, 86400, 3600, 60, 1), strict=True))
    if (added := _added(text.lower())) is not None:
        return added
    raise CellError("is no duration: seconds, 00:12:34, PT12M34S or 12 min 34 s")


def _added(text: str) -> float | None:
    """The sum of amounts with units, largest unit first; ``None`` if the text is anything else."""
    total, place, last = 0.0, 0, math.inf
    while place < len(text):
        match = _AMOUNT.match(text, place)
        if match is None:
            return None
        name = match[2]
        unit = _UNITS.get(name) or _UNITS.get(name.removesuffix("s")) or _UNITS.get(name.removesuffix("n"))
        if unit is None or unit >= last:
            return None
        total += float(match[1].replace(",", ".")) * unit
        place, last = match.end(), unit
    return total if place else None


def as_side(value: Any) -> int | None:
    """A width or height in pixels.

    Raises:
        CellError: It is no whole number from 1 to `MAX_SIDE`.
    """
    if isinstance(value, str):
        text = value[:40].strip().lower().removesuffix("px").strip()
        if text in _words("unknown"):
            return None
        if lines := _LINES.fullmatch(text):
            text = lines[1]
        value = float(text) if re.fullmatch(r"\d{1,12}(?:[.,]0*)?", text.replace(",", ".")) else math.nan
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value <= MAX_SIDE
        or value != int(value)
    ):
        raise CellError(f"must be a whole number from 1 to {MAX_SIDE}")
    return int(value)


def as_resolution(value: Any) -> tuple[int | None, int | None]:
    """Width and height: ``1280x720``, ``[1280, 720]``; of ``720p``, ``HD`` and their like the height alone.

    Raises:
        CellError: It is none of these.
    """
    if isinstance(value, str):
        text = " ".join(value[:60].lower().split())
        if text in _words("unknown") or text == "audio only":
            return None, None
        if text in _SIZES:
            return _SIZES[text]
        if lines := _LINES.fullmatch(text):
            return None, as_side(int(lines[1]))
        if sides := _SIDES.fullmatch(text):
            return as_side(int(sides[1])), as_side(int(sides[2]))
        if text.isascii() and text.isdigit() and len(text) <= 5:
            return None, as_side(int(text))
    elif isinstance(value, dict) and {"width", "height"} <= value.keys():
        return as_side(value["width"]), as_side(value["height"])
    elif isinstance(value, list | tuple) and len(value) == 2:
        return as_side(value[0]), as_side(value[1])
    elif isinstance(value, int | float):
        return None, as_side(value)
    raise CellError("must be WIDTHxHEIGHT, [width, height] or a height such as 720p")
