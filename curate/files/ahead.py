"""Making the next items while one is worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

ItemT = TypeVar("ItemT")

PATIENCE = 0.1
"""Seconds after which a thread that waits for room looks whether it is still wanted."""


def ahead(items: Iterable[ItemT], depth: int) -> Iterator[ItemT]:
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
