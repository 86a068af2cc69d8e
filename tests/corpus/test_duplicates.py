from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.config import RANKS, DedupOptions
from curate.corpus.duplicates import Cut, DuplicateGroup, duplicate_groups, kind_of
from curate.errors import BadArtefact, CurateError
from curate.workspace.tables.duplicates import Match, read_fingerprint, read_matches, write_matches

OPTIONS = DedupOptions()


def match(
    a: str,
    b: str,
    span_a: tuple[float, float],
    span_b: tuple[float, float],
    *,
    seconds: tuple[float, float] = (100.0, 100.0),
    pixels: tuple[int, int] = (1000, 1000),
    score: float = 0.9,
) -> Match:
    """A stretch of two videos of some seconds and pixels; the videos are put in order."""
    if a > b:
        return match(b, a, span_b, span_a, seconds=seconds[::-1], pixels=pixels[::-1], score=score)
    length = span_a[1] - span_a[0]
    frames = round(length)
    return Match(
        *(a, b, *span_a, *span_b, span_b[0] - span_a[0], length, False, frames, frames, frames),
        *((1 - score) * 128, score, None, *seconds, *pixels),
    )


def whole(a: str, b: str, *, pixels: tuple[int, int] = (1000, 1000), score: float = 0.9) -> Match:
    return match(a, b, (0.0, 100.0), (0.0, 100.0), pixels=pixels, score=score)


def test_of_two_that_are_the_same_the_one_with_more_pixels_stays() -> None:
    (group,) = duplicate_groups([whole("a", "b", pixels=(900, 1600))], OPTIONS)
    assert group == DuplicateGroup(("a", "b"), ("b",), {"a": "b"})


def test_the_order_of_the_ranking_decides_and_the_id_at_last() -> None:
    pair = match("a", "b", (0, 95), (0, 95), seconds=(100, 95), pixels=(900, 1600))
    ranked = {
        rank: duplicate_groups([pair], dataclasses.replace(OPTIONS, rank=rank))[0].kept
        for rank in (("resolution",), ("seconds", "resolution"), ("id",), ())
    }
    assert ranked == {("resolution",): ("b",), ("seconds", "resolution"): ("a",), ("id",): ("a",), (): ("a",)}


def test_a_source_that_is_named_goes_before_one_that_is_not() -> None:
    options = dataclasses.replace(OPTIONS, rank=("source",), sources=("lemon", "gensurgery"))
    named = {"a": "elsewhere", "b": "gensurgery", "c": "lemon"}
    (group,) = duplicate_groups([whole("a", "b"), whole("b", "c")], options, named)
    assert group.lost == {"a": "c", "b": "c"}


def test_an_excerpt_is_left_out_even_if_it_is_sharper() -> None:
    found = match("long", "short", (50, 60), (0, 10), seconds=(100, 10), pixels=(100, 5000))
    (group,) = duplicate_groups([found], OPTIONS)
    assert kind_of([found], OPTIONS) == "excerpt"
    assert group == DuplicateGroup(("long", "short"), ("long",), {"short": "long"})


def test_an_excerpt_of_an_excerpt_loses_to_the_longest() -> None:
    pairs = [
        match("a", "b", (10, 60), (0, 50), seconds=(100, 50)),
        match("b", "c", (10, 30), (0, 20), seconds=(50, 20)),
    ]
    (group,) = duplicate_groups(pairs, OPTIONS)
    assert group.kept == ("a",) and group.lost == {"b": "a", "c": "a"}


@pytest.mark.parametrize(
    ("overlap", "kept", "lost", "cuts"),
    [
        ("cut", ("b", "a"), {}, {"a": (Cut(70, 100, "b"),)}),
        ("keep", ("b", "a"), {}, {}),
        ("drop", ("b",), {"a": "b"}, {}),
    ],
)
def test_two_that_share_a_part_follow_the_policy(overlap, kept, lost, cuts) -> None:
    shared = match("a", "b", (70, 100), (0, 30), pixels=(900, 1600))
    (group,) = duplicate_groups([shared], dataclasses.replace(OPTIONS, overlap=overlap))
    assert group == DuplicateGroup(("a", "b"), kept, lost, cuts)


def test_stretches_of_one_pair_count_together_and_once() -> None:
    parts = [
        match("a", "b", (0, 50), (0, 50)),
        match("a", "b", (50, 95), (52, 97)),
        match("a", "b", (10, 40), (11, 41)),
    ]
    assert kind_of(parts, OPTIONS) == "same"
    assert kind_of(parts[::2], OPTIONS) == "part"


def test_what_is_short_or_unlike_does_not_count() -> None:
    pairs = [match("a", "b", (0, 4), (0, 4)), whole("c", "d", score=0.3)]
    assert duplicate_groups(pairs, OPTIONS) == []
    assert len(duplicate_groups(pairs, dataclasses.replace(OPTIONS, seconds=3.0, score=0.2))) == 2


