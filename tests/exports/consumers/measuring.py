"""How much of a reader's work is decoding."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable
from typing import Any

import cv2
from PIL import ImageFile


def share_of_decoding(items: Iterable[Any]) -> float | None:
    """CPU time inside the decoder while a consumer reads, divided by all of it; 1 for a reader that only decodes.

    Both are of the same reads, all threads of this process: others on the machine do not come into it.

    Args:
        items: Of the consumer's data set, read in this process; at least one is read before those that count.

    Returns:
        The share; ``None`` if none of the decoders that are known here was called.
    """
    reads = iter(items)
    next(reads)
    with_decoders = _Decoders()
    began = time.process_time()
    for _ in reads:
        pass
    whole = time.process_time() - began
    with_decoders.leave()
    return with_decoders.seconds / whole or None


class _Decoders:
    """Pillow's, OpenCV's and decord's, each call of which is timed until `leave`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._inside = False
        self._were: list[tuple[Any, str, Callable[..., Any]]] = []
        self._watch(ImageFile.ImageFile, "load")
        self._watch(cv2, "imdecode")
        if importlib.util.find_spec("decord") is not None:
            import decord

            for name in ("__init__", "get_batch", "__getitem__"):
                self._watch(decord.VideoReader, name)

    def _watch(self, owner: Any, name: str) -> None:
        function = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if self._inside:
                return function(*arguments, **options)
            self._inside, began = True, time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.process_time() - began
                self._inside = False

        setattr(owner, name, call)
        self._were.append((owner, name, function))

    def leave(self) -> None:
        for owner, name, function in self._were:
            setattr(owner, name, function)
