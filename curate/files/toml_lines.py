"""On which line of a TOML file an entry stands, for messages: `tomllib` does not tell."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

Path = tuple[str | int, ...]
"""Where an entry stands: names of tables and keys, and the place in an array of tables."""

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def toml_lines(text: str) -> Mapping[Path, int]:
    """Lines, from 1, of tables and keys of a valid TOML file.

    Keys of inline tables and what looks like a key inside a text of several lines are not told apart from others; since
    the lines are for messages only, the first that fits counts.
    """
    found: dict[Path, int] = {}
    arrays: Counter[Path] = Counter()
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _resolved(_parts(header[2]), arrays, is_array=header[1] == "[[")
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_parts(key[1])), number)
    return found


def _parts(text: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(text)]


def _resolved(names: list[str], arrays: Counter[Path], *, is_array: bool) -> Path:
    """The place of a table: each array of tables on the way stands for its last table so far."""
    place: Path = ()
    for i, name in enumerate(names):
        place = (*place, name)
        if is_array and i == len(names) - 1:
            arrays[place] += 1
            place = (*place, arrays[place] - 1)
        elif arrays[place]:
            place = (*place, arrays[place] - 1)
    return place
