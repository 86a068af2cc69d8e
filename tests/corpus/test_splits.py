from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.config import ExportOptions
from curate.corpus.split_record import forget_in_records, read_record, record_path, write_record
from curate.corpus.splits import Key, Member, assign, assign_splits
from curate.errors import CurateError
from curate.records import Video

ids = st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,11}", fullmatch=True), unique=True, max_size=60)
THIRDS = ExportOptions(val_fraction=0.3, test_fraction=0.3)


def videos(names, **fields):
    return [Video(id=name, source="https://example.org/" + name, **fields) for name in names]


@st.composite
def corpora(draw, stated=("",)):
    """Members in the order in which they come: with cases, channels and copies among one another."""
    count = draw(st.integers(1, 20))
    names = [f"v{i}" for i in range(count)]
    copies = draw(st.lists(st.lists(st.sampled_from(names), max_size=4, unique=True), max_size=6))
    found = []
    for name in names:
        shared = [Key("video", other) for group in copies if name in group for other in group if other != name]
        if case := draw(st.sampled_from(["", "", "1", "2", "3", "4"])):
            shared.append(Key("case", f"c/{case}"))
        if channel := draw(st.sampled_from(["", "", "A", "B", "C", "D", "E"])):
            shared.append(Key("channel", channel))
        split = draw(st.sampled_from(stated))
        found.append(Member(name, tuple(shared), split, draw(st.sampled_from(["x", "y"]))))
    return draw(st.permutations(found))


def leaks(members, splits):
    """Keys that two splits share."""
    seen = {}
    for member in members:
        if member.id in splits.of:
            for key in member.keys:
                seen.setdefault(key, set()).add(splits.of[member.id])
    return {key: found for key, found in seen.items() if len(found) > 1}


@given(ids, ids)
def test_a_video_keeps_its_split_whatever_comes_and_goes(some, others):
    options = ExportOptions(val_fraction=0.2, test_fraction=0.3)
    alone = assign_splits(videos(some), options).of
    together = assign_splits(videos(dict.fromkeys([*others, *some])), options).of
    assert all(together[name] == split for name, split in alone.items())


@settings(max_examples=150)
@given(corpora(stated=("", "", "", "train", "test", "val", "fold_1")), st.booleans())
def test_no_two_splits_share_a_video_case_channel_or_copy(members, stratify):
    options = dataclasses.replace(THIRDS, stratify=stratify)
    splits = assign(members, options, {})
    assert leaks(members, splits) == {}
    assert set(splits.of) | set(splits.aside) == {member.id for member in members}
    assert not set(splits.of) & set(splits.aside)
    assert all(splits.of.get(m.id, m.stated) == m.stated for m in members if m.stated)


@settings(max_examples=150)
@given(corpora(), st.booleans(), st.lists(st.integers(0, 16), max_size=3))
def test_adding_videos_moves_nobody_and_never_leaks(members, stratify, cuts):
    options = dataclasses.replace(THIRDS, stratify=stratify)
    before = assign([], options, {})
    for count in [*sorted(cuts), len(members)]:
        now = assign(members[:count], options, before.record)
        assert leaks(members[:count], now) == {}
        assert all(now.of[name] == split for name, split in before.of.items())
        again = assign(members[:count], options, now.record)
        assert again.of == now.of and again.record == now.record
        before = now


@settings(max_examples=40)
@given(corpora())
def test_nobody_is_put_aside_in_a_first_draw(members):
    assert assign(members, THIRDS, {}).aside == {}


def test_the_order_of_a_first_draw_does_not_matter():
    rows = [Member(f"v{i}", (Key("channel", f"c{i % 17}"),), "", "x") for i in range(100)]
    for options in (THIRDS, dataclasses.replace(THIRDS, stratify=True)):
        assert assign(rows, options, {}).of == assign(rows[::-1], options, {}).of


def test_who_would_join_two_splits_is_put_aside_and_says_why():
    first = [Member(f"v{i}", (Key("channel", f"c{i}"),)) for i in range(20)]
    drawn = assign(first, THIRDS, {})
    train, test = (next(m for m in first if drawn.of[m.id] == split) for split in ("train", "test"))
    bridge = Member("bridge", (Key("video", test.id), *train.shared))
    friend = Member("friend", train.shared)
    now = assign([*first, bridge, friend], THIRDS, drawn.record)
    assert now.aside == {"bridge": f"shares video {test.id} with test"}
    assert now.of == {**drawn.of, "friend": "train"}


