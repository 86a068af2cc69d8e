"""Rules for text that reads like a date.

A date has a year. Times of day, timecodes, durations, fractions, versions and addresses of machines are not dates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curate.privacy.text import LETTER, Found, fold

_NAMES = """
january jan february feb march mar april apr may june jun july jul august aug september sept sep october oct
november nov december dec
januar jaenner jänner februar märz maerz mär mai juni juli oktober okt dezember dez
janvier janv février févr fév mars avril avr juin juillet juil août septembre octobre novembre décembre déc
enero ene febrero marzo abril abr mayo junio julio agosto ago septiembre setiembre set octubre noviembre diciembre dic
gennaio genn gen febbraio febbr aprile maggio mag giugno giu luglio lug settembre sett ottobre ott novembre dicembre
janeiro fevereiro março maio junho julho setembro outubro out novembro dezembro
januari februari maart mrt mei augustus
ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık
января янв февраля фев марта мар апреля апр мая май июня июн июля июл августа авг сентября сен октября окт ноября ноя
декабря дек
styczeń stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
"""
"""Months in English, German, French, Spanish, Italian, Portuguese, Dutch, Turkish, Russian and Polish."""

MONTHS = frozenset(fold(name) for name in _NAMES.split())
"""Names of months as `fold` leaves them."""

_WORDS_TOO = frozenset(["set", "out", "ago", "mar", "dec", "gen", "mag", "sept"])
"""Months that are also words or abbreviations: with a year of two digits only if hyphens, slashes or dots join them or
an apostrophe marks the year."""

_MONTH = "(?P<month>" + "|".join(sorted(map(re.escape, MONTHS), key=len, reverse=True)) + ")"
_YEAR = r"(?:19|20)\d\d"
_TIME = r"[T ]?\d{1,2}[:.h]\d\d"
_ENDS = rf"(?=$|[^\d]|{_TIME})"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|o|º|ª)?"

_YEAR_FIRST = re.compile(
    rf"(?<![\d.])(?P<y>{_YEAR})\s?(?P<s>[-/._–])\s?(?P<a>\d{{1,2}})\s?(?P=s)\s?(?P<b>\d\d?){_ENDS}"
)
_YEAR_LAST = re.compile(
    rf"(?<![\d])(?<!\d[./-])(?<![vV]\.)(?<![vV])(?P<a>\d{{1,2}})\s?(?P<s>[-/._–])\s?(?P<b>\d{{1,2}})\s?(?P=s)\s?"
    rf"(?P<y>{_YEAR}|\d\d)(?![./-]\d){_ENDS}"
)
_SPACED = re.compile(rf"(?<![\d.:])(?P<a>\d\d?) (?P<b>\d\d?) (?P<y>{_YEAR})(?![\d.:])")
_COMPACT = re.compile(r"(?<!\d)(?:(?:19|20)\d\d(?P<m1>\d\d)(?P<d1>\d\d)|(?P<d2>\d\d)(?P<m2>\d\d)(?:19|20)\d\d)(?!\d)")
_CJK = re.compile(r"\d{4}\s?[年년]\s?\d{1,2}\s?[月월](?:\s?\d{1,2}\s?[日일号號])?")
_DAY_FIRST = re.compile(
    rf"(?<!\d){_DAY}(?P<s>[\s.,/_–-]|de\s|of\s)*(?<!{LETTER}){_MONTH}(?!{LETTER})"
    rf"(?P<t>[\s.,/_–'’-]|del?\s)*(?P<y>{_YEAR}|\d\d){_ENDS}"
)
_MONTH_FIRST = re.compile(rf"(?<!{LETTER}){_MONTH}(?!{LETTER})[\s./_–-]*{_DAY}[\s.,/_–'’-]+(?P<y>{_YEAR}){_ENDS}")
_YEAR_MONTH_DAY = re.compile(rf"(?<!\d){_YEAR}[\s.,/_–-]*(?<!{LETTER}){_MONTH}(?!{LETTER})[\s./_–-]*{_DAY}(?!\d)")
_MONTH_YEAR = re.compile(rf"(?<!{LETTER}){_MONTH}(?!{LETTER})(?:[\s.,/_–'’-]|del?\s)*{_YEAR}{_ENDS}")


def find_dates(text: str) -> Iterator[Found]:
    """Dates in a line of text, in no particular order; they may overlap.

    Args:
        text: As `curate.privacy.text.plain` leaves it.
    """
    for match in _YEAR_FIRST.finditer(text):
        if _is_day(match["a"], match["b"]):
            yield Found("date", *match.span(), "year-first")
    for pattern, rule in ((_YEAR_LAST, "year-last"), (_SPACED, "spaced")):
        for match in pattern.finditer(text):
            if _is_day(match["a"], match["b"]):
                yield Found("date", *match.span(), rule)
    for match in _COMPACT.finditer(text):
        month, day = int(match["m1"] or match["m2"]), int(match["d1"] or match["d2"])
        if 1 <= month <= 12 and 1 <= day <= 31:
            yield Found("date", *match.span(), "eight-digits")
    for match in _CJK.finditer(text):
        yield Found("date", *match.span(), "cjk")
    yield from _with_month(fold(text))


def _with_month(folded: str) -> Iterator[Found]:
    for match in _DAY_FIRST.finditer(folded):
        between = folded[match.end("day") : match.start("month")], folded[match.end("month") : match.start("y")]
        short = len(match["y"]) == 2
        joined = all(set(part) & set("-/._–") for part in between) or bool(set(between[1]) & set("'’"))
        if 1 <= int(match["day"]) <= 31 and not (short and match["month"] in _WORDS_TOO and not joined):
            yield Found("date", *match.span(), "month-name")
    for pattern in (_MONTH_FIRST, _YEAR_MONTH_DAY):
        for match in pattern.finditer(folded):
            if 1 <= int(match["day"]) <= 31:
                yield Found("date", *match.span(), "month-name")
    for match in _MONTH_YEAR.finditer(folded):
        yield Found("date", *match.span(), "month-year")


def _is_day(a: str, b: str) -> bool:
    """Whether two numbers are a day and a month in some order."""
    small, large = sorted((int(a), int(b)))
    return 1 <= small <= 12 and large <= 31
