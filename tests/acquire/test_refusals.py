"""The table of wordings: every sentence that was seen leads to its reason, however it is spelt."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from curate.acquire.refusals import Refusal, Wording, read_refusals, shipped_refusals
from curate.errors import CurateError
from curate.records import Reason

CASES = [(refusal, wording) for refusal in shipped_refusals().refusals for wording in refusal.wordings]


def spellings(text: str) -> list[str]:
    return [
        text,
        text.upper(),
        text.lower(),
        text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}"),
        text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"),
        text.replace("'", "\N{MODIFIER LETTER APOSTROPHE}").replace(" ", "\N{NO-BREAK SPACE}"),
        text.replace(" ", "  \n"),
        f"ERROR: [youtube] dQw4w9WgXcQ: {text}",
        f"\x1b[0;31mERROR:\x1b[0m [youtube+GetPOT] captcha: {text}",
        f"[generic] {text}",
    ]


@pytest.mark.parametrize(("refusal", "wording"), CASES, ids=lambda value: getattr(value, "text", "")[:60])
def test_every_wording_leads_to_its_reason_in_any_spelling(refusal: Refusal, wording: Wording) -> None:
    for text in spellings(wording.text):
        assert shipped_refusals().reason_of(text) is refusal.reason, text


def test_the_table_is_large_and_dated_and_every_pattern_is_needed() -> None:
    table = shipped_refusals()
    assert len(table.wordings) >= 140
    assert all(date(2010, 1, 1) < wording.seen <= date.today() and wording.source for wording in table.wordings)
    assert len({refusal.reason for refusal in table.refusals}) == len(table.refusals)


@pytest.mark.parametrize("text", ["", "Unable to extract yt initial data", "Private", "x" * 100_000, "\x00\ud800"])
def test_what_says_nothing_known_has_no_reason(text: str) -> None:
    assert shipped_refusals().reason_of(text) is None


def test_the_first_entry_decides(tmp_path: Path) -> None:
    path = tmp_path / "refusals.toml"
    wording = '{{ seen = 2026-01-02, source = "s", text = "t" }}'
    entry = f'[[refusal]]\nreason = "{{}}"\npatterns = ["{{}}"]\nwordings = [{wording}]\n'
    path.write_text(entry.format("geo", "court") + entry.format("removed", "."))
    table = read_refusals(path)
    assert table.reason_of("A Court") is Reason.GEO and table.reason_of("else") is Reason.REMOVED
    assert table.newest == date(2026, 1, 2)


@pytest.mark.parametrize(
    "text",
    [
        "[[refusal]]\n",
        '[[refusal]]\nreason = "odd"\npatterns = []\nwordings = []\n',
        '[[refusal]]\nreason = "geo"\npatterns = ["("]\nwordings = []\n',
        '[[refusal]]\nreason = "geo"\npatterns = "x"\nwordings = []\n',
        '[[refusal]]\nreason = "geo"\npatterns = []\nwordings = [{ seen = "may", source = "s", text = "t" }]\n',
        "",
        "[",
    ],
)
def test_a_broken_table_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "refusals.toml").write_text(text)
    with pytest.raises(CurateError, match=r"refusals\.toml"):
        read_refusals(tmp_path / "refusals.toml")
