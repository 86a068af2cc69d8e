from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.config import DedupOptions
from curate.corpus import matching
from curate.corpus.duplicates import is_accepted, kind_of
from curate.corpus.matching import Signed, find_matches, make_index
from curate.corpus.stills import beyond_cap, scenes
from curate.errors import BadArtefact
from curate.vision.perceptual_hash import distances
from curate.workspace.tables.duplicates import Match
from curate.workspace.tables.signatures import Signature
from tests.corpus.signatures import codes, flipped, signature, written

OPTIONS = DedupOptions()


def found(folder: Path, **signatures: Signature) -> list[Match]:
    paths = written(folder, **signatures)
    return find_matches([Signed(path.stem, path) for path in paths], OPTIONS)


def accepted(folder: Path, **signatures: Signature) -> list[Match]:
    return [match for match in found(folder, **signatures) if is_accepted(match, OPTIONS)]


def test_a_copy_an_excerpt_and_a_stranger(tmp_path: Path) -> None:
    long = codes(1, 120)
    matches = accepted(
        tmp_path,
        long=signature(long),
        copy=signature(flipped(long, 20), size=(1280, 720)),
        part=signature(flipped(long[40:50], 30), start=100.0),
        other=signature(codes(2, 120)),
    )
    by_pair = {(match.a, match.b): match for match in matches}
    assert set(by_pair) == {("copy", "long"), ("long", "part"), ("copy", "part")} and len(matches) == 3
    copy, part = by_pair["copy", "long"], by_pair["long", "part"]
    assert (copy.start_a, copy.end_a, copy.offset, copy.matched, copy.frames) == (0.0, 120.0, 0.0, 120, 120)
    assert (copy.distance, copy.pixels_a, copy.pixels_b, copy.mirrored) == (20.0, 921600, 230400, False)
    assert (part.start_a, part.end_a, part.start_b, part.end_b) == (40.0, 50.0, 100.0, 110.0)
    assert (part.offset, part.seconds_a, part.seconds_b, part.matched_seconds) == (60.0, 120.0, 10.0, 10.0)


def test_mirrored_cropped_and_wholly_framed_copies_are_found(tmp_path: Path) -> None:
    whole, mirror, crop, frame = (codes(seed, 30) for seed in range(3, 7))
    matches = accepted(
        tmp_path,
        a=signature(whole, mirror=mirror, crop=crop, frame=frame),
        cropped=signature(flipped(crop, 10)),
        mirrored=signature(flipped(mirror, 10), mirror=flipped(whole, 10)),
        framed=signature(codes(8, 30), frame=flipped(frame, 10)),
    )
    assert {(match.a, match.b, match.mirrored) for match in matches} == {
        ("a", "cropped", False),
        ("a", "mirrored", True),
        ("a", "framed", False),
    }


def test_frames_in_another_order_are_no_copy(tmp_path: Path) -> None:
    long = codes(9, 60)
    shuffled = long[np.random.default_rng(1).permutation(60)]
    matches = accepted(tmp_path, a=signature(long), b=signature(shuffled))
    assert sum(match.matched_seconds for match in matches) <= 12
    assert not matches or kind_of(matches, OPTIONS) == "part"


def test_blank_and_frozen_frames_link_nothing(tmp_path: Path) -> None:
    blank = np.zeros((30, 32), np.uint8)
    low = [3] * 30 + [50] * 30
    videos = {name: signature(np.concatenate([blank, codes(seed, 30)]), quality=low) for seed, name in enumerate("ab")}
    assert found(tmp_path / "blank", **videos) == []
    frozen = {name: signature(np.concatenate([blank, codes(seed, 30)])) for seed, name in enumerate("ab")}
    assert accepted(tmp_path / "frozen", **frozen) == []


def test_a_picture_that_is_everywhere_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logo = codes(11, 6)
    videos = {f"v{i}": signature(np.concatenate([logo, codes(20 + i, 20)])) for i in range(6)}
    assert len(accepted(tmp_path, **videos)) == 15
    monkeypatch.setattr(matching, "CROWD", 4)
    assert accepted(tmp_path, **videos) == []


def test_the_order_of_videos_does_not_matter_and_empty_ones_do_not_hurt(tmp_path: Path) -> None:
    long = codes(12, 40)
    paths = written(
        tmp_path, x=signature(long), y=signature(flipped(long[5:35], 25)), none=signature(np.zeros((0, 32), np.uint8))
    )
    signed = [Signed(path.stem, path) for path in paths]
    seen: list[int] = []
    one = find_matches(signed, OPTIONS, seen.append)
    assert one == find_matches(signed[::-1], OPTIONS) and len(one) == 1 and seen == [1, 2, 3]
    assert find_matches([], OPTIONS) == []


def test_a_signature_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (path,) = written(tmp_path, x=signature(codes(1, 5)))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BadArtefact, match=r"x\.parquet"):
        find_matches([Signed("x", path)], OPTIONS)


@settings(max_examples=20, deadline=None)
@given(
    start=st.integers(0, 80),
    length=st.integers(8, 40),
    bits=st.integers(0, 48),
    begin=st.floats(0, 50),
    seed=st.integers(0, 99),
)
def test_an_excerpt_is_aligned_wherever_it_lies(tmp_path_factory, start, length, bits, begin, seed) -> None:
    long = codes(seed, 120)
    part = signature(flipped(long[start : start + length], bits), start=begin)
    (match,) = accepted(tmp_path_factory.mktemp("s"), a=signature(long), b=part)
    cut = min(length, 120 - start)
    assert abs(match.offset - (begin - start)) < 1e-6 and match.matched == cut
    assert match.start_b == pytest.approx(begin)


def test_the_index_of_cells_finds_what_is_near_and_is_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    many = codes(5, 6000)
    asked = flipped(many[::20], 30)
    exact = make_index(many)
    monkeypatch.setattr(matching, "EXACT_UP_TO", 1000)
    cells, again = make_index(many), make_index(many)
    truth, near, twice = (index.range_search(asked, 65) for index in (exact, cells, again))
    assert [part.tolist() for part in near] == [part.tolist() for part in twice]
    assert len(near[2]) >= 0.9 * len(truth[2])
    assert (distances(asked, many[::20]) == 30).all()


def test_scenes_are_capped_evenly() -> None:
    still, moving = flipped(np.repeat(codes(1, 1), 10, axis=0), 2), codes(2, 4)
    one = signature(np.concatenate([still, moving]))
    assert list(scenes(one, 10)) == [(0, 10), (10, 11), (11, 12), (12, 13), (13, 14)]
    assert beyond_cap(one, 10, 0) == ()
    assert beyond_cap(one, 10, 2) == ((1.0, 5.0), (6.0, 10.0))
    assert beyond_cap(one, 10, 10) == () and beyond_cap(one, 0, 1) == ()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 6))
def test_no_scene_has_more_than_its_cap(pictures: list[int], most: int) -> None:
    one = signature(codes(7, 4)[pictures])
    out = beyond_cap(one, 10, most)
    stays = [not any(start <= time < end for start, end in out) for time in one.timestamps]
    for start, end in scenes(one, 10):
        assert sum(stays[start:end]) == min(end - start, most) and stays[start]
