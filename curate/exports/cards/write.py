"""Writing ``README.md`` and ``croissant.json`` into an export, when it is made and at any time later."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import BadArtefact, why_of
from curate.exports.cards.about import About
from curate.exports.cards.croissant import croissant
from curate.exports.cards.facts import CARDS, CROISSANT, README, read_facts
from curate.exports.cards.readme import dataset_card
from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.folder import RECORD, record_text
from curate.exports.formats.registry import FORMATS
from curate.files.atomic import write_atomic
from curate.files.digest import digest
from curate.version import __version__

VERSION = 1
"""Raised when cards say something else of the same export."""


@dataclass(frozen=True)
class Cards:
    """The two files of an export.

    Attributes:
        readme: Text of ``README.md``.
        croissant: Text of ``croissant.json``.
    """

    readme: str
    croissant: str

    def files(self) -> dict[str, bytes]:
        """Their bytes by name."""
        texts = {README: self.readme, CROISSANT: self.croissant}
        return {name: text.encode("utf-8", "replace") for name, text in texts.items()}


def make_cards(folder: Path, record: Mapping[str, Any], about: About) -> Cards:
    """What the two files of an export say; nothing is written, and no picture is read.

    Args:
        folder: Of the export.
        record: Its ``export.json``.
        about: What the publisher says, and what became of the lists.

    Raises:
        BadArtefact: A table of the export cannot be read, or its record does not tell what a card needs.
        CurateError: The table of procedures cannot be read.
    """
    try:
        facts = read_facts(folder, record)
        readme = dataset_card(facts, about, FORMATS[facts.format].reading)
        data = readme.encode("utf-8", "replace")
        return Cards(readme, croissant(facts, about, FileFacts(len(data), hashlib.sha256(data).hexdigest())))
    except OSError as error:
        raise BadArtefact(folder, f"a file that its card tells of cannot be read: {why_of(error)}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadArtefact(folder, f"its record or tables do not tell what a card needs: {error!r}") from error


def knows(record: Mapping[str, Any], about: About) -> bool:
    """Whether an export has the cards that would be written now."""
    return record.get("card") == _mark(about)


def _mark(about: About) -> str:
    return digest({"version": VERSION, "curate": __version__, "about": about.to_json()})


def with_cards(folder: Path, record: Mapping[str, Any], about: About) -> dict[str, Any]:
    """Write the cards into an export that is being made.

    Args:
        folder: Where all its other files are.
        record: What becomes its ``export.json``.
        about: What the publisher says, and what became of the lists.

    Returns:
        The record with the cards among its files.
    """
    files = make_cards(folder, record, about).files()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return _recorded(record, files, about)


def refresh_cards(folder: Path, record: Mapping[str, Any], about: About) -> bool:
    """Write the cards of an export anew; its other files are not touched.

    A kill in the middle leaves cards that ``export.json`` does not know yet; the next call writes both.

    Returns:
        Whether anything was written.

    Raises:
        BadArtefact: As `make_cards`.
        OSError: The disk is full or fails.
    """
    files = make_cards(folder, record, about).files()
    wanted = _recorded(record, files, about)
    current = {name: _bytes_of(folder / name) for name in files}
    if current == files and wanted == record:
        return False
    for name, data in files.items():
        if current[name] != data:
            write_atomic(folder / name, data)
    write_atomic(folder / RECORD, record_text(wanted))
    return True


def _recorded(record: Mapping[str, Any], files: Mapping[str, bytes], about: About) -> dict[str, Any]:
    known = {name: facts for name, facts in record["files"].items() if name not in CARDS}
    for name, data in files.items():
        known[name] = FileFacts(len(data), hashlib.sha256(data).hexdigest())._asdict()
    return {**record, "files": dict(sorted(known.items())), "card": _mark(about)}


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
