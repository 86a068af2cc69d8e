"""The format that CONTRIBUTING.md writes for an example is one."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from curate.exports.cards.layout import LAYOUTS, Layout
from curate.exports.check.verify import verify_export
from curate.exports.formats import registry
from curate.files.parquet import read_rows

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_of_a_format_works(entries, export, tmp_path, monkeypatch) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Add an export format")[1]
    code = re.search(r"```python\n( +from pathlib.*?) +```", text, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {"__name__": "blobs"}
    exec("from __future__ import annotations\n" + textwrap.dedent(code.group(1)), names)
    blobs = registry.Format(1, "Blobs.", names["shards"], names["write_shard"], names["assemble"])
    monkeypatch.setitem(registry.FORMATS, "blobs", blobs)
    monkeypatch.setitem(LAYOUTS, "blobs", Layout("{split}-*.blob"))
    export(entries, "blobs")
    folder = tmp_path / "exports" / "blobs"
    rows = list(read_rows(folder / "metadata.parquet", ("file", "offset", "size", "width", "height")))
    assert len(rows) == 17
    for file, offset, size, width, height in rows:
        picture = np.frombuffer((folder / file).read_bytes()[offset : offset + size], np.uint8)
        assert cv2.imdecode(picture, cv2.IMREAD_COLOR).shape == (height, width, 3)
    assert list(verify_export(folder)) == []
