"""Rules for text that reads like an identifier: of a patient, a case or an examination, a telephone number, an address.

A label followed by a value is an identifier, and so are forms that speak for themselves: e-mail addresses, telephone
numbers, DICOM identifiers, long runs of digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curate.privacy.text import LETTER, Found, fold

_NUMBER = r"(?:no|nr|num|number|nummer|numero|#|№|n[o°º])"
_LABELS = (
    rf"(?:patient|pat|pt|case|fall|patienten|accession|acc|hosp(?:ital)?|reg(?:istration)?|record|file|chart|admission|"
    rf"aufnahme|exam(?:ination)?|study|series|specimen|insurance|nhs|cr|ip|op|opd|ipd|uhid|dossier|historia|expediente|"
    rf"cartella|protokoll|serial|ref(?:erence)?|id)[\s.-]{{0,3}}{_NUMBER}",
    r"(?:patient|patienten|pat|pt|case|study|exam|visit|hosp(?:ital)?|national|person(?:al)?|subject)[\s.-]?id",
    r"(?:fall|patienten|aufnahme|versicherten|dossier)[\s-]?(?:nr|nummer)",
    r"id|mrn|m\.r\.n|mrd|uhid|ssn|nhs|ipp|nip|nhc|hcn|pesel|bsn|cpf|dni|kvnr|protocol|protokol|病历号|住院号|患者id|登记号",
)
_LABELLED = re.compile(
    rf"(?<![^\W_])(?:{'|'.join(_LABELS)})(?P<gap>[\s.:=#]*)(?P<value>[a-z]{{0,4}}[\s-]?\d[\da-z]*(?:[-/.]\d[\da-z]*)*)"
)
_BIRTH = re.compile(
    r"(?<![^\W_])(?:d\.?\s?o\.?\s?b|date of birth|birth ?date|born|geb(?:oren|urtsdatum)?|ne\(?e?\)? le|"
    r"fecha de nacimiento|data di nascita|data de nascimento|dogum tarihi|дата рождения|出生日期|生年月日)[\s.:]*"
    r"(?P<value>\d[\d\s./-]+\d)"
)
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_PHONE = re.compile(
    r"(?<![\d.,:/-])(?:\+\s?\d{1,3}[\s./-]?(?:\(0\))?[\s./-]?(?:\(?\d{1,5}\)?[\s./-]?){1,5}\d{2,}"
    r"|\(\d{2,5}\)\s?\d{2,4}[\s.-]?\d{2,5}(?:[\s.-]?\d{2,4})?"
    r"|\d{3}-\d{3,4}-\d{4})(?![\d:])"
)
_CALLED = re.compile(
    r"(?<![^\W_])(?:tel(?:efon|ephone|efono)?|phone|mobile|mob|cell|fax|whats ?app|call)[\s.:=]*"
    r"(?P<value>[+(]?\d[\d\s()./-]{4,}\d)"
)
_DICOM = re.compile(r"(?<![\d.])[0-2](?:\.\d+){5,}(?![\d.])")
_LONG = re.compile(rf"(?<![\d.,:+-])(?<!{LETTER}\.)(?:{LETTER}{{1,4}}-?)?\d{{7,}}(?![\d:,])")
_SOCIAL = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")

LEAST_DIGITS = 3
"""Digits that a labelled value has at least; ``Case 3`` and ``ID 12`` tell nothing."""

PHONE_DIGITS = (7, 15)
"""Digits of a telephone number (E.164 allows fifteen)."""


def find_identifiers(text: str) -> Iterator[Found]:
    """Identifiers in a line of text, in no particular order; they may overlap.

    Args:
        text: As `curate.privacy.text.plain` leaves it.
    """
    folded = fold(text)
    for match in _LABELLED.finditer(folded):
        if _digits(match["value"]) >= LEAST_DIGITS:
            yield Found("identifier", *match.span(), "labelled")
    for match in _BIRTH.finditer(folded):
        yield Found("date", *match.span(), "birth")
    for match in _CALLED.finditer(folded):
        if PHONE_DIGITS[0] <= _digits(match["value"]) <= PHONE_DIGITS[1]:
            yield Found("identifier", *match.span(), "telephone")
    for match in _PHONE.finditer(text):
        if PHONE_DIGITS[0] <= _digits(match[0]) <= PHONE_DIGITS[1]:
            yield Found("identifier", *match.span(), "telephone")
    for pattern, rule in ((_MAIL, "mail"), (_DICOM, "dicom"), (_SOCIAL, "social-security"), (_LONG, "seven-digits")):
        for match in pattern.finditer(text):
            yield Found("identifier", *match.span(), rule)


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)
