"""Nothing that a stranger wrote steers the terminal on which a command runs."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from curate.cli import run_command
from curate.cli.progress import FrameCounter
from curate.cli.terminal import PrintableStream, printable_streams, unwrapped
from tests.finished import make_finished

STEERING = "\x1b[2J\x1b]0;owned\x07\u202efdp.exe\x9b31m\rok"


def is_plain(text: str) -> bool:
    return text.replace("\n", "").replace("\t", "").isprintable()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sources = {name: f"https://example.org/{name}.mp4" for name in ("one", "two")}
    return make_finished(tmp_path_factory.mktemp("terminal") / "w", sources, ("lmdb",))


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "w", symlinks=True))


def test_frames_a_second_count_the_time_before_they_were_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr("curate.cli.progress.time.monotonic", lambda: now)
    with FrameCounter(quiet=False) as counter:
        for name, frames, now in (("parquet", 400, 140.0), ("lmdb", 600, 170.0)):  # noqa: B007
            counter(name, frames)
    assert capsys.readouterr().err.splitlines() == [
        "export parquet: 400 frames, 10/s",
        "export lmdb: 600 frames, 20/s",
    ]


def test_names_in_an_export_are_shown_plainly(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export = root / "exports" / "lmdb"
    (export / f"x{STEERING}").write_text("x")
    record = json.loads((export / "export.json").read_text())
    record["left_out"] = {STEERING: STEERING}
    (export / "export.json").write_text(json.dumps(record))
    assert run_command(["verify", str(export)]) == 2
    shown = capfd.readouterr()
    assert is_plain(shown.out) and is_plain(shown.err) and "fdp.exe" in shown.out + shown.err


@pytest.mark.parametrize("command", [["status"], ["verify"], ["push"], ["run", "-w"], ["export", "-w"]])
def test_paths_in_errors_are_shown_plainly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert run_command([*command, str(tmp_path / STEERING.replace("\r", ""))]) != 0
    shown = capfd.readouterr()
    assert is_plain(shown.out) and is_plain(shown.err) and shown.err


def test_messages_in_the_ledger_are_shown_plainly(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = next((root / "ledger").glob("*.jsonl"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    changed = [{**line, "outcome": "failed", "reason": "error", "detail": STEERING} for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in changed))
    run_command(["status", "-w", str(root)])
    shown = capfd.readouterr()
    assert is_plain(shown.out) and is_plain(shown.err) and "fdp.exe" in shown.out + shown.err


def test_on_a_real_terminal_too(root: Path) -> None:
    (root / "exports" / "lmdb" / f"x{STEERING}").write_text("x")
    master, slave = pty.openpty()
    command = [sys.executable, "-c", "from curate.cli import main; main()", "verify", str(root / "exports" / "lmdb")]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "COLUMNS": "200"})
    os.close(slave)
    shown = b""
    try:
        while piece := os.read(master, 4096):
            shown += piece
    except OSError:
        pass  # the other end is closed
    finally:
        os.close(master)
        process.wait()
    text = shown.decode()
    assert "fdp.exe" in text and not {"\x07", "\u202e", "\x9b"} & set(text) and "\x1b[2J" not in text


def test_the_streams_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with pytest.raises(ValueError), printable_streams():
        with printable_streams():
            print(STEERING)
        assert isinstance(sys.stdout, PrintableStream) and unwrapped(sys.stdout) is before[0]
        assert not hasattr(sys.stdout, "buffer")
        raise ValueError
    assert (sys.stdout, sys.stderr) == before
    assert is_plain(capsys.readouterr().out)


@pytest.mark.parametrize("both", [False, True], ids=["the output", "both"])
def test_a_reader_that_is_gone_changes_neither_work_nor_exit_code(root: Path, both: bool) -> None:
    """As after ``| head -1`` and ``2>&1 | head -1``."""

    def code_of(*arguments: str) -> int:
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-c", "from curate.cli import main; main()", *arguments]
        ended = subprocess.run(command, stdout=writer, stderr=writer if both else subprocess.PIPE)
        os.close(writer)
        assert both or b"Traceback" not in ended.stderr
        return ended.returncode

    assert code_of("verify", str(root / "exports")) == 0
    assert code_of("status", "-w", str(root)) == 0
    assert code_of("purge", "-w", str(root), "--id", "one", "--yes") == 0
    assert not (root / "frames" / "one.parquet").exists()
    (root / "exports" / "lmdb" / "stray").touch()
    assert code_of("verify", str(root / "exports")) == 2
