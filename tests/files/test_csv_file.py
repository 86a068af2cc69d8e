import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.files.csv_file import csv_text, guarded, read_csv, unguarded

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\N{FULLWIDTH EQUALS SIGN}1",
    "-bC_dEf0hIj",
    "'=1",
    "''-x",
]
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20) | st.sampled_from(
    FORMULAS
)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_starts_a_formula_and_all_are_read_back(text):
    (_, row) = csv.reader(io.StringIO(csv_text(["a", "b"], [[text, "x"]]), newline=""))
    assert row[0][0] not in "=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}"
    assert unguarded(row[0]) == text


@given(CELL)
def test_guarding_is_undone(text):
    assert unguarded(guarded(text)) == text
    assert guarded(text) == text or guarded(text) == f"'{text}"


@given(st.lists(st.tuples(CELL, CELL), max_size=5))
def test_what_is_written_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("c") / "t.csv"
    path.write_text(csv_text(["a", "b"], rows), encoding="utf-8", newline="")
    read = [(row["a"], row["b"]) for _, row in read_csv(path, ["a", "b"], "table")]
    assert read == rows


def test_numbers_stay_numbers():
    assert csv_text(["a", "b", "c", "d"], [[-1.5, None, True, 3]]) == "a,b,c,d\n-1.5,,true,3\n"
