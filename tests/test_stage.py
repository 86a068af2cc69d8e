"""The files that a stage is handed: names that no other attempt has, and what an attempt takes over from a dead one."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.stage import Files

PART = ".137.mp4.part"


def attempt(folder: Path, number: int, what: str = "f00d") -> Files:
    return Files({}, folder, "v", attempt=f"{what}-{number}-host-1-abc{number}")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_no_two_attempts_write_one_file_and_all_are_committed_under_one_name(tmp_path: Path) -> None:
    one, two = (attempt(tmp_path, n).temporary(".parquet") for n in (1, 2))
    assert one != two and attempt(tmp_path, 1).temporary(".parquet") == one
    assert attempt(tmp_path, 3).final(one) == attempt(tmp_path, 3).final(two) == tmp_path / "v.parquet"
    for other in (tmp_path / ".w.tmp-f00d.parquet", tmp_path / "v.parquet", tmp_path.parent / one.name):
        with pytest.raises(ValueError, match="not a temporary file of v"):
            attempt(tmp_path, 3).final(other)


def test_an_attempt_goes_on_with_what_the_one_that_got_farthest_left_and_clears_up_after_the_others(
    tmp_path: Path,
) -> None:
    attempt(tmp_path, 1).temporary(PART).write_bytes(b"half")
    attempt(tmp_path, 2).temporary(PART).write_bytes(b"more than half")
    attempt(tmp_path, 2).temporary(".137.mp4.ytdl").write_bytes(b"state")
    attempt(tmp_path, 2).temporary(".248.webm.part").write_bytes(b"another format")
    attempt(tmp_path, 2, "beef").temporary(PART).write_bytes(b"of another source, and longer than all of these")
    (tmp_path / ".w.tmp-f00d-1-x.137.mp4.part").write_bytes(b"another video")
    now = attempt(tmp_path, 3)
    target = now.adopt(".137.mp4")
    assert target == now.temporary(".137.mp4")
    assert now.temporary(PART).read_bytes() == b"more than half"
    assert now.temporary(".137.mp4.ytdl").read_bytes() == b"state"
    assert len(names(tmp_path)) == 3 and ".w.tmp-f00d-1-x.137.mp4.part" in names(tmp_path)


def test_what_a_version_left_that_did_not_mark_attempts_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / f".v.tmp{PART}").write_bytes(b"half")
    now = attempt(tmp_path, 1)
    now.adopt(".137.mp4")
    assert now.temporary(PART).read_bytes() == b"half"
    assert names(tmp_path) == [now.temporary(PART).name]


def test_a_link_is_never_gone_on_with(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / f".v.tmp-f00d-1-x{PART}").symlink_to(outside)
    (folder / ".v.tmp-f00d-1-x.137.mp4.ytdl").hardlink_to(outside)
    attempt(folder, 2).adopt(".137.mp4")
    assert names(folder) == [] and outside.read_bytes() == b"mine"
