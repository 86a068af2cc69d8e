from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import CurateError
from curate.files.digest import DigestOfMany, digest, sha256_of

values = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2)


@given(
    st.dictionaries(st.text(), values, max_size=5),
    st.text(),
    st.lists(st.from_regex("[0-9a-f]{32}", fullmatch=True), min_size=1),
)
def test_digests_of_many_are_the_same_as_one_by_one(base: dict[str, object], key: str, fingerprints: list[str]) -> None:
    assert DigestOfMany(base, key).of(fingerprints) == digest({**base, key: fingerprints})


@given(st.dictionaries(st.text(), values, max_size=5), st.text(), st.lists(values))
def test_so_are_those_of_any_other_list(base: dict[str, object], key: str, listed: list[object]) -> None:
    assert DigestOfMany(base, key).of_any(listed) == digest({**base, key: listed})


def test_no_checksum_of_what_never_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "weights.pth")
    for path in (tmp_path / "weights.pth", Path("/dev/zero")):
        with pytest.raises(CurateError, match=f"cannot read {path}: is not a file"):
            sha256_of(path)
