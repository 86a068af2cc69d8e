"""Text as the rules see it, and what they find in it."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple

Kind = Literal["name", "date", "identifier"]

LETTER = r"[^\W\d_]"
"""Any letter, in regular expressions."""

_CONFUSED = str.maketrans({"O": "0", "o": "0", "I": "1", "l": "1", "|": "1"})
_DIGITS = re.compile(r"(?<![^\W\d_])[\dOoIl|]+(?![^\W\d_])")


class Found(NamedTuple):
    """A stretch of text that may identify somebody.

    Attributes:
        kind: What it reads like.
        start: First character.
        end: One past the last character.
        rule: Which rule says so.
    """

    kind: Kind
    start: int
    end: int
    rule: str


def plain(text: str) -> str:
    """Text with compatibility forms (full width, ligatures), odd blanks and confused digits set right.

    In groups of digits without other letters, ``O`` is read as 0 and ``l``, ``I`` and ``|`` as 1.
    """
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    return _DIGITS.sub(lambda m: m[0].translate(_CONFUSED) if any(c.isdigit() for c in m[0]) else m[0], text)


def fold(text: str) -> str:
    """Lower case without accents, character by character, so that places in it are places in ``text``."""
    return "".join(_fold(character) for character in text)


def _fold(character: str) -> str:
    if character == "ı":  # Turkish, whose capital is read as that of i elsewhere
        return "i"
    parts = unicodedata.normalize("NFD", character.lower())
    bare = "".join(part for part in parts if not unicodedata.combining(part))
    return bare if len(bare) == 1 else character


def redact(text: str) -> str:
    """The shape of a text: ``A`` for a capital, ``a`` for another letter, ``9`` for a digit, the rest as it is."""
    return "".join(_shape(character) for character in text)


def _shape(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character if character.isascii() else "?"
