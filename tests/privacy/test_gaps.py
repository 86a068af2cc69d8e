"""Findings that a detector lost for moments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curate.privacy.gaps import LONGEST, fill_gaps
from curate.records import Finding

FACE = Finding("face", 0.9, 100, 50, 140, 100, "", "centerface")


def moved(finding: Finding, x: int, score: float = 0.9) -> Finding:
    return finding._replace(x1=finding.x1 + x, x2=finding.x2 + x, score=score)


def filled(found: dict[int, list[Finding]], count: int) -> dict[int, list[Finding]]:
    return dict(fill_gaps((n, list(found.get(n, []))) for n in range(count)))


def test_a_gap_is_filled_with_the_hull_of_what_is_around_it():
    after = moved(FACE, 6, 0.5)
    result = filled({2: [FACE], 5: [after]}, 8)
    between = Finding("face", 0.5, 100, 50, 146, 100, "", "between")
    assert result == {0: [], 1: [], 2: [FACE], 3: [between], 4: [between], 5: [after], 6: [], 7: []}


@given(st.integers(1, 10))
def test_only_short_gaps_are_filled(gap):
    result = filled({0: [FACE], gap + 1: [FACE]}, gap + 2)
    assert all(bool(result[n]) == (gap <= LONGEST) for n in range(1, gap + 1))


def test_the_length_of_a_gap_counts_frames_that_were_not_looked_at():
    far = LONGEST + 2
    assert list(fill_gaps([(0, [FACE]), (1, []), (far, [FACE])])) == [(0, [FACE]), (1, []), (far, [FACE])]


def test_things_of_another_kind_or_place_are_not_joined():
    date = FACE._replace(kind="date", pattern="99.99.9999", model="year-last")
    for other in (date, moved(FACE, 30)):
        assert filled({0: [FACE], 2: [other]}, 3)[1] == []


findings = st.builds(
    lambda kind, x, y, size, score: Finding(kind, score, x, y, x + size, y + size, "", "m"),
    st.sampled_from(["face", "name"]),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(20, 60),
    st.floats(0, 1),
)


@given(st.dictionaries(st.integers(0, 30), st.lists(findings, max_size=4)))
def test_what_was_found_stays_and_nothing_grows_beyond_it(found):
    frames = sorted(found.items())
    result = list(fill_gaps((n, list(own)) for n, own in frames))
    assert [n for n, _ in result] == [n for n, _ in frames]
    for n, own in result:
        assert set(found[n]) <= set(own)
        for added in set(own) - set(found[n]):
            near = [one for m, those in frames if 0 < abs(m - n) <= LONGEST and m != n for one in those]
            near = [one for one in near if one.kind == added.kind]
            assert added.model == "between"
            for side in ("x1", "y1", "x2", "y2"):
                assert getattr(added, side) in {getattr(one, side) for one in near}
