from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate.dataset.orders import InOrder, Shuffled, Weighted
from curate.dataset.shares import Share

SHARES = st.fixed_dictionaries(
    {
        "count": st.integers(1, 400),
        "world": st.integers(1, 7),
        "batch": st.integers(1, 40),
        "uneven": st.sampled_from(["drop", "pad"]),
    }
)


def places(share: Share, **lane: int) -> list[int]:
    return [place for first, number in share.places(**lane) for place in range(first, first + number)]


def ranks(begin: int, facts: dict) -> list[Share]:
    return [Share(begin=begin, rank=rank, **facts) for rank in range(facts["world"])]


@given(SHARES)
def test_ranks_get_the_same_number_and_no_place_twice(facts):
    shares = ranks(0, facts)
    assert len({share.length for share in shares}) == 1
    taken = sorted(itertools.chain(*map(places, shares)))
    assert taken == list(range(len(taken)))
    assert abs(len(taken) - facts["count"]) < facts["world"]
    assert len(taken) <= facts["count"] if facts["uneven"] == "drop" else len(taken) >= facts["count"]


@given(SHARES, st.integers(1, 9))
def test_workers_take_the_batches_of_their_rank_in_turn(facts, lanes):
    for share in ranks(0, facts):
        batches = list(share.places())
        assert len(batches) == share.steps
        assert [list(share.places(lane, lanes)) for lane in range(lanes)] == [batches[i::lanes] for i in range(lanes)]
        assert all(number == facts["batch"] for _, number in batches[:-1])


@given(SHARES, st.integers(0, 30))
def test_what_is_left_after_some_steps_is_the_rest(facts, steps):
    for share in ranks(0, facts):
        rest = ranks(share.after(steps), facts)[share.rank]
        assert list(rest.places()) == list(share.places())[steps:]


@given(SHARES, st.integers(0, 30), st.integers(1, 7), st.integers(1, 40))
def test_other_ranks_and_batches_go_on_without_a_place_twice(facts, steps, world, batch):
    facts |= {"uneven": "drop"}
    shares = ranks(0, facts)
    before = [p for share in shares for first, n in list(share.places())[:steps] for p in range(first, first + n)]
    after = list(itertools.chain(*map(places, ranks(shares[0].after(steps), facts | {"world": world, "batch": batch}))))
    assert sorted(before + after) == list(range(len(before) + len(after)))
    assert len(before) + len(after) > facts["count"] - world


@given(SHARES, st.integers(1, 5), st.data())
def test_a_worker_goes_on_after_any_of_its_frames(facts, lanes, data):
    share = ranks(0, facts)[0]
    lane = data.draw(st.integers(0, lanes - 1))
    whole = places(share, lane=lane, lanes=lanes)
    taken = data.draw(st.integers(0, len(whole)))
    assert places(share, lane=lane, lanes=lanes, taken=taken) == whole[taken:]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=30), st.integers(1, 200), st.integers(0, 99), st.data())
def test_a_shuffled_order_has_each_frame_once_and_may_be_entered_anywhere(blocks, window, seed, data):
    starts = np.cumsum([0, *blocks])
    count = int(starts[-1])
    order = Shuffled(starts, window, (seed, 3))
    whole = order.indices(0, count).tolist()
    assert sorted(whole) == list(range(count))
    first, number = data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, 2 * count))
    assert Shuffled(starts, window, (seed, 3)).indices(first, number).tolist() == [
        whole[(first + i) % count] for i in range(number)
    ]


def test_a_window_holds_frames_of_few_blocks():
    order = Shuffled(np.arange(0, 1001, 10), 50, (0, 0))
    for first in range(0, 1000, 50):
        window = order.indices(first, 50)
        assert len(set((window // 10).tolist())) == 5
        assert window.tolist() != sorted(window.tolist())
    assert InOrder(5).indices(3, 4).tolist() == [3, 4, 0, 1]


def test_draws_follow_the_weights():
    weights = np.repeat([0.0, 1.0, 3.0, 0.0], [100, 3000, 1000, 100])
    drawn = Weighted(weights, (0, 0)).indices(0, 4200)
    counts = np.bincount(drawn, minlength=4200)
    assert counts[:100].sum() == counts[4100:].sum() == 0
    assert abs(counts[100:3100].sum() / 4200 - 0.5) < 0.03
    assert counts[100:3100].max() < 8 and (counts[3100:4100] > 0).mean() > 0.8
    assert Weighted(weights, (0, 0)).indices(4000, 7).tolist() == drawn[4000:4007].tolist()
