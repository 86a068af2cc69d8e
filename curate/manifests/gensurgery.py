"""GenSurgery's link lists (SamuelSchmidgall/GSViT): a folder of text files, one a procedure, named after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from curate.errors import CurateError
from curate.manifests import urls
from curate.manifests.entries import Entry
from curate.manifests.text import opened


def link_lists(folder: Path) -> list[Path]:
    """The text files of a folder, sorted by name; hidden ones left out."""
    return sorted(
        p for p in folder.iterdir() if p.suffix.lower() == ".txt" and not p.name.startswith(".") and p.is_file()
    )


def read(path: Path) -> Iterator[Entry]:
    """Entries of a folder of lists, or of one list. The file name is the procedure's label.

    Raises:
        CurateError: A list cannot be read, or there is none.
    """
    files = link_lists(path) if path.is_dir() else [path]
    if not files:
        raise CurateError(f"{path} holds no .txt files, so it is no folder of link lists")
    for file in files:
        with opened(str(file)) as stream:
            yield from urls.read(str(file), stream, procedures=(file.stem,))
