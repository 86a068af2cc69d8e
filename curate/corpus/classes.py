"""Classes of frames: a name that fits a folder and a file, and a number that stays.

A class is the first procedure that a video names. Trainers count classes in their own ways, by sorted folders for
example, so numbers shift when a class comes or goes. Here a class is numbered once, by the list of videos, and
recorded (``corpus/classes.json``): classes that come later are numbered after the others, and the number of a class
that is gone is not given again. Its name is forgotten then, unless it is one of the shipped taxonomy: it may be the
free text of a video that was taken down.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Collection, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Protocol

from curate.corpus.balance import NO_PROCEDURE
from curate.errors import CurateError, why_of
from curate.files.atomic import write_changed
from curate.files.bounded import parse_json, read_bounded

RECORD = "classes.json"
"""Name of the record in the folder of a corpus."""

_LARGEST = 16_000_000
_LONGEST = 60
"""Characters of a name: with four bytes each and an ending, it is below the 255 bytes of a file name."""

_DIGITS = 8


class Classed(Protocol):
    """A video with its procedures."""

    @property
    def procedures(self) -> Sequence[str]:
        """Procedures in the manifest's order."""


@lru_cache(maxsize=1024)  # asked for every frame
def class_name(procedure: str) -> str:
    """Name of a class by its procedure: letters and digits of any script in lower case, ``-`` between words.

    Names are in Unicode's form NFC, compatibility forms such as full width letters are replaced. Of a name of more than
    60 characters the end is replaced by a checksum of the whole, so that names that begin alike stay apart.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", procedure).casefold())
    kept = "".join(c if _is_kept(c) else " " for c in folded)
    name = "-".join(kept.split())
    if len(name) > _LONGEST:
        checksum = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
        name = f"{name[: _LONGEST - _DIGITS - 1].rstrip('-')}-{checksum}"
    return name or NO_PROCEDURE


def _is_kept(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def class_of(video: Classed) -> str:
    """Class of a video's frames."""
    return class_name(next(iter(video.procedures), NO_PROCEDURE))


def number_classes(recorded: Sequence[str], present: Collection[str]) -> tuple[str, ...]:
    """Names of classes in the order of their numbers.

    Args:
        recorded: Those of the time before.
        present: Names that the videos of the list have now.

    Returns:
        The recorded ones in their places, then the new ones by name. What no video has any more, and is not in the
        taxonomy, is called ``removed-{number}``.
    """
    lasting = _lasting()
    kept = [name if name in present or name in lasting else f"removed-{i}" for i, name in enumerate(recorded)]
    return (*kept, *sorted(set(present) - set(kept)))


@cache
def _lasting() -> frozenset[str]:
    from curate.manifests.procedures import shipped_taxonomy  # workers of an export load this module, and read no lists

    return frozenset(map(class_name, (*shipped_taxonomy().domains, NO_PROCEDURE)))


def read_classes(folder: Path) -> tuple[str, ...]:
    """The record in the folder of a corpus; empty if there is none.

    Raises:
        CurateError: It cannot be read.
    """
    path = folder / RECORD
    try:
        names = parse_json(read_bounded(path, _LARGEST))["classes"]
        if not isinstance(names, list) or len(set(names)) != len(names):
            raise ValueError("it holds no list of distinct names")
        if strange := [name for name in names if not _is_name(name)]:
            raise ValueError(f"{strange[0]!r} is not the name of a class")
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CurateError(
            f"the record of classes {path} cannot be read ({why_of(error)}): "
            "bring it back, or delete it to number all classes anew"
        ) from error
    return tuple(names)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _LONGEST and all(map(_is_kept, name.replace("-", "")))


def write_classes(folder: Path, names: Sequence[str]) -> None:
    """Write the record, if it would change; the folder is made if it is missing."""
    folder.mkdir(exist_ok=True)
    text = json.dumps({"classes": list(names)}, ensure_ascii=False, indent=1) + "\n"
    write_changed(folder / RECORD, text.encode())


def forget_classes(folder: Path, present: Collection[str]) -> None:
    """Take names that no video of the list has any more out of the record; one that cannot be read is removed.

    Args:
        folder: Of the corpus.
        present: Names of the videos that stay.
    """
    try:
        recorded = read_classes(folder)
    except CurateError:
        (folder / RECORD).unlink()
        return
    if recorded:
        write_classes(folder, number_classes(recorded, present))
