from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from curate.config import ExportOptions
from curate.exports import ExportEntry, ExportSummary, export_dataset
from tests.exports.making import make_entry

Export = Callable[..., ExportSummary]


@pytest.fixture
def entries(tmp_path: Path) -> list[ExportEntry]:
    """Two videos: ``vid_a`` keeps 1, 2, 3, 5 (masked), 6 (trim from 1); ``-vidB`` keeps 0 to 11."""
    folder = tmp_path / "artefacts"
    return [
        make_entry(folder, "vid_a", "nsssnss", regions=[0, 5], title="First", procedures=("cholecystectomy",)),
        make_entry(folder, "-vidB", "s" * 12, procedures=("hernia repair", "cholecystectomy"), robotic=True),
    ]


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Export to ``tmp_path/exports`` with the options given as keywords."""

    def run(
        entries: list[ExportEntry],
        *formats: str,
        to: str = "exports",
        mark: str = "f",
        classes: Sequence[str] = (),
        **options: Any,
    ) -> Any:
        return export_dataset(
            entries,
            ExportOptions(formats=formats, **options),
            tmp_path / to,
            context={"classify.model": "tiny", "classify.sha256": "0" * 64, "mark": mark},
            classes=classes,
        )

    return run
