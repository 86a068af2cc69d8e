from __future__ import annotations

import pytest

from curate.config import ExportOptions
from curate.exports import export_dataset
from tests.exports.making import PICTURES, make_entry


@pytest.fixture(scope="package")
def exports(tmp_path_factory):
    """300 frames of a common procedure, 20 of a rare one, 4 for validation, in every format."""
    folder = tmp_path_factory.mktemp("exports")
    entries = [
        make_entry(folder / "in", "common", "nn" + "s" * 300, procedures=("x",), rows_a_group=50, source_file=False),
        make_entry(folder / "in", "rare", "s" * 20, procedures=("y",)),
        make_entry(folder / "in", "held", "s" * 4, split="val"),
    ]
    export_dataset(entries, ExportOptions(formats=PICTURES), folder / "out", context={})
    return folder / "out"
