from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from curate.files.collector import collector_paused


@pytest.fixture(autouse=True)
def on() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_what_is_made_in_a_pause_is_old_when_it_ends() -> None:
    with collector_paused():
        assert not gc.isenabled()
        made = [[] for _ in range(1000)]
        assert any(each is made for each in gc.get_objects(generation=0))
    assert gc.isenabled() and gc.get_freeze_count() == 0
    assert any(each is made for each in gc.get_objects(generation=2))


def test_a_pause_in_a_pause_does_not_end_it() -> None:
    with collector_paused():
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    with collector_paused():
        pass
    assert not gc.isenabled()


def test_what_others_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        with collector_paused():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_cycles_of_a_pause_are_collected_later() -> None:
    class Cycle:
        gone = False

        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            Cycle.gone = True

    with collector_paused():
        Cycle()
    assert not Cycle.gone
    gc.collect()
    assert Cycle.gone
