"""What a title suggests: procedures, and whether a robot was used, each with the words that say so.

A suggestion is no label. It is written beside what a list states, with its words, for a person to take or leave.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from curate.errors import CurateError, why_of
from curate.manifests.procedures import Taxonomy, shipped_taxonomy
from curate.resources import labels_folder

_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
"""Letters of scripts that write no spaces between words: kana and Chinese characters."""


@dataclass(frozen=True)
class Suggestion:
    """What a title suggests.

    Attributes:
        procedures: Canonical procedure by procedure, in the title's order, with the words that name it.
        robotic: Whether a robot was used; ``None`` if the title says neither.
        robotic_words: The words that say so; empty if none do.
    """

    procedures: Mapping[str, str]
    robotic: bool | None
    robotic_words: str

    def evidence(self, *, procedures: bool = True, robotic: bool = True) -> str:
        """One line for a table: ``procedure: words; …; robotic: words``, or only the part that is wanted."""
        parts = [f"{name}: {words}" for name, words in self.procedures.items()] if procedures else []
        if robotic and self.robotic is not None:
            parts.append(f"{'robotic' if self.robotic else 'not robotic'}: {self.robotic_words}")
        return "; ".join(parts)


@dataclass(frozen=True)
class _Mention:
    start: int
    end: int
    name: str


class TitleWords:
    """Finds procedures and robots in titles.

    Args:
        tables: Content of a file in the format of ``labels/titles.toml``.
        taxonomy: Procedures; their names and synonyms count as phrases.
        where: The file, for errors.

    Raises:
        CurateError: A table or phrase that is none, or a procedure that the taxonomy lacks.
    """

    def __init__(self, tables: Mapping[str, Any], taxonomy: Taxonomy, where: str) -> None:
        phrases = {name: list(spellings) for name, spellings in taxonomy.spellings.items()}
        for name, more in _table(tables, "procedures", where).items():
            if name not in taxonomy.domains:
                raise CurateError(f"{where}: [procedures] names {name!r}, which labels/procedures.toml lacks")
            phrases[name] += _phrases(more, f"[procedures] {name}", where)
        hints: dict[str, list[str]] = {}
        for name, more in _table(tables, "hints", where).items():
            if name not in taxonomy.domains:
                raise CurateError(f"{where}: [hints] names {name!r}, which labels/procedures.toml lacks")
            hints[name] = _phrases(more, f"[hints] {name}", where)
        robotic = _table(tables, "robotic", where)
        past = _table(tables, "past", where)
        self._procedures = {name: _alternatives(spellings) for name, spellings in phrases.items()}
        self._hints = {name: _alternatives(spellings) for name, spellings in hints.items()}
        self._robotic = _alternatives(_phrases(robotic.get("yes", []), "[robotic] yes", where))
        self._without = _alternatives(_phrases(robotic.get("no", []), "[robotic] no", where))
        before = _sources(_phrases(past.get("before", []), "[past] before", where))
        behind = _sources(_phrases(past.get("behind", []), "[past] behind", where))
        self._before = re.compile(rf"(?<!\w)(?:{before}) (?:\w+ )?$")
        self._behind = re.compile(rf"^ (?:{behind})(?!\w)")

    def suggest(self, title: str) -> Suggestion:
        """Procedures and robot that a title names.

        Of phrases that overlap the longest counts: "donor nephrectomy" is one thing. A procedure that is only spoken of
        as done before ("after cholecystectomy") is left out. A disease or organ counts where no procedure is named.
        """
        plain = _plain(title)
        found = self._named(plain, self._procedures) or self._named(plain, self._hints)
        for pattern, robotic in ((self._robotic, True), (self._without, False)):
            match = pattern.search(plain)
            if match is not None:
                return Suggestion(found, robotic, match[0])
        return Suggestion(found, None, "")

    def _named(self, plain: str, patterns: Mapping[str, re.Pattern[str]]) -> dict[str, str]:
        """What a title names by these patterns, with the words, in its order."""
        mentions = sorted(
            (_Mention(*match.span(), name) for name, pattern in patterns.items() for match in pattern.finditer(plain)),
            key=lambda mention: (mention.start - mention.end, mention.start, mention.name),
        )
        taken: list[_Mention] = []
        for mention in mentions:
            if all(mention.end <= other.start or other.end <= mention.start for other in taken):
                taken.append(mention)
        taken.sort(key=lambda mention: mention.start)
        found: dict[str, str] = {}
        for mention in taken:
            if not (self._before.search(plain[: mention.start]) or self._behind.search(plain[mention.end :])):
                found.setdefault(mention.name, plain[mention.start : mention.end])
        return found


def _plain(title: str) -> str:
    """Lower case, no accents, every run of anything but letters and digits one space, none at the ends."""
    split = unicodedata.normalize("NFKD", title.replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", ""))
    kept = "".join(c for c in split.casefold() if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", " ", kept).strip()


def _sources(phrases: Iterable[str]) -> str:
    """Source of a regular expression that matches the phrases, the longest first."""
    ordered = sorted({_with_stars(phrase) for phrase in phrases}, key=lambda phrase: (-len(phrase), phrase))
    return "|".join(
        " ".join(r"\w+" if word == "*" else re.escape(word).replace(r"\*", r"\w*") for word in phrase.split(" "))
        for phrase in ordered
        if phrase
    )


def _with_stars(phrase: str) -> str:
    """A phrase as `_plain` leaves a title, with its stars."""
    return " ".join("*".join(_plain(part) for part in word.split("*")) for word in phrase.split())


def _alternatives(phrases: Sequence[str]) -> re.Pattern[str]:
    anywhere = [phrase for phrase in phrases if _UNSPACED.search(phrase)]
    whole = [phrase for phrase in phrases if not _UNSPACED.search(phrase)]
    parts = []
    if whole:
        parts.append(rf"(?<!\w)(?:{_sources(whole)})(?!\w)")
    if anywhere:
        parts.append(_sources(phrase.rstrip("*") for phrase in anywhere))
    return re.compile("|".join(parts) if parts else r"(?!)")


def _table(tables: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    table = tables.get(name, {})
    if not isinstance(table, Mapping):
        raise CurateError(f"{where}: {name} is not a table")
    return table


def _phrases(value: Any, name: str, where: str) -> list[str]:
    if not (isinstance(value, list) and all(isinstance(phrase, str) and phrase.strip("* ") for phrase in value)):
        raise CurateError(f"{where}: {name} is not a list of phrases")
    return value


def load_title_words(path: Path, taxonomy: Taxonomy) -> TitleWords:
    """Read the phrases of titles.

    Raises:
        CurateError: Unreadable, not TOML, or inconsistent.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CurateError(f"cannot read the words of titles from {path}: {why_of(error)}") from error
    return TitleWords(tables, taxonomy, str(path))


@cache
def shipped_title_words() -> TitleWords:
    """The phrases that ship with the package."""
    return load_title_words(labels_folder() / "titles.toml", shipped_taxonomy())
