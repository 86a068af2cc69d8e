from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.exports.disk.checksums import FileFacts
from curate.exports.disk.output import DURABLE, PIECE, OutputFile


@given(sizes=st.lists(st.integers(0, PIECE * 2), max_size=8), flushes=st.sets(st.integers(0, 7)))
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_in_the_file_in_order(tmp_path_factory, sizes, flushes):
    path = tmp_path_factory.mktemp("out") / "x"
    pieces = [bytes([i + 1]) * size for i, size in enumerate(sizes)]
    with OutputFile(path) as file:
        for i, piece in enumerate(pieces):
            assert file.write(piece) == len(piece)
            if i in flushes:
                file.flush()
                assert path.stat().st_size == file.tell()
    assert path.read_bytes() == b"".join(pieces)
    assert file.facts() == FileFacts.of(path)


def test_the_system_is_called_at_whole_pieces(tmp_path, monkeypatch):
    ends: list[int] = []
    real = os.writev

    def writev(file: int, held: list[memoryview]) -> int:
        written = real(file, held)
        ends.append(os.lseek(file, 0, os.SEEK_CUR))
        return written

    monkeypatch.setattr(os, "writev", writev)
    with OutputFile(tmp_path / "x") as file:
        for _ in range(30):
            file.write(bytes(100_001))
    assert [end % PIECE for end in ends[:-1]] == [0] * (len(ends) - 1) and ends[-1] == 30 * 100_001


def test_a_short_write_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = os.write
    monkeypatch.setattr(os, "writev", lambda file, held: real(file, held[0][:7]))
    with OutputFile(tmp_path / "x") as file:
        file.write(b"0123456789")
        file.write(b"abc")
    assert (tmp_path / "x").read_bytes() == b"0123456789abc" and file.facts() == FileFacts.of(tmp_path / "x")


def test_a_long_file_is_made_durable_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real, sizes = os.fsync, []

    def fsync(file: int) -> None:
        sizes.append(os.fstat(file).st_size)
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    with OutputFile(tmp_path / "x") as file:
        for _ in range(3):
            file.write(bytes(DURABLE - 1))
    assert DURABLE <= sizes[0] < sizes[-1] == file.tell() == 3 * (DURABLE - 1)
    assert file.facts() == FileFacts.of(tmp_path / "x")


@pytest.mark.parametrize("length", [1, DURABLE, 3 * DURABLE])
def test_what_cannot_be_made_durable_is_not_called_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
):
    real, calls = os.fsync, []

    def fsync(file: int) -> None:
        calls.append(file)
        if len(calls) == 1:  # Linux tells of an error once
            raise OSError(errno.EIO, "the disk fails")
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="the disk fails") as told, OutputFile(tmp_path / "x") as file:
        file.write(bytes(length))
    assert told.value.filename == str(tmp_path / "x")
