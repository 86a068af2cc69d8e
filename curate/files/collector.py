"""Python's collector of cycles, put off while much is made that has none."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Put off the collection of cycles for the length of a ``with`` block.

    Each collection looks at every object there is, so that reading hundreds of thousands of records, none of which is
    ever part of a cycle, takes half again as long with it. What was made counts as old afterwards, else the first
    collections would look at all of it.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if not gc.get_freeze_count():  # what others froze stays so
                gc.freeze()
                gc.unfreeze()
            gc.enable()
