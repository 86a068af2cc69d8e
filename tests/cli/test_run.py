"""The whole command on real encoded videos, as a user runs it."""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from curate.cli import run_command
from curate.workspace.ledger import read_ledger
from tests.disks import enlarge, small_disk
from tests.rendered import render_operation, render_slides

CURATE = (sys.executable, "-c", "from curate.cli import main; main()")
FORMATS = ("--export-formats", "parquet,lmdb,lmdb-lemon")


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an operation (2 s slide, 6 s surgery, 2 s slide), a shorter one, and slides alone."""
    folder = tmp_path_factory.mktemp("videos")
    render_operation(folder / "operation.mp4")
    render_operation(folder / "-short_1.mp4", before=1, surgery=5, after=1)
    render_slides(folder / "slides.mp4")
    return folder


@pytest.fixture(scope="session")
def finished(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which everything is done; tests that change it work on a copy."""
    workspace = tmp_path_factory.mktemp("finished") / "w"
    assert run_command(["run", str(videos), "-w", str(workspace), *FORMATS]) == 0
    return workspace


def copy_of(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy", symlinks=True))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """What tells a file that was written again, but logs, of which each run leaves one."""
    return {
        str(p.relative_to(folder)): (p.lstat().st_mtime_ns, p.lstat().st_ino)
        for p in folder.rglob("*")
        if not p.is_dir() and not p.name.startswith((".lock", ".workers")) and p.parent.name != "logs"
    }


def outcomes(workspace: Path) -> dict[tuple[str, str], str]:
    return {key: str(r.last.reason or r.last.outcome) for key, r in read_ledger(workspace / "ledger").items()}


def test_the_operation_is_kept_and_the_slides_are_dropped(finished: Path) -> None:
    found = outcomes(finished)
    assert found["operation", "mask"] == "done"
    assert found["slides", "trim"] == "no_surgical_run"
    table = pq.read_table(finished / "verdicts" / "operation.parquet")
    assert table["verdict"].to_pylist() == ["non-surgical"] * 2 + ["surgical"] * 6 + ["non-surgical"] * 2
    assert table["kept"].to_pylist() == [False] * 2 + [True] * 6 + [False] * 2
    assert (finished / "videos" / "operation.mp4").is_symlink()


def test_the_parquet_shards_open_in_datasets_as_pictures(finished: Path, tmp_path: Path) -> None:
    import datasets

    loaded = datasets.load_dataset(str(finished / "exports" / "parquet"), cache_dir=str(tmp_path), split="train")
    assert len(loaded) == 11
    row = loaded[0]
    assert row["image"].size == (640, 360)
    red, _, blue = np.asarray(row["image"], dtype=float).mean(axis=(0, 1))
    assert red > 1.5 * blue
    assert {r["video_id"] for r in loaded.remove_columns("image")} == {"operation", "-short_1"}
    assert {"n", "timestamp", "title", "procedures", "p_surgical", "regions"} <= set(row)


@pytest.mark.parametrize("name", ["lmdb", "lmdb-lemon"])
def test_the_lmdb_gives_the_right_colours_to_its_reader(finished: Path, name: str) -> None:
    (folder,) = [p.parent for p in (finished / "exports" / name).rglob("data.mdb")]
    environment = lmdb.open(str(folder), readonly=True, lock=False)
    with environment.begin() as transaction:
        keys = [bytes(k).decode() for k, _ in transaction.cursor()]
        encoded = np.frombuffer(transaction.get(b"operation_1"), np.uint8)
    assert sorted(keys) == sorted([f"operation_{n}" for n in range(6)] + [f"-short_1_{n}" for n in range(5)])
    picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    if name == "lmdb":
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    red, _, blue = picture.astype(float).mean(axis=(0, 1))  # LEMON's readers take the decoded array for RGB
    assert red > 1.5 * blue


def test_a_rerun_with_nothing_to_do_does_nothing(
    finished: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = copy_of(finished, tmp_path)
    before = stamps(workspace)
    assert run_command(["run", str(videos), "-w", str(workspace)]) == 0
    assert stamps(workspace) == before
    assert "up to date" in capsys.readouterr().out


def test_a_changed_option_redoes_its_stage_and_those_below_and_nothing_above(finished: Path, tmp_path: Path) -> None:
    workspace = copy_of(finished, tmp_path)
    before = stamps(workspace)
    assert run_command(["run", "-w", str(workspace), "--trim-min-run", "6"]) == 0
    after = stamps(workspace)
    for folder in ("videos", "frames", "scores"):
        assert {k: v for k, v in after.items() if k.startswith(folder)} == {
            k: v for k, v in before.items() if k.startswith(folder)
        }
    for name in ("verdicts/operation.parquet", "regions/operation.parquet", "exports/parquet/export.json"):
        assert after[name] != before[name]
    assert outcomes(workspace)["-short_1", "trim"] == "no_surgical_run"
    assert "min_run = 6.0" in (workspace / "curate.toml").read_text()
    (database,) = [p.parent for p in (workspace / "exports" / "lmdb").rglob("data.mdb")]
    with lmdb.open(str(database), readonly=True, lock=False) as environment:
        assert environment.stat()["entries"] == 6


def test_stages_one_by_one_give_the_same_shards(finished: Path, videos: Path, tmp_path: Path) -> None:
    workspace = str(tmp_path / "w")
    assert run_command(["download", str(videos), "-w", workspace]) == 0
    for stage in ("sample", "classify", "trim", "mask", "field", "audit"):
        assert run_command([stage, "-w", workspace]) == 0
    assert run_command(["export", "-w", workspace, "--formats", "parquet,lmdb,lmdb-lemon"]) == 0
    assert contents(tmp_path / "w" / "exports") == contents(finished / "exports")


@pytest.mark.parametrize("after", [0, 3, 7])
def test_kill_9_in_the_middle_and_a_rerun_give_byte_identical_shards(
    finished: Path, videos: Path, tmp_path: Path, after: int
) -> None:
    workspace = tmp_path / "w"
    arguments = ["run", str(videos), "-w", str(workspace), *FORMATS]
    command = [sys.executable, "-c", "import sys; from curate.cli import main; main(sys.argv[1:])", *arguments]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 120
        while len(read_ledger(workspace / "ledger")) <= after:
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.01)
        if after == 0:
            process.send_signal(signal.SIGKILL)  # the parent alone: its workers must notice
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (workspace / "exports" / "lmdb-lemon").exists()
    assert run_command(arguments) == 0
    assert contents(workspace / "exports") == contents(finished / "exports")
    left = [p.name for p in workspace.rglob(".*") if not p.name.startswith((".lock", ".workers"))]
    assert left == []


def test_bad_videos_cost_only_themselves(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(videos / "operation.mp4", folder / "good.mp4")
    (folder / "empty.mp4").touch()
    (folder / "letter.mp4").write_text("Dear editor,\n" * 500)
    whole = (videos / "operation.mp4").read_bytes()
    (folder / "header.mp4").write_bytes(whole[:200])
    assert run_command(["run", str(folder), "-w", str(tmp_path / "w")]) == 2
    found = outcomes(tmp_path / "w")
    assert found["good", "mask"] == "done"
    assert found["empty", "download"] == "empty_file"
    assert found["letter", "sample"] == "not_a_video"
    assert found["header", "sample"] == "not_a_video"
    captured = capsys.readouterr()
    assert "3 failed" in captured.err and "Traceback" not in captured.err + captured.out
    assert (tmp_path / "w" / "exports" / "parquet" / "export.json").exists()


@contextlib.contextmanager
def web(folder: Path) -> Iterator[str]:
    """A real HTTP server on loopback over a folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_urls_on_standard_input_are_downloaded_and_a_dead_one_is_named(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web(videos) as address:
        monkeypatch.setattr(
            sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{address}/operation.mp4\n{address}/gone.mp4\n".encode()))
        )
        pace = ("--download-sleep-interval", "0", "--download-max-sleep-interval", "0")
        pace += ("--download-local-addresses", "127.0.0.0/8")
        assert run_command(["run", "-", "-w", str(tmp_path / "w"), *pace]) == 2
    found = outcomes(tmp_path / "w")
    assert sorted(v for (_, stage), v in found.items() if stage == "download") == ["done", "not_found"]
    assert [v for (_, stage), v in found.items() if stage == "mask"] == ["done"]


def test_a_full_disk_stops_the_run_and_loses_nothing(
    finished: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path / "small", "800k") as small:
        arguments = ["run", str(videos), "-w", str(small / "w"), *FORMATS]
        assert run_command(arguments) in (1, 2)
        captured = capsys.readouterr()
        assert "No space left" in captured.err and "Traceback" not in captured.err and "rrno" not in captured.err
        stopped = [line for line in captured.err.splitlines() if " stopped: " in line]
        assert stopped and len(stopped) == len({line.partition(" stopped: ")[0] for line in stopped})
        enlarge(small, "64m")
        assert run_command(arguments) == 0
        assert contents(small / "w" / "exports") == contents(finished / "exports")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "nowhere.csv"),
        ("", "empty"),
        ("a,b\n1,2\n", "found: 'a', 'b'"),
        ("id,path\n../x,y.mp4\n", "no usable video"),
    ],
)
def test_a_bad_manifest_is_a_clear_error_and_leaves_no_workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    path = tmp_path / ("nowhere.csv" if content is None else "list.csv")
    if content is not None:
        path.write_text(content)
    assert run_command(["run", str(path), "-w", str(tmp_path / "w")]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and said in captured.err and "Traceback" not in captured.err
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "-w", "nowhere"],
        ["sample", "-w", "nowhere"],
        ["status", "-w", "nowhere"],
        ["run", "x", "-w", "w", "--sample-rate", "0"],
        *(["run", "x", "-w", "w", "--shard", s] for s in ("3/2", "4/4", "-1/4", "0/0", "a/b", "1", f"0/{'9' * 5000}")),
        ["run", "x", "-w", "w", "--engine", "slurm"],
        ["no-such-command"],
        [],
    ],
)
def test_wrong_usage_exits_with_1(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(arguments) == 1
    captured = capsys.readouterr()
    assert captured.err + captured.out and "Traceback" not in captured.err and "unexpected" not in captured.err
    assert "--shard" not in arguments or "is not i/n with" in captured.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "said"), [("file", "is a file, not a folder"), ("w\udcff", "is not UTF-8")])
