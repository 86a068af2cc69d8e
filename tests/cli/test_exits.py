from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import click
import pytest

from curate.cli.exits import ExitCode, exit_code_of, leave, writing
from curate.errors import CurateError
from curate.files.atomic import write_atomic


def raising(error: BaseException) -> object:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CurateError("no such thing"), 1, "error: no such thing\n"),
        (click.UsageError("not so"), 1, "Error: not so\n"),
        (click.Abort(), 130, "run the same command again"),
        (KeyboardInterrupt(), 130, "run the same command again"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "error: No space left on device: /x; free space"),
        (OSError(errno.EACCES, "Permission denied", "/x"), 1, "error: Permission denied: /x\n"),
        (OSError(errno.EISDIR, "Is a directory", "/.x.tmp", None, "/x"), 1, "error: Is a directory: /x\n"),
        (OSError(errno.EEXIST, "File exists", "/x"), 1, "File exists: /x; there is a file where a folder must be"),
        (click.exceptions.Exit(2), None, ""),
    ],
)
def test_every_error_has_words_and_a_code(
    error: BaseException, code: int | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if code is None:
        command = click.Command("x", callback=lambda: raising(error))
        assert exit_code_of(lambda: command.main([], standalone_mode=False)) == 2
    else:
        assert exit_code_of(lambda: raising(error)) == code
    captured = capsys.readouterr()
    assert said in captured.err and "Traceback" not in captured.err and not captured.out


def test_a_broken_package_is_no_fault_of_ours_and_a_name_that_we_lack_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(lambda: raising(ImportError("libjpeg.so: no such file"))) == ExitCode.ERROR
    said = capsys.readouterr().err
    assert "(libjpeg.so: no such file): 'curate doctor' says which" in said and "fault" not in said
    assert exit_code_of(lambda: raising(ImportError("no x", name="curate.stages"))) == ExitCode.ERROR
    said = capsys.readouterr().err
    assert "fault in curate" in said
    Path(said.split()[-1]).unlink()


def test_a_fault_of_ours_is_told_with_the_file_that_holds_the_details(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(lambda: raising(ZeroDivisionError("oh"))) == ExitCode.ERROR
    said = capsys.readouterr().err
    assert "unexpected ZeroDivisionError: oh" in said and "Traceback" not in said
    path = Path(said.split()[-1])
    assert "Traceback" in path.read_text()
    path.unlink()


def test_a_fault_of_ours_is_told_where_no_file_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert exit_code_of(lambda: raising(ZeroDivisionError("oh"))) == ExitCode.ERROR
    said = capsys.readouterr().err
    assert "unexpected ZeroDivisionError: oh" in said and "set TMPDIR" in said and "Traceback" not in said


def test_a_command_that_failed_in_part_leaves_with_its_code() -> None:
    leave(failures=[])
    with pytest.raises(click.exceptions.Exit) as raised:
        leave(failures=["one"])
    assert raised.value.exit_code == ExitCode.FAILURES


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "nothing"])
def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path, kind: str) -> None:
    path = Path() if kind == "nothing" else tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/null")
    elif kind == "folder":
        path.mkdir()
    before = path.lstat()
    with pytest.raises(CurateError, match="something is there that is not a file"), writing(path):
        write_atomic(path, b"x")
    assert path.lstat() == before
