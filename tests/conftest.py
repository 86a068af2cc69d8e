"""What all tests share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """Commands run in the test's process set up the log for good; the next test finds it as it was."""
    yield
    logger = logging.getLogger("curate")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real development data; the test is skipped where it is not.

    Looked for at ``CURATE_SHARED_DATA``, then beside the checkout at ``../shared/data``.
    """
    named = os.environ.get("CURATE_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the development data (CURATE_SHARED_DATA)")
    return folder
