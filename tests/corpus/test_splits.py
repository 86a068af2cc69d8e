from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.config import ExportOptions
from curate.corpus.splits import assign_splits
from curate.errors import CurateError
from curate.records import Video

ids = st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,11}", fullmatch=True), unique=True, max_size=60)


def videos(names, **fields):
    return [Video(id=name, source="https://example.org/" + name, **fields) for name in names]


@given(ids, ids)
def test_a_video_keeps_its_split_whatever_comes_and_goes(some, others):
    options = ExportOptions(val_fraction=0.2, test_fraction=0.3)
    alone = assign_splits(videos(some), options)
    together = assign_splits(videos(dict.fromkeys([*others, *some])), options)
    assert all(together[name] == split for name, split in alone.items())


def test_fractions_are_met_in_the_long_run_and_the_seed_matters():
    names = [f"v{i}" for i in range(4000)]
    first = assign_splits(videos(names), ExportOptions(val_fraction=0.1, test_fraction=0.2))
    counts = [list(first.values()).count(name) / 4000 for name in ("train", "val", "test")]
    assert counts == pytest.approx([0.7, 0.1, 0.2], abs=0.02)
    assert first != assign_splits(videos(names), ExportOptions(val_fraction=0.1, test_fraction=0.2, split_seed=1))


def test_a_split_of_the_manifest_wins():
    options = ExportOptions(test_fraction=1.0)
    rows = [*videos(["a"], split="val"), *videos(["b"]), *videos(["c"], split="fold 1"), *videos(["d"], split="all")]
    assert assign_splits(rows, options) == {"a": "val", "b": "test", "c": "fold_1", "d": "all_"}


@given(st.integers(0, 40), st.integers(0, 40))
def test_stratified_shares_hold_within_each_procedure(first, second):
    rows = videos([f"a{i}" for i in range(first)], procedures=("x",))
    rows += videos([f"b{i}" for i in range(second)], procedures=("y", "x"))
    splits = assign_splits(rows, ExportOptions(val_fraction=0.25, test_fraction=0.25, stratify=True))
    for letter, count in (("a", first), ("b", second)):
        own = [split for name, split in splits.items() if name.startswith(letter)]
        assert len(own) == count
        assert abs(own.count("test") - count / 4) <= 1 and abs(own.count("val") - count / 4) <= 1


def test_fractions_beyond_the_whole_are_refused():
    with pytest.raises(CurateError, match="more than 1"):
        assign_splits([], ExportOptions(val_fraction=0.6, test_fraction=0.6))
