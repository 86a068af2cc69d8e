"""Where the consumers' repositories are."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

CHECKOUTS = os.environ.get("CURATE_CHECKOUTS", "")


def checkout(name: str, *packages: str) -> Path:
    """Folder of a repository, or no test.

    Args:
        name: That of the repository, and of its folder below the one that ``CURATE_CHECKOUTS`` names.
        packages: What it imports and curate does not.
    """
    if not CHECKOUTS or not (Path(CHECKOUTS) / name).is_dir():
        pytest.skip(f"CURATE_CHECKOUTS names no folder with a checkout of {name}")
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{name} needs {package}")
    return Path(CHECKOUTS) / name


def require_open_clip() -> None:
    """No test without the package ``open_clip_torch`` and a ``webdataset`` that it can read with."""
    if importlib.util.find_spec("open_clip_train") is None:
        pytest.skip("the package open_clip_torch is not installed")
    if tuple(map(int, importlib.metadata.version("webdataset").split("."))) > (0, 2, 86):
        pytest.skip("open_clip_torch 3.3 reads with webdataset up to 0.2.86: later ones end a tar with an empty sample")