def test_an_unknown_rank_is_named() -> None:
    with pytest.raises(CurateError, match="'size' is not one of resolution, seconds, source, id"):
        duplicate_groups([], dataclasses.replace(OPTIONS, rank=("size",)))


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    matches = [whole("a", "b"), match("a", "c", (0, 10), (5, 15))._replace(similarity=0.5)]
    assert write_matches(tmp_path / "t.parquet", matches, "of these") == 2
    assert [one._replace(distance=0, score=0) for one in read_matches(tmp_path / "t.parquet")] == [
        one._replace(distance=0, score=0) for one in matches
    ]
    assert read_fingerprint(tmp_path / "t.parquet") == "of these"
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(BadArtefact):
        list(read_matches(tmp_path / "t.parquet"))


VIDEOS = "abcdefgh"


@st.composite
def corpora(draw: st.DrawFn) -> list[Match]:
    """Matches among a few videos, each of one length and size, with stretches that lie inside of them."""
    lengths = {video: draw(st.integers(5, 60)) for video in VIDEOS}
    pixels = {video: draw(st.integers(1, 3)) * 1000 for video in VIDEOS}
    found = []
    for _ in range(draw(st.integers(0, 12))):
        a, b = sorted(draw(st.lists(st.sampled_from(VIDEOS), min_size=2, max_size=2, unique=True)))
        length = draw(st.integers(3, min(lengths[a], lengths[b])))
        start_a, start_b = draw(st.integers(0, lengths[a] - length)), draw(st.integers(0, lengths[b] - length))
        spans = (float(start_a), float(start_a + length)), (float(start_b), float(start_b + length))
        score = draw(st.floats(0, 1))
        one = match(a, b, *spans, seconds=(lengths[a], lengths[b]), pixels=(pixels[a], pixels[b]), score=score)
        found.append(one)
    return found


@st.composite
def policies(draw: st.DrawFn) -> DedupOptions:
    return DedupOptions(
        seconds=draw(st.sampled_from([1.0, 5.0, 20.0])),
        score=draw(st.sampled_from([0.0, 0.4, 0.8])),
        contained=draw(st.sampled_from([0.5, 0.9, 1.0])),
        overlap=draw(st.sampled_from(["cut", "keep", "drop"])),
        rank=tuple(draw(st.permutations(RANKS))),
    )


@given(corpora(), policies(), st.integers(0, 1 << 30))
def test_groups_do_not_depend_on_the_order_of_the_pairs(matches: list[Match], options: DedupOptions, seed: int) -> None:
    shuffled = [*matches, *matches[:2]]
    random.Random(seed).shuffle(shuffled)
    assert duplicate_groups(shuffled, options) == duplicate_groups(matches, options)


@given(corpora(), policies())
def test_whoever_loses_loses_to_one_that_stays(matches: list[Match], options: DedupOptions) -> None:
    groups = duplicate_groups(matches, options)
    named = [video for group in groups for video in group.members]
    assert len(named) == len(set(named))
    for group in groups:
        assert len(group.members) > 1 and group.kept
        assert sorted([*group.kept, *group.lost]) == list(group.members)
        assert set(group.lost.values()) <= set(group.kept)
        assert group.cuts.keys() <= set(group.kept)
        assert group.kept[0] not in group.cuts, "nobody is better than the best"
        for video, cuts in group.cuts.items():
            assert all(cut.kept in group.kept and cut.kept != video and cut.start < cut.end for cut in cuts)


@given(corpora(), policies())
def test_of_videos_that_are_all_the_same_exactly_one_stays(matches: list[Match], options: DedupOptions) -> None:
    wholes = [whole(one.a, one.b, pixels=(one.pixels_a, one.pixels_b)) for one in matches]
    for group in duplicate_groups(wholes, options):
        assert len(group.kept) == 1 and not group.cuts


@given(corpora(), policies(), st.sampled_from(["seconds", "score"]), st.floats(0, 1))
def test_a_higher_threshold_only_parts_groups(
    matches: list[Match], options: DedupOptions, name: str, more: float
) -> None:
    stricter = dataclasses.replace(options, **{name: getattr(options, name) + more})
    of = {video: group.members for group in duplicate_groups(matches, options) for video in group.members}
    for group in duplicate_groups(matches, stricter):
        assert set(group.members) <= set(of[group.members[0]])


@given(corpora(), policies())
def test_deciding_again_among_those_that_stay_drops_nobody_more(matches: list[Match], options: DedupOptions) -> None:
    kept = {video for group in duplicate_groups(matches, options) for video in group.kept}
    again = [one for one in matches if one.a in kept and one.b in kept]
    assert not any(group.lost for group in duplicate_groups(again, options))
