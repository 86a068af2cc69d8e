from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import CurateError
from curate.media.frame_list import read_frame_list


def test_names_with_and_without_folders(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(
        "SurgeNetXL/cholecystectomy/Batch1/-a_B3_frame_12_Sample7.jpg\r\n"
        "\n"
        "x_frame_y_frame_3_Sample8.jpg\n"
        "cholecystectomy\\Batch1\\-a_B3_frame_2_Sample9.png\n"
        "plain_frame_0.jpg"
    )
    listed = read_frame_list(path)
    assert {video: list(numbers) for video, numbers in listed.numbers.items()} == {
        "-a_B3": [12, 2],
        "x_frame_y": [3],
        "plain": [0],
    }


def test_what_is_wrong_is_said_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("a_frame_1_Sample1.jpg\n../../etc/passwd\n")
    with pytest.raises(CurateError, match=r"list\.txt: line 2: .*passwd"):
        read_frame_list(path)
    with pytest.raises(CurateError, match=r"cannot read .*missing"):
        read_frame_list(tmp_path / "missing.txt")
