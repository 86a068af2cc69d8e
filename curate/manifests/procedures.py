"""Names of procedures, brought to the canonical ones of ``labels/procedures.toml``."""

from __future__ import annotations

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from curate.errors import CurateError, why_of
from curate.records import DOMAINS
from curate.resources import labels_folder

UNKNOWN = "unknown"

_LONGEST = 64
_ACCENT = re.compile("[\u0300-\u036f]")
"""Combining marks of Latin, Greek and Cyrillic letters."""


@dataclass(frozen=True)
class Meaning:
    """What one label of a source stands for.

    Attributes:
        procedures: Canonical names; for an unknown label its own slug.
        robotic: ``True`` where the label says that a robot was used.
        domain: Domain that the label implies beyond its procedures' own, or ``unknown``.
        known: Whether the label was found.
    """

    procedures: tuple[str, ...]
    robotic: bool | None = None
    domain: str = UNKNOWN
    known: bool = True


def slug(name: str) -> str:
    """Lower-case words joined by ``_``: how names are compared. Apostrophes vanish, accents too.

    Marks without which a word of another script is another one stay, as vowels of Hindi do. At most 64 characters, of
    which the last are a checksum if the name is longer; empty if the name has no letter or digit.
    """
    plain = unicodedata.normalize("NFKD", name.replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", ""))
    bare = unicodedata.normalize("NFC", _ACCENT.sub("", plain).casefold())
    words = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in bare).split()
    if not any(c.isalnum() for c in bare):
        return ""
    joined = "_".join(words)
    if len(joined) > _LONGEST:
        checksum = hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        joined = f"{joined[: _LONGEST - 9].rstrip('_')}_{checksum}"
    return joined


class Taxonomy:
    """Procedures with their domains, and every name they are known by.

    Args:
        tables: Content of a file in the format of ``labels/procedures.toml``.
        where: The file, for errors.

    Attributes:
        domains: Domain of each procedure by canonical name.
        spellings: Names of each procedure by canonical name, itself first.

    Raises:
        CurateError: An unknown domain, or one name for two things.
    """

    def __init__(self, tables: Mapping[str, Any], where: str) -> None:
        self.domains: dict[str, str] = {}
        self.spellings: dict[str, tuple[str, ...]] = {}
        self._meanings: dict[str, Meaning] = {}
        self._approaches: list[tuple[str, str]] = []
        self._where = where
        for name, table in tables.get("procedures", {}).items():
            self.domains[name] = self._domain(name, table.get("domain", UNKNOWN))
            self.spellings[name] = (name.replace("_", " "), *table.get("synonyms", ()))
            for spelling in self.spellings[name]:
                self._add(spelling, Meaning((name,)))
        for name, table in tables.get("groups", {}).items():
            procedures = tuple(table.get("procedures", ()))
            for procedure in procedures:
                if procedure not in self.domains:
                    raise CurateError(f"{where}: group {name!r} names {procedure!r}, which is no procedure")
            domain = self._domain(name, table.get("domain", UNKNOWN))
            self._add(name, Meaning(procedures, table.get("robotic"), domain))
        for approach, table in tables.get("approaches", {}).items():
            self._approaches += [(slug(word), self._domain(approach, approach)) for word in table["words"]]
        self._approaches.sort(key=lambda pair: -len(pair[0]))

    def _domain(self, name: str, domain: str) -> str:
        if domain not in DOMAINS:
            raise CurateError(f"{self._where}: domain {domain!r} of {name!r} is not one of {', '.join(DOMAINS)}")
        return domain

    def _add(self, spelling: str, meaning: Meaning) -> None:
        key = slug(spelling)
        if self._meanings.setdefault(key, meaning) != meaning:
            raise CurateError(f"{self._where}: {spelling!r} stands for two things")

    def meaning(self, label: str) -> Meaning:
        """What a label stands for, after case, white space, hyphens, underscores and words for the approach."""
        key = slug(label)
        found = self._meanings.get(key)
        if found is not None:
            return found
        for word, domain in self._approaches:
            rest = key.removeprefix(word + "_")
            if rest == key:
                rest = key.removesuffix("_" + word)
            if rest != key and rest in self._meanings:
                bare = self._meanings[rest]
                return Meaning(bare.procedures, True if domain == "robotic" else bare.robotic, domain)
        return Meaning((key,) if key else (), known=False)

    def domain(self, procedures: tuple[str, ...]) -> str:
        """Domain of the first procedure that has one."""
        known = (self.domains.get(name, UNKNOWN) for name in procedures)
        return next((domain for domain in known if domain != UNKNOWN), UNKNOWN)


def load_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy.

    Raises:
        CurateError: Unreadable, not TOML, or inconsistent.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CurateError(f"cannot read procedures from {path}: {why_of(error)}") from error
    return Taxonomy(tables, str(path))


@cache
def shipped_taxonomy() -> Taxonomy:
    """The taxonomy that ships with the package."""
    return load_taxonomy(labels_folder() / "procedures.toml")
