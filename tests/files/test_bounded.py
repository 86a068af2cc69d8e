from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from curate.files.bounded import lines_bounded, parse_json, parse_toml, read_bounded

DEEP = "[" * 100_000


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 10)
    assert read_bounded(path, 10) == b"x" * 10
    with pytest.raises(ValueError, match="more than 9e-06 MB"):
        read_bounded(path, 9)


def test_pipes_devices_and_folders_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    threads = threading.active_count()
    with pytest.raises(ValueError, match="not a file"):
        read_bounded(tmp_path / "pipe", 10)
    with pytest.raises(ValueError, match="not a file"):
        read_bounded(Path("/dev/zero"), 10)
    with pytest.raises(OSError, match="folder"):
        read_bounded(tmp_path, 10)
    assert threading.active_count() == threads


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 100_000, "9" * 6000, "{", "\ud800", b"\xff", ""])
def test_what_is_not_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"nested too deep|not JSON"):
        parse_json(text)


@pytest.mark.parametrize("text", [f"a = {DEEP}", "a = " + "9" * 6000, "a", "a = 1\na = 2"])
def test_what_is_not_toml_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested too deep|not valid TOML"):
        parse_toml(text.encode())


def test_long_lines_are_passed_over() -> None:
    stream = io.BytesIO(b"one\n" + b"x" * 50 + b"\n" + b"two\n" + b"y" * 10)
    assert list(lines_bounded(stream, 10)) == [b"one\n", None, b"two\n", None]
    assert list(lines_bounded(io.BytesIO(b"123456789\n"), 10)) == [b"123456789\n"]
