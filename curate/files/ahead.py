"""Work done in threads ahead of whoever takes the results."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

PATIENCE = 0.1
"""Seconds after which a thread that waits for room looks whether it is still wanted."""


def ahead(items: Iterable[ItemT], depth: int) -> Generator[ItemT, None, None]:
    """The same items in the same order, made in a thread of their own, a few before they are asked for.

    It gains where making and using them release Python's lock, as decoders and networks do.

    Args:
        items: Asked for in the thread; what it raises comes out after the items before it.
        depth: Items that may wait.
    """
    waiting: queue.Queue[tuple[ItemT] | BaseException | None] = queue.Queue(depth)
    unwanted = threading.Event()

    def put(what: tuple[ItemT] | BaseException | None) -> bool:
        while not unwanted.is_set():
            try:
                waiting.put(what, timeout=PATIENCE)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        try:
            for item in items:
                if not put((item,)):
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=make, daemon=True, name="ahead")
    thread.start()
    try:
        while (got := waiting.get()) is not None:
            if isinstance(got, BaseException):
                raise got
            yield got[0]
    finally:
        unwanted.set()
        thread.join()


def map_ahead(
    function: Callable[[ItemT], ResultT],
    items: Iterable[ItemT],
    *,
    threads: int,
    most: int,
    at_once: Callable[[ItemT], bool] | None = None,
) -> Iterator[ResultT]:
    """Call a function on items in threads, and give out the results in the order of the items.

    Items are taken, in the thread of the caller, as results are: memory does not grow with their number.

    Args:
        function: Called in a thread.
        items: What to call it on.
        threads: How many work at a time; with 1 every result is made when it is taken.
        most: Results that wait or are being made while one is given out.
        at_once: Tells the items for which a thread is not worth its while.

    Raises:
        Exception: That of the function, when its result would be given out; or that of the items, at once.
    """
    if threads < 2:
        yield from map(function, items)
        return
    waiting: deque[Future[ResultT]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            if at_once is not None and at_once(item):
                if not waiting:
                    yield function(item)
                    continue
                done: Future[ResultT] = Future()
                done.set_result(function(item))
                waiting.append(done)
            else:
                waiting.append(pool.submit(function, item))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
