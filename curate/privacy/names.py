"""Rules for text that reads like the name of a person.

Names are known by what stands with them: a title before them, a degree behind them, a label (``Patient:``), or the
order of a register (``Last, First``). A bare name without any of these is not recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from curate.privacy.text import LETTER, Found, fold

_WORD = rf"{LETTER}+(?:['’`-]{LETTER}+)*"
_PARTICLE = r"(?:de|den|der|del|della|di|da|das|dos|du|des|la|le|el|al|van|von|vom|zu|zur|ter|ten|bin|ibn|abu|st)\.?"
_TOKEN = re.compile(rf"{_WORD}\.?")

_TITLES = (
    r"(?:(?i:dr|prof|professor|mr|mrs|herr|frau|mme|mlle|dott(?:\.?ssa)?|docteur|doktor|doctor|dra|professeur|"
    r"profesor|surgeon|sir|доктор|проф)\b\.?|(?:Dr|Prof)(?=[A-ZÀ-Þ])|(?:Ms|Miss|Hr|Fr|Sr|Sra|M|Op|Assoc|Assist|Doc|Uzm)\.)"
)
_CHAIN = r"(?:\s*(?:med|dent|univ|habil|h\.?\s?c|rer|nat|ssa|assoc|prof|dr)\b\.?)*"
_TITLED = re.compile(rf"(?<!{LETTER}){_TITLES}(?i:{_CHAIN})\s*")

_DEGREE = re.compile(
    rf"(?P<gap>\s*,\s*|\s+)(?P<degree>M\.?\s?D\.?|Ph\.?\s?D\.?|F\.?A\.?C\.?S\.?|F\.?R\.?C\.?S\.?(?:\s?\(?[A-Z][a-z]{{0,3}}\)?)?|"
    rf"MBBS|M\.B\.B\.S\.?|MRCS|FRCOG|FACOG|FASCRS|FASMBS|FICS|FEBS|DNB|M\.?Ch\.?|DMD|DDS|MS|DO|RN|MSc|MBA|MPH)(?!{LETTER})"
)
_NEEDS_COMMA = frozenset(["MS", "DO", "RN", "MSc", "MBA", "MPH"])

_LABELS = (
    r"patient(?:in)?(?:'?s)?(?: name)?|pat|pt|name|full name|surname|family name|first name|last name|given name|"
    r"nom|prenom|nombre|apellidos?|nome|cognome|paziente|paciente|nachname|vorname|naam|adi? soyadi?|hasta|isim|"
    r"surgeons?|chirurg(?:ien|o)?|cirujano|operateur|operator|operador|assistants?|assistent|an(?:a?e)sthetist|"
    r"an(?:a?e)sthesiologist|physician|doctor|arzt|medico|nurse|presenters?|presented by|speakers?|authors?|"
    r"performed by|operated by|edited by|narrated by|narrator|moderators?|consultant|referring|"
    r"пациент(?:ка)?|фио|ф\.и\.о|хирург|врач|姓名|患者|病人|氏名|이름|환자|医师|医生|术者|手术者"
)
_LABELLED = re.compile(rf"(?<![^\W_])(?:{_LABELS})(?:\(s\))?\.?\s*[:=]\s*")
_BY = re.compile(
    r"(?<![^\W_])(?:(?:presented|performed|operated|edited|narrated|created|prepared|video|filmed) )?by\s*[:]?\s*"
)

_REGISTER = re.compile(rf"^\W*(?P<last>{_WORD}(?:[ -]{_WORD})?)\s?,\s?(?={LETTER})")
_CARET = re.compile(rf"{_WORD}\^{_WORD}(?:\^{_WORD})*")

NAMES_TOO = frozenset(
    [
        "johnson",
        "white",
        "green",
        "black",
        "stone",
        "day",
        "wolf",
        "braun",
        "karl",
        "richard",
        "april",
        "june",
        "august",
    ]
)
"""Ordinary words that are names where a title or a label announces one: ``Green`` is a colour, and a surgeon."""

MOST_WORDS = 4
"""Words of a name at most."""

LONG_WORD = 3
"""Letters that the longest word of ``Last, First`` has at least."""


@cache
def ordinary() -> frozenset[str]:
    """Words of ``ordinary.txt``, which are no part of a name."""
    text = (Path(__file__).parent / "ordinary.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


def find_names(text: str) -> Iterator[Found]:
    """Names of persons in a line of text, in no particular order; they may overlap.

    Args:
        text: As `curate.privacy.text.plain` leaves it.
    """
    folded = fold(text)
    for match in _TITLED.finditer(text):
        end = _name(text, match.end(), least=1, announced=True)
        if end:
            yield Found("name", match.start(), end, "title")
    for match in _LABELLED.finditer(folded):
        end = _name(text, match.end(), least=1, capitals=False, announced=True)
        if end:
            yield Found("name", match.start(), _with_first(text, end), "label")
    for match in _BY.finditer(folded):
        end = _name(text, match.end(), least=2)
        if end:
            yield Found("name", match.start(), end, "by")
    for match in _DEGREE.finditer(text):
        if match["degree"] in _NEEDS_COMMA and "," not in match["gap"]:
            continue
        start = _name_before(text, match.start())
        if start is not None:
            yield Found("name", start, match.end(), "degree")
    register = _REGISTER.match(text)
    if register and (end := _end_of_register(text, register)):
        yield Found("name", register.start("last"), end, "register")
    for match in _CARET.finditer(text):
        yield Found("name", *match.span(), "caret")


def _name(text: str, start: int, *, least: int, capitals: bool = True, announced: bool = False) -> int | None:
    """End of the name that begins at ``start``; ``None`` if there is none of at least ``least`` words.

    Where a name is ``announced``, ordinary words that are `NAMES_TOO` belong to it if they begin large.
    """
    words, end, place = 0, None, start
    while words < MOST_WORDS and (match := _TOKEN.match(text, place)):
        word = match[0].rstrip(".")
        if re.fullmatch(_PARTICLE, fold(match[0])) and words + 1 < MOST_WORDS and not _is_last(text, match.end()):
            place = _skip(text, match.end())
            continue
        large = _begins_large(word)
        no_name = _is_ordinary(word) and not (announced and large and fold(word) in NAMES_TOO)
        if no_name or (not large and (capitals or len(word) == 1)):
            break
        words, end = words + 1, match.end()
        place = _skip(text, match.end())
    if end is None or words < least:
        return None
    return end if any(len(m[0].rstrip(".")) > 1 for m in _TOKEN.finditer(text[start:end])) or least == 1 else None


def _with_first(text: str, end: int) -> int:
    """End of a name with the first name that may follow after a comma."""
    comma = re.compile(r"\s?,\s?").match(text, end)
    return (comma and _name(text, comma.end(), least=1)) or end


def _name_before(text: str, end: int) -> int | None:
    """Start of the name of at least two words that ends at ``end``."""
    words, start = 0, None
    for match in reversed(list(_TOKEN.finditer(text, 0, end))):
        between = text[match.end() : end if start is None else start]
        word = match[0].rstrip(".")
        if between.strip() or words == MOST_WORDS or _is_ordinary(word) or not _begins_large(word):
            break
        words, start = words + 1, match.start()
    return start if words >= 2 else None


def _end_of_register(text: str, match: re.Match[str]) -> int | None:
    """End of ``Last, First``; ``None`` if a word is ordinary or small, or if the line goes on in plain words."""
    last = _TOKEN.findall(match["last"])
    end = _name(text, match.end(), least=1)
    if end is None or any(_is_ordinary(word) or not _begins_large(word) for word in last):
        return None
    if max(map(len, [*last, *_TOKEN.findall(text[match.end() : end])])) < LONG_WORD:
        return None
    rest = text[end:]
    return end if any(c.isdigit() for c in rest) or not any(c.isalpha() for c in rest) else None


def _is_ordinary(word: str) -> bool:
    return len(word) > 1 and fold(word.rstrip(".")) in ordinary()


def _begins_large(word: str) -> bool:
    """Whether a word begins with a capital, or with a letter of a script that has none."""
    return word[0].isupper() or (word[0].isalpha() and word[0].upper() == word[0].lower())


def _is_last(text: str, place: int) -> bool:
    return _TOKEN.match(text, _skip(text, place)) is None


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] == " ":
        place += 1
    return place
