from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.files.text import PrintableFormatter, printable

STEERING = "a\x1b[31mred\x1b[0m\x1b]0;title\x07 \u202egnp.exe \x9b2J\rb\n\x00c\u2066\ud800"


@pytest.mark.parametrize("lines", [False, True])
def test_nothing_in_a_text_steers_a_terminal(lines: bool) -> None:
    shown = printable(STEERING, lines=lines)
    assert shown.replace("\n", "").isprintable()
    assert shown.startswith("ared") and "gnp.exe" in shown
    assert ("\n" in shown) == lines


@given(st.text(), st.integers(1, 100))
def test_a_line_is_short_and_printable(text: str, limit: int) -> None:
    line = printable(text, limit)
    assert line.isprintable() and len(line) <= limit


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1))
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert printable(text) == printable(text, lines=True) == text


def test_tables_keep_their_columns() -> None:
    assert printable("a   b\n\tc", lines=True) == "a   b\n\tc"


def test_log_records_are_printable() -> None:
    record = logging.LogRecord("curate", logging.WARNING, "", 0, "%s", (STEERING,), None)
    assert PrintableFormatter().format(record).replace("\n", "").isprintable()
