from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from curate.files.ahead import ahead


def test_items_come_in_order_and_a_few_are_made_before_they_are_asked_for() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for n in range(100):
            made.append(n)
            yield n

    taken = ahead(items(), 3)
    assert next(taken) == 0
    deadline = time.monotonic() + 60
    while len(made) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    assert made == [0, 1, 2, 3, 4]  # one taken, three that wait, one in hand
    assert list(taken) == list(range(1, 100))


def test_what_the_maker_raises_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third is broken")

    taken = ahead(items(), 8)
    assert [next(taken), next(taken)] == [1, 2]
    with pytest.raises(ValueError, match="the third is broken"):
        next(taken)


def test_who_stops_early_leaves_no_thread() -> None:
    taken = ahead(iter(range(10**9)), 2)
    assert next(taken) == 0
    taken.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]