def test_what_is_found_out_later_costs_the_training_set():
    rows = [Member(f"v{i}") for i in range(20)]
    drawn = assign(rows, THIRDS, {})
    train, test = (next(m for m in rows if drawn.of[m.id] == split) for split in ("train", "test"))
    known = [dataclasses.replace(m, shared=(Key("case", "h/7"),)) if m in (train, test) else m for m in rows]
    now = assign(known, THIRDS, drawn.record)
    assert now.aside == {train.id: "shares case h/7 with test"}
    assert now.of == {name: split for name, split in drawn.of.items() if name != train.id}


def test_lists_that_leak_are_honoured_if_asked_and_the_leak_is_told():
    rows = [Member("a", (Key("case", "h/1"),), "train"), Member("b", (Key("case", "h/1"),), "test")]
    assert assign(rows, ExportOptions(), {}).of == {"b": "test"}
    kept = assign(rows, ExportOptions(leaks="keep"), {})
    assert kept.of == {"a": "train", "b": "test"} and kept.aside == {}
    assert kept.shared == {Key("case", "h/1"): ("test", "train")}


def test_fractions_are_met_in_the_long_run_and_the_seed_matters():
    names = [f"v{i}" for i in range(4000)]
    first = assign_splits(videos(names), ExportOptions(val_fraction=0.1, test_fraction=0.2)).of
    counts = [list(first.values()).count(name) / 4000 for name in ("train", "val", "test")]
    assert counts == pytest.approx([0.7, 0.1, 0.2], abs=0.02)
    assert first != assign_splits(videos(names), ExportOptions(val_fraction=0.1, test_fraction=0.2, split_seed=1)).of


def test_a_video_without_a_group_falls_where_it_always_fell():
    options = ExportOptions(val_fraction=0.25, test_fraction=0.25)
    splits = assign_splits(videos(["a", "b", "c", "d", "e", "f"]), options).of
    assert "".join(split[1] for split in splits.values()) == "rrrara"


def test_a_split_of_the_manifest_wins():
    options = ExportOptions(test_fraction=1.0)
    rows = [*videos(["a"], split="val"), *videos(["b"]), *videos(["c"], split="fold 1"), *videos(["d"], split="all")]
    assert assign_splits(rows, options).of == {"a": "val", "b": "test", "c": "fold_1", "d": "all_"}


@given(st.integers(0, 40), st.integers(0, 40))
def test_stratified_shares_hold_within_each_procedure(first, second):
    rows = videos([f"a{i}" for i in range(first)], procedures=("x",))
    rows += videos([f"b{i}" for i in range(second)], procedures=("y", "x"))
    splits = assign_splits(rows, ExportOptions(val_fraction=0.25, test_fraction=0.25, stratify=True)).of
    for letter, count in (("a", first), ("b", second)):
        own = [split for name, split in splits.items() if name.startswith(letter)]
        assert len(own) == count
        assert abs(own.count("test") - count / 4) <= 1 and abs(own.count("val") - count / 4) <= 1


def test_fractions_beyond_the_whole_are_refused():
    with pytest.raises(CurateError, match="more than 1"):
        assign_splits([], ExportOptions(val_fraction=0.6, test_fraction=0.6))


def test_a_record_is_read_as_it_was_written_and_forgets_who_is_purged(tmp_path):
    record = {Key("video", "a"): "train", Key("video", "=b"): "test", Key("channel", 'Dr. "Ü"\n'): "val"}
    path = record_path(tmp_path / "corpus", THIRDS)
    write_record(path, record, THIRDS)
    assert read_record(path) == record
    assert record_path(tmp_path / "corpus", dataclasses.replace(THIRDS, split_seed=1)) != path
    assert forget_in_records(tmp_path / "corpus", {"a"}) == [path]
    assert Key("video", "a") not in read_record(path) and len(read_record(path)) == 2
    path.write_text('{"drawn": []}')
    with pytest.raises(CurateError, match="bring it back"):
        read_record(path)
