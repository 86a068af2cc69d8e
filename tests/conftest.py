"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


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
