"""Where the files that ship with the package live: labels and weights.

In an installed wheel they sit inside the package (``curate/labels``, ``curate/models``); in a checkout they are the
top-level folders of the repository.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def labels_folder() -> Path:
    """Folder with ``procedures.toml`` and ``opt_out.txt``."""
    return _folder("labels")


def models_folder() -> Path:
    """Folder with the shipped weights and their cards."""
    return _folder("models")
