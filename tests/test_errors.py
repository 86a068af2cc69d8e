"""Errors of libraries as people say them."""

from __future__ import annotations

from pathlib import Path

import av
import pyarrow.parquet as pq
import pytest

from curate.errors import CurateError, why_of


def test_errors_are_told_without_numbers_and_names_of_files(tmp_path: Path) -> None:
    (tmp_path / "no-video.mp4").write_bytes(b"Dear editor,\n" * 500)
    missing = str(tmp_path / "missing")
    said = {}
    for reader, path in (
        (open, missing),
        (pq.read_schema, missing),
        (av.open, missing),
        (av.open, str(tmp_path / "no-video.mp4")),
    ):
        with pytest.raises(Exception) as raised:
            reader(path)
        said[reader, path] = why_of(raised.value)
    assert {text for (_, path), text in said.items() if path == missing} == {"No such file or directory"}
    assert said[av.open, str(tmp_path / "no-video.mp4")] == "Invalid data found when processing input"
    assert not [text for text in said.values() if "rrno" in text or str(tmp_path) in text]
    assert why_of(RuntimeError("[Errno -2] Name or service not known")) == "Name or service not known"
    assert why_of(CurateError("so it is")) == "so it is"
    assert why_of(OSError("Couldn't read it:\n invalid data\n")) == "Couldn't read it: invalid data"
