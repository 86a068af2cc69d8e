from __future__ import annotations

import os
from pathlib import Path

import pytest

from curate.workspace.seals import Seal, have_sizes, have_sizes_at_once


@pytest.fixture(params=["w", "ü w", b"\xff".decode(errors="surrogateescape")], ids=["plain", "utf-8", "bytes"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    made = tmp_path / request.param
    made.mkdir()
    (made / "a.mp4").write_bytes(b"abc")
    (made / "empty.mp4").touch()
    (made / "link.mp4").symlink_to("a.mp4")
    (made / "nowhere.mp4").symlink_to("gone.mp4")
    (made / "folder.mp4").mkdir()
    os.mkfifo(made / "pipe.mp4")
    return made


@pytest.mark.parametrize(
    ("name", "size", "there"),
    [
        ("a.mp4", 3, True),
        ("a.mp4", 2, False),
        ("a.mp4", 4, False),
        ("empty.mp4", 0, True),
        ("link.mp4", 3, True),
        ("link.mp4", 5, False),
        ("nowhere.mp4", 8, False),
        ("gone.mp4", 3, False),
        ("a.mp4/b.mp4", 3, False),
        ("folder.mp4", 0, False),
        ("pipe.mp4", 3, False),
        ("x" * 300, 3, False),
    ],
)
def test_files_looked_for_at_once_are_there_if_each_is(folder: Path, name: str, size: int, there: bool) -> None:
    assert have_sizes(f"{folder}/", {name: Seal(size, "")}) == there
    is_text = folder.name.isprintable()
    assert have_sizes_at_once([(f"{folder}/{name}", size)]) == (there and is_text)
    assert have_sizes_at_once([(f"{folder}/a.mp4", 3), (f"{folder}/{name}", size)]) == (there and is_text)
    assert have_sizes_at_once([(f"{folder}/{name}", size), (f"{folder}/empty.mp4", 0)]) == (there and is_text)


def test_of_no_files_all_are_there() -> None:
    assert have_sizes_at_once([])
