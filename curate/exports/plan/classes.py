"""Labels of the classes of an export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from curate.corpus.classes import Classed, class_of

CLASSES = "classes.txt"
"""Names of the classes in UTF-8, one a line; labels count the lines from 0."""


def class_labels(videos: Iterable[Classed], numbered: Sequence[str] = ()) -> dict[str, int]:
    """Label of each class of an export, the same in every split: names in the order of their labels, from 0.

    Args:
        videos: All videos of the export.
        numbered: Names that have numbers already, in their order; other classes come after them, by name. What comes
            after the last class of the export is left out, so that a list that grows changes no export.
    """
    present = {class_of(video) for video in videos}
    names = [*numbered, *sorted(present - set(numbered))]
    last = max((i for i, name in enumerate(names) if name in present), default=-1)
    return {name: label for label, name in enumerate(names[: last + 1])}


def classes_text(labels: Iterable[str]) -> str:
    """Content of `CLASSES`."""
    return "".join(f"{name}\n" for name in labels)