@pytest.mark.parametrize("command", ["run", "status", "clean", "purge"])
def test_a_workspace_that_can_be_none_is_told(
    tmp_path: Path, videos: Path, capsys: pytest.CaptureFixture[str], command: str, name: str, said: str
) -> None:
    workspace = tmp_path / name
    if name == "file":
        workspace.write_text("hello")
    arguments = {"run": [str(videos)], "purge": ["--id", "x", "--yes"]}.get(command, [])
    assert run_command([command, *arguments, "-w", str(workspace)]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and said in captured.err and len(captured.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == (["file"] if name == "file" else [])


def test_shards_of_a_job_array_together_do_everything(finished: Path, videos: Path, tmp_path: Path) -> None:
    workspace = str(tmp_path / "w")
    for shard in ("0/2", "1/2"):
        assert run_command(["run", str(videos), "-w", workspace, "--shard", shard]) == 0
        assert not (tmp_path / "w" / "exports").exists()
    assert run_command(["export", "-w", workspace, "--formats", "parquet,lmdb,lmdb-lemon"]) == 0
    assert contents(tmp_path / "w" / "exports") == contents(finished / "exports")


def test_explain_draws_the_boxes_of_a_video(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = copy_of(finished, tmp_path)
    assert run_command(["mask", "-w", str(workspace), "--explain", "operation"]) == 0
    pictures = sorted((workspace / "report" / "masks" / "operation").glob("*.jpg"))
    assert len(pictures) == len(set(pq.read_table(workspace / "regions" / "operation.parquet")["n"].to_pylist()))
    assert cv2.imread(str(pictures[0])).shape == (360, 640, 3)
    capsys.readouterr()
    for video, said in (("slides", "dropped at trim"), ("nobody", "no video 'nobody'")):
        assert run_command(["mask", "-w", str(workspace), "--explain", video]) == 1
        assert said in capsys.readouterr().err


def test_status_shows_the_funnel(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    assert run_command(["status", "-w", str(finished)]) == 0
    text = capsys.readouterr().out
    assert "3 videos in the manifest, 2 complete" in text and "trim: dropped no_surgical_run: 1" in text
    assert run_command(["status", "-w", str(finished), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["stages"]["sample"]["figures"]["frames"] == 21
    assert data["stages"]["trim"]["dropped"] == {"no_surgical_run": 1}
    assert sum(data["stages"]["trim"][k] for k in ("done", "pending")) == 2


def start_run(videos: Path, workspace: Path) -> subprocess.Popen[bytes]:
    """``curate run`` in a process of its own, both its outputs in pipes."""
    heard = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # tests in the background ignore it
    )
    code = f"{heard}; from curate.cli import main; main()"
    command = [sys.executable, "-c", code, "run", str(videos), "-w", str(workspace)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def test_a_reader_that_leaves_after_a_line_costs_nothing(videos: Path, tmp_path: Path) -> None:
    """As ``curate run ... | head -1`` does."""
    with start_run(videos, tmp_path / "w") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    assert process.returncode == 0, said
    assert "Traceback" not in said and "error" not in said
    assert list((tmp_path / "w" / "exports" / "parquet").rglob("*.parquet"))


def test_a_run_whose_standard_streams_are_closed_writes_what_others_do(
    finished: Path, videos: Path, tmp_path: Path
) -> None:
    """As under a daemon that leaves none open: no file may get their numbers, and with them what libraries print."""
    arguments = ["run", str(videos), "-w", str(tmp_path / "w"), *FORMATS]
    closed = subprocess.run(["bash", "-c", '"$@" <&- >&- 2>&-', "bash", *CURATE, *arguments])
    assert closed.returncode == 0
    assert contents(tmp_path / "w" / "exports") == contents(finished / "exports")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-"])
def test_a_look_goes_on_where_a_standard_stream_is_closed(finished: Path, closed: str) -> None:
    status = ["status", "-w", str(finished)]
    ended = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", *CURATE, *status], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ("3 videos in the manifest" in ended.stdout) == (">&-" not in closed.split())


@pytest.mark.parametrize(
    ("tell", "what"),
    [(os.kill, signal.SIGHUP), (os.killpg, signal.SIGHUP), (os.killpg, signal.SIGINT)],
    ids=["a closed terminal", "its workers too", "Ctrl-C"],
)
def test_a_closed_terminal_ends_a_run_as_an_interrupt_does(
    videos: Path, tmp_path: Path, tell: Callable[[int, int], None], what: signal.Signals
) -> None:
    with start_run(videos, tmp_path / "w") as process:
        while not list((tmp_path / "w" / "frames").glob("*.parquet")):
            assert process.poll() is None
            time.sleep(0.02)
        tell(process.pid, what)
        _, error = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "interrupted" in error.decode() and "Traceback" not in error.decode()
